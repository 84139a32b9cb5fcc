//! The real process: killed, stopped, and two of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::otlp::Collector;
use super::syslog::Received;
use super::{ids_in, record, wait_for, wait_for_rows};
use crate::harness::TestApp;
use crate::process::{Process, real_time};

/// A directory with a configuration of streams.
struct Place {
    _dir: TempDir,
    prefix: String,
}

impl Place {
    fn new(to: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = format!("[[log_stream]]\nname = \"archive\"\nto = \"{to}\"\n{more}");
        std::fs::write(dir.path().join("countersign.toml"), config).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut prefix = String::new();
        for (name, path) in [("POLICY_DIR", "policies"), ("SCHEMA_FILE", "schema/countersign.cedarschema")] {
            write!(prefix, "export COUNTERSIGN_{name}={}; ", root.join(path).display()).unwrap();
        }
        write!(prefix, "cd {}; ", dir.path().display()).unwrap();
        Self { _dir: dir, prefix }
    }

    fn serve(&self, app: &TestApp) -> Process {
        Process::serve(app, &self.prefix)
    }
}

async fn app() -> TestApp {
    let app = TestApp::start().await;
    real_time(&app);
    app
}

/// SIGKILL while rows are being written and sent: each of them arrives.
#[tokio::test(flavor = "multi_thread")]
async fn sigkill_loses_no_row() {
    let app = app().await;
    let archives = tempfile::tempdir().unwrap();
    let path: PathBuf = archives.path().join("sign-ins.jsonl");
    let place = Place::new(&format!("file://{}", path.display()), "");
    record(&app, 0..4000).await;
    let mut process = place.serve(&app);
    wait_for("the first rows", async || (!ids_in(&path).is_empty()).then_some(())).await;
    process.signal("KILL");
    process.child.wait().unwrap();
    let before = ids_in(&path).len();
    assert!(before < 4000, "it was killed too late");
    record(&app, 4000..4100).await;
    let process = place.serve(&app);
    let found = wait_for_rows(0..4100, || ids_in(&path)).await;
    assert!(found.len() <= 4100 + 500, "one batch is repeated at the most: {}", found.len());
    drop(process);
}

/// Two processes share the work, and what one had begun when it was killed the other one does.
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_lose_no_row() {
    let app = app().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Place::new(&format!("syslog+tcp://{}", listener.local_addr().unwrap()), "");
    let received = Received::default();
    let listening = tokio::spawn({
        let received = received.clone();
        async move { received.listen(listener).await }
    });
    let (mut first, second) = (place.serve(&app), place.serve(&app));
    for start in (0..2000).step_by(100) {
        record(&app, start..start + 100).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let found = wait_for_rows(0..2000, || received.ids()).await;
    assert_eq!(found.len(), 2000, "one of them sends at a time");
    record(&app, 2000..4000).await;
    first.signal("KILL");
    first.child.wait().unwrap();
    wait_for_rows(0..4000, || received.ids()).await;
    drop(second);
    listening.abort();
}

/// A receiver that hangs does not keep the service from ending, nor from serving.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_receiver_that_hangs() {
    let app = app().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Place::new(&format!("syslog+tcp://{}", silent.local_addr().unwrap()), "");
    let process = place.serve(&app);
    record(&app, 0..3).await;
    let held = silent.accept().await.unwrap();
    let answer = process.exchange(&app.assertion(json!({}))).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let started = Instant::now();
    process.stop();
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    drop(held);
}

/// OPS-01: neither the headers' values nor anybody's name is in the log, however much is logged.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_neither_secrets_nor_people() {
    let app = app().await;
    let (collector, to) = Collector::start(&[(401, "dana@acme.com key-0123456789")]).await;
    let place = Place::new(&to, "email = true\nheaders = { x-api-key = \"key-0123456789\" }\n");
    let process = Process::serve(&app, &format!("{} export RUST_LOG=trace;", place.prefix));
    record(&app, 0..3).await;
    collector.wait_for_requests(2).await;
    process.wait_for_log("the log stream waits");
    process.wait_for_log("status 401");
    process.wait_for_log("\"TRACE\"");
    let log = process.log();
    for secret in ["key-0123456789", "dana"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}
