//! Real processes of the service, to be stopped, killed and started again.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use countersign::oauth::request::JWT_BEARER;

use crate::harness::{Answer, CLIENT, SECRET, TestApp, http};

/// Serves the database of a `TestApp` from a process of its own. The issuer in its configuration stays the
/// `TestApp`'s, whatever address it listens on.
pub struct Process {
    pub child: Child,
    /// Of the token endpoint.
    pub url: String,
    ports: (u16, u16),
    shell_prefix: String,
    log: Arc<Mutex<String>>,
    http: reqwest::Client,
}

/// Ports for servers that are started later: below those that the kernel gives to connections and to listeners on port
/// 0, and below those of `scripts/postgres`.
const PORTS: std::ops::Range<u16> = 6_000..16_000;

/// A port that nobody listens on. No other test is given the same one, and other processes begin elsewhere.
pub fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id().wrapping_mul(101);
    let next = || {
        let offset = (first + u32::from(TAKEN.fetch_add(1, Ordering::Relaxed))) % PORTS.len() as u32;
        PORTS.start + offset as u16
    };
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(next).take(PORTS.len()).find(is_free).expect("a free port")
}

fn two_free_ports() -> (u16, u16) {
    (free_port(), free_port())
}

/// Waits for something that must come, however slow the machine is.
pub async fn until(what: &str, come: impl AsyncFn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !come().await {
        assert!(Instant::now() < patience, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Real processes use the real time.
pub fn real_time(app: &TestApp) {
    use countersign::clock::{Clock as _, SystemClock};
    app.clock.advance(SystemClock.now() - app.clock.now());
}

impl Process {
    /// `shell_prefix` goes before the command: limits, or variables.
    pub fn serve(app: &TestApp, shell_prefix: &str) -> Self {
        Self::serve_on(app, shell_prefix, two_free_ports())
    }

    /// Serves where the `TestApp`'s issuer is, if nobody does: its configuration names an address of its own.
    pub fn serve_issuer(app: &TestApp) -> Self {
        let port = app.issuer().rsplit(':').next().unwrap().parse().unwrap();
        Self::serve_on(app, "", (port, free_port()))
    }

    /// The same as `serve` with another standard error, which nobody may be reading.
    pub async fn serve_logging_to(app: &TestApp, log: impl Into<Stdio>) -> Self {
        let ports = two_free_ports();
        let child = command(app, "", ports).stderr(log).spawn().unwrap();
        let process = Self::of(child, "", ports, Arc::default());
        process.ready().await;
        process
    }

    /// The same, not waiting for it to be ready.
    pub fn start(app: &TestApp) -> Self {
        let ports = two_free_ports();
        let child = command(app, "", ports).stderr(Stdio::null()).spawn().unwrap();
        Self::of(child, "", ports, Arc::default())
    }

    /// Waits until it is ready.
    pub async fn ready(&self) {
        let url = format!("http://127.0.0.1:{}/readyz", self.ports.1);
        let ready = async || self.http.get(&url).send().await.is_ok_and(|answer| answer.status() == 200);
        until("it is ready", ready).await;
    }

    fn serve_on(app: &TestApp, shell_prefix: &str, ports: (u16, u16)) -> Self {
        let mut child = command(app, shell_prefix, ports).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut before = String::new();
        let ready = lines.by_ref().map_while(Result::ok).any(|line| {
            before.push_str(&line);
            line.contains("\"ready\"")
        });
        assert!(ready, "the process did not become ready: {before}");
        let log = Arc::new(Mutex::new(before));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| kept.lock().unwrap().push_str(&(line + "\n")));
        });
        Self::of(child, shell_prefix, ports, log)
    }

    fn of(child: Child, shell_prefix: &str, ports: (u16, u16), log: Arc<Mutex<String>>) -> Self {
        let url = format!("http://127.0.0.1:{}/oauth2/token", ports.0);
        Self { child, url, ports, shell_prefix: shell_prefix.to_owned(), log, http: http() }
    }

    /// Presents an assertion; none when there was no answer.
    pub async fn exchange(&self, assertion: &str) -> Option<Answer> {
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion)];
        let request = self.http.post(&self.url).basic_auth(CLIENT, Some(SECRET)).form(&form);
        Some(Answer::of(request.send().await.ok()?).await)
    }

    /// A public document.
    pub async fn get(&self, path: &str) -> Answer {
        let url = format!("http://127.0.0.1:{}{path}", self.ports.0);
        Answer::of(self.http.get(url).send().await.unwrap()).await
    }

    /// A document of the private listener.
    pub async fn management(&self, path: &str) -> Answer {
        self.try_management(path).await.unwrap()
    }

    /// The same; none when there was no answer soon.
    pub async fn try_management(&self, path: &str) -> Option<Answer> {
        let url = format!("http://127.0.0.1:{}{path}", self.ports.1);
        let answer = async { Some(Answer::of(self.http.get(url).send().await.ok()?).await) };
        tokio::time::timeout(Duration::from_secs(30), answer).await.ok()?
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has logged a text: lines are written a moment after what they tell of.
    pub fn wait_for_log(&self, text: &str) {
        let started = Instant::now();
        while !self.log().contains(text) {
            assert!(started.elapsed() < Duration::from_secs(60), "not logged: {text}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits until it has ended, and tells how.
    pub async fn ended(&mut self) -> ExitStatus {
        let child = std::sync::Mutex::new(&mut self.child);
        until("it ends", async || child.lock().unwrap().try_wait().unwrap().is_some()).await;
        self.child.wait().unwrap()
    }

    /// The address of the public listener.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.0))
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success(), "{}", self.log());
    }

    /// The same, and another one in its place.
    pub fn restart(self, app: &TestApp) -> Self {
        let (ports, shell_prefix) = (self.ports, self.shell_prefix.clone());
        self.stop();
        Self::serve_on(app, &shell_prefix, ports)
    }
}

fn command(app: &TestApp, shell_prefix: &str, (port, management): (u16, u16)) -> Command {
    let program = env!("CARGO_BIN_EXE_countersign");
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("{shell_prefix} exec {program} serve"))
        .env("COUNTERSIGN_ISSUER", app.issuer())
        .env("COUNTERSIGN_LISTEN", format!("127.0.0.1:{port}"))
        .env("COUNTERSIGN_MANAGEMENT_LISTEN", format!("127.0.0.1:{management}"))
        .env("COUNTERSIGN_DATABASE_URL", &app.app.config.database_url)
        .env("COUNTERSIGN_FETCH__PRIVATE_ORIGINS", format!("[\"{}\"]", app.idp.issuer))
        .env("COUNTERSIGN_RATE_LIMIT__EXCHANGES_PER_SUBJECT_PER_MINUTE", "0")
        .env("COUNTERSIGN_RATE_LIMIT__RECORDED_REFUSALS_PER_MINUTE", "100000")
        .env("RUST_LOG", "info");
    command
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
