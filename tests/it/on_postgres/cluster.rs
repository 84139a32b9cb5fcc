//! A cluster for one test, which may stop it, fill its disk, or put another one in its place.

use std::path::PathBuf;
use std::process::Command;

/// A running PostgreSQL server; it goes with its test.
pub struct Cluster {
    /// Of its database `countersign`, and behind it the certificate to trust if there is one.
    pub url: String,
    pub certificate: Option<String>,
    dir: PathBuf,
}

fn script(prefix: &str, arguments: &str) -> Result<String, String> {
    let root = env!("CARGO_MANIFEST_DIR");
    let command = format!("{prefix} exec '{root}/scripts/postgres' {arguments}");
    let out = Command::new("sh").args(["-c", &command]).output().unwrap();
    match out.status.success() {
        true => Ok(String::from_utf8(out.stdout).unwrap()),
        false => Err(format!("{}: {}", out.status, String::from_utf8_lossy(&out.stderr))),
    }
}

impl Cluster {
    /// `prefix` goes before the command, such as limits; `options` behind it.
    pub fn start_with(prefix: &str, options: &str) -> Self {
        // Not in a directory that the server's user might not be able to enter.
        let dir = std::env::temp_dir().join(format!("countersign-{}", uuid::Uuid::new_v4().simple()));
        Self::run(dir, prefix, options)
    }

    pub fn start() -> Self {
        Self::start_with("", "--no-fsync")
    }

    fn run(dir: PathBuf, prefix: &str, options: &str) -> Self {
        let out = script(prefix, &format!("start '{}' {options}", dir.display())).unwrap();
        let mut lines = out.lines().map(str::to_owned);
        Self { url: lines.next().unwrap(), certificate: lines.next(), dir }
    }

    /// A standby that follows this server, each commit of which waits for it.
    pub fn standby(&self) -> Self {
        let dir = std::env::temp_dir().join(format!("countersign-{}", uuid::Uuid::new_v4().simple()));
        let arguments = format!("standby '{}' '{}'", dir.display(), self.dir.display());
        let out = script("", &arguments).unwrap();
        Self { url: out.lines().next().unwrap().to_owned(), certificate: None, dir }
    }

    pub fn promote(&self) {
        script("", &format!("promote '{}'", self.dir.display())).unwrap();
    }

    /// Freezes every process of the server: its connections stay open, and nothing is answered.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// To the server's main process and its children.
    fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.dir.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        // The main process first, or it would start others in their place.
        let command = format!("kill -{name} {pid}; pkill -{name} -P {pid}");
        let status = Command::new("sh").args(["-c", &command]).status();
        assert!(status.unwrap().success());
    }

    /// As a crash would.
    pub fn crash(&self) {
        script("", &format!("stop '{}' --immediate", self.dir.display())).unwrap();
    }

    pub fn stop(&self) {
        script("", &format!("stop '{}'", self.dir.display())).unwrap();
    }

    /// Starts what was stopped, on the same port.
    pub fn resume(&self, prefix: &str) {
        script(prefix, &format!("start '{}'", self.dir.display())).unwrap();
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        let authority = self.url.split("://").nth(1).unwrap().split('/').next().unwrap();
        authority.rsplit(':').next().unwrap().parse().unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may be stopped already, or frozen.
        if self.dir.join("data/postmaster.pid").exists() {
            self.thaw();
        }
        let _ = script("", &format!("stop '{}' --immediate", self.dir.display()));
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
