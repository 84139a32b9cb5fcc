//! The server that is measured: the real binary, built beside this one, a process of its own on core 0.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Outcome, ROOT, SERVER_PORT, machine};

/// How long it may take to become ready; a large database is read first.
const PATIENCE: Duration = Duration::from_secs(300);

/// The issuer of every replica, which kept assertions name: the port is always the same.
pub fn issuer() -> String {
    format!("http://127.0.0.1:{SERVER_PORT}")
}

/// The settings that a server is started with.
pub struct Setup<'a> {
    pub database_url: &'a str,
    /// Where its log goes.
    pub log: &'a Path,
    pub policies: &'a Path,
    pub idp: &'a str,
    /// 0, or more for another server of the same database.
    pub replica: u16,
}

/// A running server; it ends with this value.
pub struct Server {
    child: Child,
    pub port: u16,
    management: u16,
    /// From its start to its being ready.
    pub start: Duration,
    /// MiB when it was.
    pub memory_at_start: f64,
}

/// The server's own counts, as far as it has them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub commits: Option<f64>,
    pub writes: Option<f64>,
}

impl Server {
    /// Starts one and waits until it says that it is ready.
    pub async fn start(setup: &Setup<'_>) -> Outcome<Self> {
        let (port, management) = (SERVER_PORT + 2 * setup.replica, SERVER_PORT + 2 * setup.replica + 1);
        for port in [port, management] {
            drop(std::net::TcpListener::bind(("127.0.0.1", port)).map_err(|e| format!("port {port}: {e}"))?);
        }
        let began = Instant::now();
        let child = command(setup, port, management)?.spawn()?;
        let mut server = Self { child, port, management, start: Duration::ZERO, memory_at_start: 0.0 };
        while !server.is_ready().await {
            if server.child.try_wait()?.is_some() || began.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(setup.log)?;
                let end: Vec<&str> = log.lines().rev().take(5).collect();
                return Err(format!("the server did not become ready: {}", end.join("\n")).into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.start = began.elapsed();
        server.memory_at_start = machine::memory(server.id())?;
        Ok(server)
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Seconds of CPU so far.
    pub fn cpu(&self) -> Outcome<f64> {
        machine::cpu(self.id())
    }

    async fn is_ready(&self) -> bool {
        matches!(self.management("/readyz").await, Ok(answer) if answer.starts_with("HTTP/1.1 200"))
    }

    async fn management(&self, path: &str) -> Outcome<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.management)).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// The counts so far.
    pub async fn counts(&self) -> Outcome<Counts> {
        let text = self.management("/metrics").await?;
        let count = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        Ok(Counts {
            commits: count("countersign_store_commits_total "),
            writes: count("countersign_store_writes_total "),
        })
    }
}

fn command(setup: &Setup<'_>, port: u16, management: u16) -> Outcome<Command> {
    let schema = Path::new(ROOT).join("schema/countersign.cedarschema");
    let server = std::env::current_exe()?.with_file_name("countersign");
    // On its core from its start, so that it has as many threads as it would have there.
    let mut command = Command::new("taskset");
    command
        .args(["-c", "0"])
        .arg(server)
        .arg("serve")
        .env("COUNTERSIGN_ISSUER", issuer())
        .env("COUNTERSIGN_LISTEN", format!("127.0.0.1:{port}"))
        .env("COUNTERSIGN_MANAGEMENT_LISTEN", format!("127.0.0.1:{management}"))
        .env("COUNTERSIGN_DATABASE_URL", setup.database_url)
        .env("COUNTERSIGN_POLICY_DIR", setup.policies)
        .env("COUNTERSIGN_SCHEMA_FILE", schema)
        .env("COUNTERSIGN_FETCH__PRIVATE_ORIGINS", format!("[\"{}\"]", setup.idp))
        .env("COUNTERSIGN_ASSERTION__MAX_LIFETIME", "1h")
        // On, but the few people of this benchmark sign in more often than people do.
        .env("COUNTERSIGN_RATE_LIMIT__EXCHANGES_PER_SUBJECT_PER_MINUTE", "100000000")
        .env("COUNTERSIGN_ADMIN__OPERATOR_REQUESTS_PER_MINUTE", "0")
        .stderr(Stdio::from(File::create(setup.log)?));
    Ok(command)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
