//! The decision log, sent elsewhere: every row arrives, whatever happens in between.

mod config;
mod docs;
mod file;
mod otlp;
mod process;
mod retention;
mod syslog;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use countersign::config::LogStream;
use countersign::decision_log::stream as log_stream;
use countersign::store::log_streams::{self, CommitWatermark, View};
use countersign::store::sign_ins::NewSignIn;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::decision_bodies::body;
use crate::harness::TestApp;
use crate::reload::private;
use crate::subject::futures_all;

/// The streams of a service, until they are stopped.
pub struct Running {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    pub fn start(app: &TestApp) -> Self {
        let stop = CancellationToken::new();
        let streams = log_stream::all(&app.app).unwrap();
        Self { tasks: streams.into_iter().map(|stream| stream.run(stop.clone())).collect(), stop }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.join_all().await;
    }
}

pub fn stream(name: &str, to: &str) -> LogStream {
    LogStream {
        name: name.to_owned(),
        to: to.parse().unwrap(),
        email: false,
        facts: false,
        headers: BTreeMap::new(),
        header_files: BTreeMap::new(),
    }
}

async fn app_with(stream: LogStream) -> TestApp {
    TestApp::start_with(|config| {
        config.log_stream.push(stream);
        // So that rows get their ids in the order in which they are recorded.
        config.database.writers = 1;
    })
    .await
}

fn row(at: i64, number: usize) -> NewSignIn {
    NewSignIn {
        at,
        outcome: if number.is_multiple_of(2) { "granted" } else { "refused" }.to_owned(),
        request_id: format!("r-{number}"),
        client_id: "client".to_owned(),
        email: "dana@acme.com".to_owned(),
        body: body(&json!([{ "action": "TrustIssuer", "policies": ["a"] }])),
        facts: json!({ "claims": { "email": "dana@acme.com", "number": 7, "score": 0.5, "ok": true } })
            .to_string(),
        ..NewSignIn::default()
    }
}

/// Adds rows to the log, in their order.
async fn append(app: &TestApp, rows: impl Iterator<Item = NewSignIn>) {
    let store = &app.app.store;
    futures_all(rows.map(|row| async { store.record(row.into()).await.unwrap() })).await;
}

/// Adds rows to the log, as requests would.
pub async fn record(app: &TestApp, numbers: Range<usize>) {
    use countersign::clock::Clock as _;
    append(app, numbers.map(|number| row(app.clock.now(), number))).await;
}

/// Waits until there is something.
pub async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{what} did not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until these rows, and no others, have been received.
pub async fn wait_for_rows(numbers: Range<usize>, received: impl Fn() -> Vec<String>) -> Vec<String> {
    let mut expected: Vec<String> = numbers.map(|number| format!("r-{number}")).collect();
    expected.sort();
    wait_for(&format!("{} rows", expected.len()), async || {
        let found = received();
        let mut distinct = found.clone();
        distinct.sort();
        distinct.dedup();
        (distinct == expected).then_some(found)
    })
    .await
}

/// Waits until everything is noted as sent.
async fn wait_for_position(app: &TestApp) {
    wait_for("the position", async || {
        let read = app.app.store.read(|c| log_streams::oldest_unsent(c, "archive"));
        read.await.unwrap().is_none().then_some(())
    })
    .await;
}

pub fn ids(numbers: Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("r-{number}")).collect()
}

/// The request ids of the whole lines of a file.
pub fn ids_in(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.filter_map(|line| serde_json::from_str(line).ok()).map(|record| request_id(&record)).collect()
}

fn request_id(record: &Value) -> String {
    record["request_id"].as_str().unwrap().to_owned()
}

/// A count of the stream `archive`.
pub async fn count(app: &TestApp, metric: &str) -> i64 {
    let text = private(app, "/metrics").await.body;
    let name = format!("countersign_log_stream_{metric}{{stream=\"archive\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("{name} is not in {text}")).parse().unwrap()
}

/// An id can be seen before a lower one: nothing is read that could have such a gap.
#[test]
fn ids_settle_when_those_have_ended_who_could_bring_lower_ones() {
    let mut watermark = CommitWatermark::default();
    let mut see = |newest, writers: &[&str]| {
        let writers = writers.iter().map(|&writer| writer.to_owned()).collect();
        watermark.see(View { newest, writers });
        watermark.settled()
    };
    assert_eq!(see(5, &[]), 5);
    assert_eq!(see(9, &["a", "b"]), 5);
    assert_eq!(see(12, &["b", "c"]), 5);
    assert_eq!(see(20, &["c", "d"]), 9, "what could be seen with a and b");
    assert_eq!(see(21, &["c", "d"]), 9);
    assert_eq!(see(22, &["e"]), 20, "not 22, which e may be lower than");
    assert_eq!(see(22, &["f"]), 22);
    assert_eq!(see(23, &[]), 23);
}
