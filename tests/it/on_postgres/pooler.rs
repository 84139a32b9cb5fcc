//! PgBouncer in between: in session mode nothing is different, in the other modes nothing is begun.

use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use serde_json::json;

use super::cluster::Cluster;
use crate::database::TestDatabase;
use crate::harness::TestApp;
use crate::process::{Process, free_port, real_time};

/// A running PgBouncer; it goes with its test.
struct Pooler {
    child: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Pooler {
    fn start(cluster: &Cluster, mode: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let file = dir.path().join("pgbouncer.ini");
        let settings = format!(
            "[databases]\ncountersign = host=127.0.0.1 port={} dbname=countersign user=countersign\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = {mode}\n{more}\n",
            cluster.port(),
        );
        std::fs::write(&file, settings).unwrap();
        let program = ["/usr/sbin/pgbouncer", "pgbouncer"];
        let program = program.into_iter().find(|program| std::path::Path::new(program).exists());
        let mut command = Command::new(program.unwrap_or("pgbouncer"));
        command.arg(&file).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        // It refuses to run as root.
        if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
            command.uid(65534).gid(65534);
        }
        let child = command.spawn().expect("PgBouncer is installed, on Debian: apt-get install pgbouncer");
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "PgBouncer does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, url: format!("postgres://countersign@127.0.0.1:{port}/countersign"), _dir: dir }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(command: &str, url: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_countersign"))
        .arg(command)
        .env("COUNTERSIGN_DATABASE_URL", url)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

fn assert_told(out: &Output) {
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{out:?}");
    assert!(said.contains("pool_mode = session"), "{said}");
}

/// Many at once, none of which begins: each says what to write, and no lock or half a catalogue stays behind.
#[test]
fn a_pooler_that_takes_sessions_away_is_refused() {
    let cluster = Cluster::start();
    for (mode, more) in [
        ("transaction", ""),
        ("transaction", "default_pool_size = 1"),
        ("transaction", "server_round_robin = 1"),
        ("statement", ""),
    ] {
        let pooler = Pooler::start(&cluster, mode, more);
        let all: Vec<_> = (0..6).map(|_| run("migrate", &pooler.url)).collect();
        for child in all {
            assert_told(&child.wait_with_output().unwrap());
        }
    }
    // Nothing is in the way of one that is not pooled, and the service does not start either.
    assert!(run("migrate", &cluster.url).wait_with_output().unwrap().status.success());
    let pooler = Pooler::start(&cluster, "transaction", "");
    assert_told(&run("serve", &pooler.url).wait_with_output().unwrap());
    let examined = run("doctor", &pooler.url).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&examined.stdout);
    assert!(examined.status.code() == Some(1) && said.contains("pool_mode = session"), "{said}");
}

/// In session mode: migrations by many at once, sign-ins, changes that are heard of, and a pooler that is restarted.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_keeps_sessions_is_fine() {
    let cluster = Cluster::start();
    let pooler = Pooler::start(&cluster, "session", "default_pool_size = 50");
    let all: Vec<_> = (0..6).map(|_| run("migrate", &pooler.url)).collect();
    for child in all {
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{out:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let app = TestApp::start_on(dir, TestDatabase::whole(&cluster.url), |_| {}).await;
    real_time(&app);
    let process = Process::serve(&app, &format!("COUNTERSIGN_DATABASE_URL='{}'", pooler.url));
    for i in 0..20 {
        let claims = json!({ "sub": format!("{i}"), "email": format!("p{i}@acme.com") });
        let answer = process.exchange(&app.assertion(claims)).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}\n{}", process.log());
    }
    process.stop();
}
