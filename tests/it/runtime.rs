//! The background tasks: `serve`, the demonstration and the tests run the same ones, a stop ends all of them, and one
//! that ends by itself is noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use countersign::app::App;
use countersign::config::Config;
use countersign::demo::DemoParts as Demo;
use countersign::runtime::tasks::{Stage, Task, Tasks};
use countersign::runtime::{self, Options, Pace};
use countersign::store::replicas::{self, Replica};
use tokio::time::{sleep, timeout};

use crate::harness::{TestApp, listeners};
use crate::log_stream::stream;
use crate::logging::Log;
use crate::process::{Process, until};

/// Whatever the configuration.
const ALWAYS: [&str; 11] = [
    "configuration",
    "counted_refusals",
    "heartbeat",
    "issuer_metadata",
    "log_seals",
    "management_listener",
    "policies",
    "public_listener",
    "retention",
    "sign_in_counts",
    "token_uses",
];
/// More than any stop should take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

fn task(name: &str, stage: Stage, is_essential: bool) -> Task {
    Task { name: name.to_owned(), stage, is_essential }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_and_the_demonstration_and_the_tests_run_the_same_tasks() {
    let app = TestApp::start().await;
    assert_eq!(app.service.tasks(), ALWAYS);
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path()).await.unwrap();
    assert_eq!(demo.service.tasks(), ALWAYS);
    timeout(PATIENCE, demo.stop()).await.expect("it stops").unwrap();
    let process = Process::serve(&app, "export RUST_LOG=debug;");
    let tasks = format!("\"tasks\":\"{}\"", ALWAYS.join(" "));
    assert!(process.log().contains(&tasks), "{tasks} in {}", process.log());
    process.stop();
}

/// With everything that can be configured.
fn everything(config: &mut Config, dir: &std::path::Path) {
    config.policy.shadow_dir = Some("policies".into());
    config.log_stream.push(stream("archive", &format!("file://{}", dir.join("log").display())));
}

async fn replicas(app: &App) -> Vec<Replica> {
    let stranger = Replica {
        id: "stranger".to_owned(),
        name: "stranger".to_owned(),
        version: String::new(),
        policy_set: String::new(),
        started_at: app.clock.now(),
        seen_at: app.clock.now(),
    };
    let written = app.store.write(move |c| replicas::heartbeat(c, &stranger)).await;
    written.unwrap_or_else(|error: countersign::store::StoreError| panic!("{error}")).others
}

/// All tasks work, and all of them end with what they have to write.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_every_task() {
    let dir = tempfile::tempdir().unwrap();
    let app = TestApp::start_with(|config| {
        everything(config, dir.path());
        config.rate_limit.recorded_refusals_per_minute = 1;
    })
    .await;
    crate::process::real_time(&app);
    let (listeners, [url, management]) = listeners().await;
    let options = Options { pace: Pace::Timed, hangups: None };
    let service = runtime::start(&app.app, listeners, options).unwrap();
    let configured = ["log_stream:archive", "shadow_differences", "shadow_policies"];
    let mut expected = [&ALWAYS[..], &configured[..]].concat();
    expected.sort_unstable();
    assert_eq!(service.tasks(), expected);
    until("the replica is known", async || replicas(&app.app).await.len() == 1).await;
    for _ in 0..3 {
        app.exchange("no assertion").await;
    }
    assert_eq!(app.sign_ins().await.len(), 1, "the others are only counted");
    service.stop().cancel();
    timeout(PATIENCE, service.stopped()).await.expect("it stops").unwrap();
    assert_eq!(app.sign_ins().await[0].repeated, 1, "what was counted is written");
    assert!(replicas(&app.app).await.is_empty(), "the others are told");
    for url in [url, management] {
        assert!(app.http.get(format!("{url}/healthz")).send().await.is_err(), "nobody listens");
    }
}

/// The service must not go on deciding by what is out of date.
#[tokio::test]
async fn an_essential_task_that_panics_stops_the_service() {
    let app = TestApp::start().await;
    let log = Log::default();
    let _captured = log.capture();
    let mut tasks = Tasks::default();
    let told = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&told);
    tasks.spawn(task("other", Stage::Background, true), |stop| async move {
        stop.cancelled().await;
        stopped.store(true, Ordering::SeqCst);
    });
    tasks.spawn(task("policies", Stage::Background, true), |_| async { panic!("a defect") });
    let service = runtime::supervise(&app.app, tasks);
    let error = timeout(PATIENCE, service.stopped()).await.expect("it stops").unwrap_err();
    assert_eq!(error.to_string(), "the service stopped because its task `policies` panicked");
    assert!(app.app.gate.is_stopping() && told.load(Ordering::SeqCst));
    assert!(log.has(&["ERROR", "a task panicked", "policies"]));
}

#[tokio::test]
async fn a_task_that_ends_by_itself_is_noticed() {
    for (is_essential, ends) in [(true, true), (false, false)] {
        let app = TestApp::start().await;
        let log = Log::default();
        let _captured = log.capture();
        let mut tasks = Tasks::default();
        tasks.spawn(task("short", Stage::Background, is_essential), |_| async {});
        let service = runtime::supervise(&app.app, tasks);
        until("it is told", async || log.has(&["ERROR", "a task ended by itself", "short"])).await;
        let stop = service.stop().clone();
        if !ends {
            sleep(Duration::from_millis(50)).await;
            assert!(!app.app.gate.is_stopping());
            stop.cancel();
        }
        let stopped = timeout(PATIENCE, service.stopped()).await.expect("it stops");
        assert_eq!(stopped.is_err(), ends, "{stopped:?}");
    }
}

#[tokio::test]
async fn a_task_that_does_not_stop_in_time_is_aborted() {
    struct Ended(Arc<AtomicBool>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let ended = Arc::new(AtomicBool::new(false));
    let guard = Ended(Arc::clone(&ended));
    let mut tasks = Tasks::default();
    tasks.spawn(task("deaf", Stage::Background, true), |_| async move {
        let _guard = guard;
        std::future::pending().await
    });
    tasks.spawn(task("later", Stage::LogStreams, true), |stop| async move { stop.cancelled().await });
    timeout(PATIENCE, tasks.stop(Stage::Background, Duration::from_millis(50))).await.expect("it gives up");
    until("it is aborted", async || ended.load(Ordering::SeqCst)).await;
    assert_eq!(tasks.names(), ["later"]);
    tasks.stop(Stage::LogStreams, PATIENCE).await;
    assert!(tasks.names().is_empty() && tasks.outcome().is_ok());
}
