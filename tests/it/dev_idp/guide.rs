//! `docs/guides/first-five-minutes.md` and the quick start of the README: every command, in order, in an empty
//! directory, with real processes.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use crate::browser::root;
use crate::commands::text;
use crate::harness::http;
use crate::process::{free_port, until};

/// A terminal in which something keeps running.
struct Terminal(Child);

impl Drop for Terminal {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

/// The ports of the guide, and free ones in their place.
struct Ports([(&'static str, String); 4]);

impl Ports {
    fn new() -> Self {
        Self(["8080", "8081", "9400", "9401"].map(|port| (port, free_port().to_string())))
    }

    fn at(&self, port: &str) -> String {
        let (_, free) = self.0.iter().find(|(known, _)| *known == port).unwrap();
        format!("127.0.0.1:{free}")
    }

    /// The blocks of commands.
    fn blocks(&self, guide: &str) -> Vec<String> {
        let [listen, mcp, audience] = ["9400", "9401", "8080"].map(|port| self.at(port));
        let dev_idp = format!("dev-idp --listen {listen} --mcp {mcp} --audience http://{audience}");
        let block = |part: &str| {
            let mut block = part.split_once("```").unwrap().0.replace("dev-idp --mcp", &dev_idp);
            for (port, free) in &self.0 {
                block = block.replace(port, free);
            }
            block
        };
        guide.split("```sh\n").skip(1).map(block).collect()
    }
}

/// A shell in the directory, with the program on its path and at free ports.
fn shell(dir: &Path, ports: &Ports, script: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_countersign")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(dir)
        .env("PATH", path)
        .env("COUNTERSIGN_ISSUER", format!("http://{}", ports.at("8080")))
        .env("COUNTERSIGN_LISTEN", ports.at("8080"))
        .env("COUNTERSIGN_MANAGEMENT_LISTEN", ports.at("8081"))
        .stdin(Stdio::null());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_first_five_minutes_works() {
    let guide = std::fs::read_to_string(root().join("docs/guides/first-five-minutes.md")).unwrap();
    let (dir, ports) = (tempfile::tempdir().unwrap(), Ports::new());
    let (mut terminals, mut typed) = (Vec::new(), String::new());
    for block in ports.blocks(&guide) {
        let ready = match block.as_str() {
            serve if serve.contains("countersign serve") => format!("http://{}/readyz", ports.at("8081")),
            idp if idp.contains("countersign dev-idp") => format!("http://{}/", ports.at("9400")),
            _ => {
                typed.push_str(&block);
                continue;
            }
        };
        let log = std::fs::File::create(dir.path().join(format!("log-{}", terminals.len()))).unwrap();
        let mut command = shell(dir.path(), &ports, &block);
        command.process_group(0).stdout(log.try_clone().unwrap()).stderr(log);
        terminals.push(Terminal(command.spawn().unwrap()));
        let answers = async || http().get(&ready).send().await.is_ok_and(|answer| answer.status() == 200);
        until(&format!("{block}\nis ready"), answers).await;
    }
    assert_eq!(terminals.len(), 2);
    let out = tokio::task::spawn_blocking({
        let mut command = shell(dir.path(), &ports, &typed);
        move || command.output().unwrap()
    });
    let out = out.await.unwrap();
    let said = format!("{}\n{}", text(&out.stdout), text(&out.stderr));
    assert!(out.status.success(), "{said}");
    for expected in
        ["\"teamspace\":\"acme\"", "mallory is not assigned", "email_domain_not_allowed", "access_denied"]
    {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

/// The script is the README's own, but for the directory and the ports; and `cargo`, which has built the program.
#[tokio::test(flavor = "multi_thread")]
async fn the_quick_start_of_the_readme_works() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, part) = readme.split_once("\n## The first five minutes\n").unwrap();
    let (dir, ports) = (tempfile::tempdir().unwrap(), Ports::new());
    let own = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(own("target/release")).unwrap();
    symlink(env!("CARGO_BIN_EXE_countersign"), own("target/release/countersign")).unwrap();
    symlink("/bin/true", own("cargo")).unwrap();
    let script = ports.blocks(part).remove(0).replace("/tmp/try", &own("try").display().to_string());
    assert!(script.starts_with("cargo build --release && export PATH="), "{script}");
    let log = std::fs::File::create(own("log")).unwrap();
    let mut command = shell(dir.path(), &ports, &script);
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).process_group(0).stdout(log.try_clone().unwrap()).stderr(log);
    // What it starts in the background ends with it.
    let terminal = Mutex::new(Terminal(command.spawn().unwrap()));
    let ended = async || terminal.lock().unwrap().0.try_wait().unwrap().is_some();
    until("the quick start has ended", ended).await;
    let status = terminal.lock().unwrap().0.wait().unwrap();
    let said = std::fs::read_to_string(own("log")).unwrap();
    assert!(status.success() && said.contains("\"access_token\":\"ey"), "{said}");
}
