//! A log that cannot be written: requests are answered, nothing is lost but lines, and those are counted.

use std::io::pipe;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::TestApp;
use crate::metrics::sample;
use crate::process::{Process, real_time};

/// Everything that a process must do without its log: answer, count what it did not write, and end.
async fn does_its_work(app: &TestApp, mut process: Process) {
    for _ in 0..3 {
        let answer = process.exchange(&app.assertion(json!({}))).await.expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let refused = process.exchange("not.an.assertion").await.expect("an answer");
    assert_eq!((refused.status, refused.json["error"].as_str()), (400, Some("invalid_grant")));
    for path in ["/oauth2/jwks", "/nothing"] {
        assert!([200, 404].contains(&process.get(path).await.status), "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(process.management(path).await.status, 200, "{path}");
    }
    assert_eq!(app.written().await.used_assertions, 3);
    let patience = Instant::now() + Duration::from_secs(20);
    while sample(&process.management("/metrics").await.body, "countersign_log_lines_dropped_total") < 1.0 {
        assert!(Instant::now() < patience, "no dropped line was counted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    process.signal("TERM");
    let patience = Instant::now() + Duration::from_secs(30);
    let ended = loop {
        if let Some(status) = process.child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < patience, "it does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(ended.success(), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_log_stops_nothing() {
    let app = TestApp::start().await;
    real_time(&app);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let process = Process::serve_logging_to(&app, full).await;
    does_its_work(&app, process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_reader_is_gone_stops_nothing() {
    let app = TestApp::start().await;
    real_time(&app);
    let (reader, writer) = pipe().unwrap();
    let process = Process::serve_logging_to(&app, writer).await;
    drop(reader);
    does_its_work(&app, process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_stops_nothing() {
    let app = TestApp::start().await;
    real_time(&app);
    let (reader, writer) = pipe().unwrap();
    let process = Process::serve_logging_to(&app, writer).await;
    // More than the pipe and the lines that wait may hold.
    let long = "x".repeat(16 * 1024);
    for _ in 0..100 {
        assert_eq!(process.get(&format!("/{long}")).await.status, 404);
    }
    does_its_work(&app, process).await;
    drop(reader);
}
