//! Real processes: they share the stored keys, and one that is killed leaves a whole record.

use std::time::Duration;

use countersign::idp::key_set::KeySet;
use countersign::store::trust_changes;
use serde_json::json;

use super::{break_down, stored};
use crate::harness::TestApp;
use crate::idp::Key;
use crate::process::{Process, real_time};

/// ADM-07: a process that starts while the issuer is down verifies with what another one has fetched.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_takes_the_keys_of_another() {
    let app = TestApp::start().await;
    real_time(&app);
    let first = Process::serve(&app, "");
    assert_eq!(first.exchange(&app.assertion(json!({}))).await.unwrap().status, 200);
    break_down(&app.idp);
    let second = Process::serve(&app, "");
    let answer = second.exchange(&app.assertion(json!({}))).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    second.wait_for_log("using an issuer's stored keys");
}

/// ADM-07, OPS-05: SIGKILL while keys are written. The keys and their history are always of one fetch.
#[tokio::test(flavor = "multi_thread")]
async fn sigkill_leaves_keys_and_history_together() {
    let app = TestApp::start().await;
    real_time(&app);
    let mut last_known = None;
    for round in 0..8 {
        let key = Key::es256(&format!("key-{round}"));
        app.idp.publish(&[&key]);
        let mut process = Process::serve(&app, "");
        let assertion = key.assertion(&app.claims());
        let kill = async {
            tokio::time::sleep(Duration::from_millis(4 * round)).await;
            process.signal("KILL");
        };
        let (answer, ()) = tokio::join!(process.exchange(&assertion), kill);
        process.child.wait().unwrap();
        let found = stored(&app).await;
        let history = app.app.store.read(|c| trust_changes::last_keys(c, "id-of-acme")).await.unwrap();
        let kept = found.map(|found| KeySet::of_stored(&found.keys).unwrap().trusted());
        assert_eq!(kept, history, "round {round}");
        if answer.is_some_and(|answer| answer.status == 200) {
            let kids: Vec<_> = kept.iter().flatten().filter_map(|key| key.kid.clone()).collect();
            assert_eq!(kids, std::slice::from_ref(&key.kid), "a key that was used is in the database");
            last_known = Some(key);
        }
    }
    // Undisturbed, the last one is there in any case.
    let process = Process::serve(&app, "");
    let key = match last_known {
        Some(key) => key,
        None => Key::es256("key-at-last"),
    };
    app.idp.publish(&[&key]);
    assert_eq!(process.exchange(&key.assertion(&app.claims())).await.unwrap().status, 200);
    process.stop();
    break_down(&app.idp);
    let process = Process::serve(&app, "");
    assert_eq!(process.exchange(&key.assertion(&app.claims())).await.unwrap().status, 200);
}
