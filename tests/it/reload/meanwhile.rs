//! Requests while the policies change.

use std::time::Duration;

use countersign::policy::reload::ReloadTrigger;
use serde_json::json;

use super::{CLOSED, Rules, hash, lock, settle};
use crate::subject::futures_all;

/// The set with which a request begins decides it, also when another one is in force before it is written.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_request_ends_under_the_set_that_it_began_with() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let open = hash(&app);
    // Once, so that the database has both sets and a change needs no write.
    rules.put("closed.cedar", CLOSED);
    settle(&app).await;
    let closed = hash(&app);
    rules.remove("closed.cedar");
    settle(&app).await;
    app.granted(json!({})).await;
    let held = lock(&app);
    let assertion = app.assertion(json!({}));
    let (answer, ()) = tokio::join!(app.exchange(&assertion), async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        rules.put("closed.cedar", CLOSED);
        settle(&app).await;
        assert_eq!(hash(&app), closed);
        drop(held);
    });
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(app.last_sign_in().await.policy_set, open);
    app.refused(json!({}), "access_denied", "closed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_meanwhile_get_what_one_of_the_sets_says() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let open = hash(&app);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let exchanges = async {
        let mut statuses = Vec::new();
        while !stop.load(std::sync::atomic::Ordering::SeqCst) {
            let assertions: Vec<String> = (0..8).map(|_| app.assertion(json!({}))).collect();
            statuses.extend(futures_all(assertions.iter().map(|assertion| app.exchange(assertion))).await);
        }
        statuses
    };
    let reloads = async {
        for i in 0..20 {
            match i % 2 {
                0 => rules.put("closed.cedar", CLOSED),
                _ => rules.remove("closed.cedar"),
            }
            app.app.follow_policies(ReloadTrigger::Now).await;
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let (answers, ()) = tokio::join!(exchanges, reloads);
    for answer in &answers {
        let refused = (answer.status, &answer.json["error"]) == (400, &json!("access_denied"));
        assert!(answer.status == 200 || refused, "{answer:?}");
    }
    let rows = app.sign_ins().await;
    assert_eq!(rows.len(), answers.len().min(1000));
    for row in &rows {
        let expected = if row.policy_set == open { ("granted", "") } else { ("refused", "closed") };
        assert_eq!((row.outcome.as_str(), row.reason.as_str()), expected);
    }
    let both =
        rows.iter().any(|row| row.outcome == "granted") && rows.iter().any(|row| row.outcome == "refused");
    assert!(both, "nothing was tested");
}
