//! A log that cannot be written: requests are answered, nothing is lost but lines, and those are counted.

use std::io::{Write, pipe, sink};
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::json;
use tracing::Dispatch;

use crate::harness::TestApp;
use crate::metrics::sample;
use crate::process::{Process, real_time, until};
use crate::reload::Rules;

/// The log lines of this thread.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0.lock().unwrap()))
    }
}

impl Log {
    /// Takes what is logged until the guard is dropped.
    pub fn capture(&self) -> tracing::subscriber::DefaultGuard {
        // With a single dispatcher, `tracing` asks the thread that first comes to a line whether anybody wants it: that
        // of another test may say no for good.
        static ANOTHER: LazyLock<Dispatch> =
            LazyLock::new(|| Dispatch::new(tracing_subscriber::fmt().with_writer(sink).finish()));
        LazyLock::force(&ANOTHER);
        let log = self.clone();
        let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone());
        tracing::subscriber::set_default(lines.finish())
    }

    /// Whether one line has all of these parts.
    pub fn has(&self, parts: &[&str]) -> bool {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().any(|line| parts.iter().all(|part| line.contains(part)))
    }
}

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
    let dropped = async || {
        sample(&process.management("/metrics").await.body, "countersign_log_lines_dropped_total") > 0.0
    };
    until("a dropped line is counted", dropped).await;
    process.signal("TERM");
    let ended = process.ended().await;
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

/// A policy that names what there is not is told in the log with the name, its kind and the policy.
#[tokio::test]
async fn names_that_nothing_has_are_logged() {
    let app = TestApp::start().await;
    let rule = |id: &str, resource: &str| {
        format!(
            "@id(\"{id}\") @reason(\"t\") @error(\"access_denied\") @message(\"m\")
            forbid (principal is User, action, resource) when {{ resource == {resource} }};\n"
        )
    };
    let text = [
        rule("rule.teamspace", "Teamspace::\"nowhere\""),
        rule("rule.scope", "Scope::\"no.such\""),
        rule("rule.known", "Teamspace::\"acme\""),
    ];
    let rules = Rules::shipped_and(&text.concat());
    let (policies, schema) = (rules.policies(), rules.schema());
    let prefix = format!(
        "export COUNTERSIGN_POLICY_DIR={} COUNTERSIGN_SCHEMA_FILE={};",
        policies.display(),
        schema.display()
    );
    let process = Process::serve(&app, &prefix);
    let lines = || -> Vec<String> {
        let log = process.log();
        log.split("{\"timestamp\"")
            .filter(|line| line.contains("policies name things that are not configured"))
            .map(str::to_owned)
            .collect()
    };
    until("both names are logged", async || lines().len() >= 2).await;
    let lines = lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (kind, name, policy) in
        [("teamspace", "nowhere", "rule.teamspace"), ("scope", "no.such", "rule.scope")]
    {
        let told = |line: &&String| [kind, name, policy].iter().all(|part| line.contains(part));
        assert_eq!(lines.iter().filter(told).count(), 1, "{name}: {lines:?}");
    }
}
