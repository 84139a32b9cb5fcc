//! Clocks that are wrong: nothing becomes good twice, nothing is lost, and it is told.

use std::sync::Arc;

use countersign::app::App;
use countersign::clock::{Clock as _, SystemClock};
use countersign::exchange::explain::{ExplainRequest, explain};
use countersign::oauth::request::JWT_BEARER;
use countersign::runtime::Service;
use countersign::store::StoreError;
use countersign::store::log_streams::{self, Lease};
use serde_json::json;

use crate::harness::{Answer, CLIENT, SECRET, START, TestApp, TestClock, listeners, run};
use crate::reload::private;
use crate::subject::futures_all;

/// Another replica on the same database, with a clock of its own.
pub struct Replica {
    pub app: Arc<App>,
    url: String,
    _service: Service,
}

impl Replica {
    pub async fn start(app: &TestApp, now: i64) -> Self {
        let replica = App::start(app.app.config.clone(), Arc::new(TestClock::at(now))).await.unwrap();
        let (listeners, [url, _]) = listeners().await;
        let service = run(&replica, listeners);
        Self { app: replica, url: format!("{url}/oauth2/token"), _service: service }
    }

    pub async fn exchange(&self, app: &TestApp, assertion: &str) -> Answer {
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion)];
        let request = app.http.post(&self.url).basic_auth(CLIENT, Some(SECRET)).form(&form);
        Answer::of(request.send().await.unwrap()).await
    }
}

async fn assert_too_old(app: &TestApp, answer: &Answer) {
    assert_eq!((answer.status, &answer.json["error"]), (400, &json!("invalid_grant")), "{answer:?}");
    let row = app.last_sign_in().await;
    assert_eq!((row.outcome.as_str(), row.reason.as_str()), ("refused", "expired"), "{row:?}");
    assert!(row.detail.contains("compare the clocks"), "{row:?}");
}

/// JAG-14: a replica whose clock is ahead deletes what the others still take for valid.
#[tokio::test]
async fn a_sweep_by_a_clock_that_is_ahead_makes_nothing_good_twice() {
    let app = TestApp::start().await;
    let assertion = app.assertion(json!({}));
    assert_eq!(app.exchange(&assertion).await.status, 200);
    let ahead = Replica::start(&app, START + 3600).await;
    ahead.app.prune().await.unwrap();
    assert_eq!(app.written().await.used_assertions, 0, "it was deleted");
    assert_too_old(&app, &app.exchange(&assertion).await).await;
    let asked = ExplainRequest {
        assertion: &assertion,
        client_id: CLIENT,
        scope: None,
        resource: &[],
        details: None,
        key_bound: false,
        teamspace_id: None,
        confined: false,
        all: false,
    };
    let error = explain(&app.app, &asked).await.error.unwrap();
    assert_eq!(error.reason.as_str(), "expired");
    assert!(error.detail.contains("compare the clocks"), "{}", error.detail);
    // Whatever expires later than all that was deleted is good again: no sign-in waits for the wrong time to come.
    app.clock.advance(62);
    app.granted(json!({})).await;
}

/// JAG-14: by a clock that is behind, an assertion is valid for longer than it is remembered.
#[tokio::test]
async fn a_replica_that_is_behind_redeems_nothing_again() {
    let app = TestApp::start().await;
    let assertion = app.assertion(json!({}));
    assert_eq!(app.exchange(&assertion).await.status, 200);
    app.clock.advance(331 + 300 + 1);
    app.app.prune().await.unwrap();
    assert_eq!(app.written().await.used_assertions, 0, "it was deleted");
    let behind = Replica::start(&app, app.clock.now() - 500).await;
    assert_too_old(&app, &behind.exchange(&app, &assertion).await).await;
    assert_eq!(app.written().await.used_assertions, 0);
    app.granted(json!({})).await;
}

/// JAG-14: the same while sign-ins are under way.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_among_sign_ins_makes_nothing_good_twice() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let ahead = Replica::start(&app, START + 3600).await;
    for _ in 0..5 {
        app.clock.advance(400);
        let assertion = app.assertion(json!({}));
        let present = futures_all((0..40).map(|_| app.exchange(&assertion)));
        let sweep = async {
            for _ in 0..10 {
                ahead.app.prune().await.unwrap();
            }
        };
        let (answers, ()) = tokio::join!(present, sweep);
        let granted = answers.iter().filter(|answer| answer.status == 200).count();
        assert!(granted <= 1, "{granted} granted: {answers:?}");
        assert!(answers.iter().all(|answer| answer.status != 503), "{answers:?}");
        assert_eq!(app.exchange(&assertion).await.status, 400);
    }
}

/// A clock that was set ahead may be wrong: the log is not deleted by it.
#[tokio::test]
async fn a_clock_that_was_set_ahead_deletes_nothing() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let before = app.written().await;
    app.clock.set(START + 200 * 24 * 3600);
    app.app.prune().await.unwrap();
    assert_eq!(app.written().await, before);
    app.clock.set(START);
    app.app.prune().await.unwrap();
    assert_eq!(app.written().await, before);
    app.granted(json!({})).await;
}

/// OPS-05: where the database has a clock of its own, a process whose clock differs is not ready. Where it has none,
/// it is counted that the clock was set.
#[tokio::test]
async fn a_wrong_clock_is_told() {
    let app = TestApp::start().await;
    let has_clock = app.database.url.starts_with("postgres");
    let steps = async || {
        let metrics = private(&app, "/metrics").await.body;
        let line = metrics.lines().find_map(|line| line.strip_prefix("countersign_clock_steps_total "));
        line.unwrap().parse::<u32>().unwrap()
    };
    app.clock.set(SystemClock.now());
    app.app.heartbeat().await.unwrap();
    assert_eq!(private(&app, "/readyz").await.status, 200);
    let before = steps().await;
    for seconds in [-100, 100] {
        app.clock.set(SystemClock.now() + seconds);
        app.app.heartbeat().await.unwrap();
        let ready = private(&app, "/readyz").await;
        assert_eq!(ready.status, if has_clock { 503 } else { 200 }, "{ready:?}");
        if has_clock {
            assert!(ready.body.contains("clock"), "{ready:?}");
            let metrics = private(&app, "/metrics").await.body;
            let sign = if seconds < 0 { "-" } else { "" };
            assert!(metrics.contains(&format!("countersign_clock_difference_seconds {sign}")), "{metrics}");
            assert!(!metrics.contains("countersign_clock_difference_seconds 0\n"), "{metrics}");
        }
    }
    assert_eq!(steps().await, before + 2);
    app.clock.set(SystemClock.now());
    app.app.heartbeat().await.unwrap();
    assert_eq!(private(&app, "/readyz").await.status, 200);
}

/// A lease that was taken by a clock that was ahead does not stop a stream for long.
#[tokio::test]
async fn a_lease_from_the_future_is_not_kept() {
    let app = TestApp::start().await;
    let claim = async |holder: &str, now: i64| {
        let lease = Lease { holder: holder.to_owned(), now, until: now + 20 };
        let claimed = app.app.store.write(move |c| log_streams::claim(c, "file", &lease));
        claimed.await.unwrap_or_else(|error: StoreError| panic!("{error}"))
    };
    assert!(claim("ahead", START + 3600).await);
    assert!(claim("right", START).await);
    assert!(!claim("third", START - 60).await, "a lease by a clock that hardly differs holds");
}
