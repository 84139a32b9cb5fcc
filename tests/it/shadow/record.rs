//! The record: what is kept, and what is counted only.

use countersign::policy::authoring::example::maximal;
use countersign::policy::{Policies, decide};
use countersign::shadow::{ActualDecision, QUEUE};
use countersign::store::shadow::{self, MAX_DIFFERENCES, Run, ShadowDifference};
use countersign::store::sign_ins::NewSignIn;
use serde_json::json;

use super::{counts, differences, start};
use crate::harness::{START, TestApp};
use crate::reload::{CLOSED, Rules, lock, operator};

fn compare(app: &TestApp, policies: &Policies, times: usize) {
    let facts = maximal();
    let decision = decide(&policies.compiled, &facts);
    let decided = ActualDecision { policies, facts: &facts, decision: &decision };
    let sign_in = NewSignIn { at: START, ..NewSignIn::default() };
    (0..times).for_each(|_| app.app.shadow.as_ref().unwrap().compare(&decided, &sign_in));
}

/// Nobody waits for the record: what does not fit is counted.
#[tokio::test]
async fn differences_beyond_the_queue_are_counted_only() {
    let app = start(&Rules::shipped(), &Rules::shipped_and(CLOSED)).await;
    let policies = app.app.policies();
    let more = QUEUE + 5;
    compare(&app, &policies, more);
    assert_eq!(counts(&app), (more as u64, more as u64, 5));
    assert_eq!(differences(&app).await.len(), QUEUE);
    compare(&app, &policies, 1);
    assert_eq!(differences(&app).await.len(), QUEUE + 1, "there is room again");
    let report = operator(&app, "/policies/shadow").await.json;
    let told = [&report["evaluated"], &report["different"], &report["dropped"], &report["recorded"]];
    assert_eq!(told, [&json!(more + 1), &json!(more + 1), &json!(5), &json!(QUEUE + 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_what_cannot_be_written_is_written_later() {
    let app = start(&Rules::shipped(), &Rules::shipped_and(CLOSED)).await;
    let policies = app.app.policies();
    compare(&app, &policies, 3);
    let held = lock(&app);
    app.app.shadow.as_ref().unwrap().flush(&app.app.store).await.unwrap_err();
    compare(&app, &policies, QUEUE - 1);
    drop(held);
    assert_eq!(differences(&app).await.len(), QUEUE);
    let run = app.app.store.read(shadow::runs).await.unwrap().remove(0);
    assert_eq!((run.evaluated, run.different, run.dropped), (QUEUE as i64 + 2, QUEUE as i64 + 2, 2));
}

fn row(at: i64) -> ShadowDifference {
    ShadowDifference {
        at,
        request_id: at.to_string(),
        teamspace_id: None,
        policy_set: "p".into(),
        shadow_set: "s".into(),
        actual: "{}".into(),
        shadow: "{}".into(),
        policies: "{}".into(),
        facts: "{}".into(),
    }
}

#[tokio::test]
async fn old_differences_go() {
    let app = TestApp::start().await;
    let run = Run {
        shadow_set: "s".into(),
        policy_set: "p".into(),
        since: START,
        until: START,
        evaluated: 1,
        different: 1,
        dropped: 0,
    };
    let ids = async || {
        let rows = app.app.store.read(|c| shadow::differences(c, "s", None)).await.unwrap();
        rows.iter().map(|row| row.at - START).collect::<Vec<_>>()
    };
    let rows: Vec<_> = (0..MAX_DIFFERENCES + 5).map(|i| row(START + i)).collect();
    // As many at once as the service itself writes: a transaction may not take long.
    for rows in rows.chunks(128).map(<[_]>::to_vec) {
        let run = run.clone();
        app.app.store.write(move |c| shadow::record(c, &rows, &[run])).await.unwrap();
    }
    let kept = ids().await;
    assert_eq!((kept.len() as i64, kept[0]), (MAX_DIFFERENCES, MAX_DIFFERENCES + 4));
    app.clock.advance(90 * 24 * 3600 + MAX_DIFFERENCES);
    app.app.prune().await.unwrap();
    assert_eq!(ids().await, [4, 3, 2, 1, 0].map(|i| MAX_DIFFERENCES + i));
    assert!(app.app.store.read(shadow::runs).await.unwrap().is_empty());
}
