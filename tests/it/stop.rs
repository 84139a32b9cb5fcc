//! How the service ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::connections::read_answer;
use crate::harness::TestApp;
use crate::process::{Process, real_time, until};

/// Clients that keep their connections get an answer to each request, also while the service ends; the last one says
/// that the connection is closed.
#[tokio::test(flavor = "multi_thread")]
async fn requests_on_kept_connections_are_answered_until_the_end() {
    const CLIENTS: usize = 40;
    let app = TestApp::start().await;
    let mut process = Process::serve(&app, "");
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for index in 0..CLIENTS {
        let (mut stream, answered) =
            (TcpStream::connect(process.address()).await.unwrap(), Arc::clone(&answered));
        clients.spawn(async move {
            loop {
                let sent = stream.write_all(b"GET /oauth2/jwks HTTP/1.1\r\nHost: x\r\n\r\n").await;
                sent.expect("the connection was closed without a word");
                let answer = read_answer(&mut stream).await.expect("a request was cut off");
                answered.fetch_add(1, Ordering::SeqCst);
                if answer.contains("connection: close") {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20 + index as u64)).await;
            }
        });
    }
    until("everybody is at it", async || answered.load(Ordering::SeqCst) > 4 * CLIENTS).await;
    process.signal("TERM");
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert!(process.ended().await.success(), "{}", process.log());
}

/// A balancer is told before anything is refused; whoever asks a second time does not wait.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_ends_first_and_a_second_signal_ends_at_once() {
    let app = TestApp::start().await;
    real_time(&app);
    let mut process = Process::serve(&app, "export COUNTERSIGN_STOP_DELAY=5m;");
    assert_eq!(process.management("/readyz").await.status, 200);
    process.signal("TERM");
    until("it is not ready", async || process.management("/readyz").await.status == 503).await;
    assert_eq!(process.management("/readyz").await.json["status"], "stopping");
    assert_eq!(process.management("/healthz").await.status, 200);
    let answer = process.exchange(&app.assertion(json!({}))).await.expect("an answer");
    assert_eq!((answer.status, answer.header("connection")), (200, "close"), "{answer:?}");
    process.signal("INT");
    assert_eq!(process.ended().await.code(), Some(1));
}

/// Whether the process has a handler for a signal; before that the signal would end it.
fn heeds(process: &Process, signal: u32) -> bool {
    let of = format!("/proc/{}", process.child.id());
    let program = std::fs::read_link(format!("{of}/exe")).unwrap();
    let status = std::fs::read_to_string(format!("{of}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
    program.ends_with("countersign") && caught & (1 << (signal - 1)) != 0
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_signals_are_heeded_while_starting() {
    let app = TestApp::start().await;
    let mut lock = app.database.connect();
    lock.batch_execute("BEGIN EXCLUSIVE").unwrap();
    let process = Process::start(&app);
    until("it listens to SIGHUP", async || heeds(&process, 1)).await;
    process.signal("HUP");
    lock.batch_execute("ROLLBACK").unwrap();
    process.ready().await;
    lock.batch_execute("BEGIN EXCLUSIVE").unwrap();
    let mut process = Process::start(&app);
    until("it listens to SIGTERM", async || heeds(&process, 15)).await;
    process.signal("TERM");
    assert!(process.ended().await.success(), "it was asked to end");
    lock.batch_execute("ROLLBACK").unwrap();
}

/// The file of a service that was stopped, copied alone, has what was signed in last.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_stopped_service_leaves_a_file_that_is_complete() {
    let app = TestApp::start().await;
    real_time(&app);
    let process = Process::serve(&app, "");
    for i in 0..5 {
        let claims = json!({ "sub": format!("{i}"), "email": format!("p{i}@acme.com") });
        assert_eq!(process.exchange(&app.assertion(claims)).await.unwrap().status, 200);
    }
    let before = app.written().await;
    process.stop();
    let copy = app.dir.path().join("copy.db");
    std::fs::copy(app.database.url.strip_prefix("sqlite://").unwrap(), &copy).unwrap();
    let url = format!("sqlite://{}", copy.display());
    let mut copied =
        countersign::store::connection::open(&url, &countersign::config::Database::default()).unwrap();
    assert_eq!(crate::harness::written(&mut copied), before);
}
