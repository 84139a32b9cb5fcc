//! A database that is not what it was: restored, behind after a failover, deleted.

use std::time::{Duration, Instant};

use countersign::store::changes::{self, Changed};
use diesel::connection::SimpleConnection as _;
use serde_json::json;

use crate::commands::{countersign, text};
use crate::db::Moved;
use crate::harness::{START, TestApp};
use crate::process::{Process, real_time};

const OFF: &str = "UPDATE clients SET enabled = FALSE";

/// JAG-31: another change got the number of one that was lost: it is taken over all the same, also by a sign-in
/// that comes before anybody has looked.
#[tokio::test]
async fn a_generation_of_the_same_number_is_another_one() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let mut database = app.database.connect();
    database.batch_execute(&format!("{OFF}; UPDATE generation SET tag = tag / 2 + 1")).unwrap();
    let answer = app.exchange(&app.assertion(json!({}))).await;
    assert_eq!((answer.status, answer.json["error"].as_str()), (401, Some("invalid_client")), "{answer:?}");
}

/// JAG-31: the same when there were further changes since: those that are known do not hide the one that is not.
#[tokio::test]
async fn what_follows_another_generation_is_not_taken_for_all() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let known = app.app.snapshot().generation.number;
    let mut database = app.database.connect();
    let lost = format!(
        "DELETE FROM changes WHERE generation = {known};
         UPDATE generation SET value = value - 1, tag = tag / 2 + 1; {OFF}"
    );
    database.batch_execute(&lost).unwrap();
    for _ in 0..2 {
        changes::note(&mut database, &Changed::Members("another".to_owned()), START).unwrap();
    }
    assert_eq!(changes::current(&mut database).unwrap().number, known + 1);
    app.app.reload().await.unwrap();
    assert!(!app.app.snapshot().client(crate::harness::CLIENT).unwrap().enabled);
    let answer = app.exchange(&app.assertion(json!({}))).await;
    assert_eq!((answer.status, answer.json["error"].as_str()), (401, Some("invalid_client")), "{answer:?}");
}

/// Values from before the lost writes are written again: policy sets, and the shared parts of sign-ins.
#[tokio::test]
async fn what_a_failover_has_lost_is_written_again() {
    let app = TestApp::start().await;
    app.app.heartbeat().await.unwrap();
    app.app.heartbeat().await.unwrap();
    for _ in 0..5 {
        app.granted(json!({})).await;
    }
    let shared = "DELETE FROM sign_in_grounds; DELETE FROM policy_sets";
    let mut database = app.database.connect();
    database.batch_execute(&format!("{shared}; UPDATE replicas SET seen_at = seen_at - 10")).unwrap();
    app.app.heartbeat().await.unwrap();
    app.app.keep_sets().await;
    assert!(!app.last_sign_in().await.policy_set.is_empty());
    let hash = app.app.policies().hash.clone();
    let sets = app.app.store.read(move |c| countersign::store::policy_sets::find(c, &hash)).await.unwrap();
    assert!(sets.is_some(), "the set in force is there again");
    app.granted(json!({})).await;
    assert_ne!(app.last_sign_in().await.decisions, "", "the decision is there again");
}

/// JAG-14: what pg_dump or a copy of the files brings back is marked by a command.
#[tokio::test(flavor = "multi_thread")]
async fn a_marked_database_refuses_what_was_issued_before_its_start() {
    let app = TestApp::start().await;
    let used = app.assertion(json!({}));
    assert_eq!(app.exchange(&used).await.status, 200);
    app.database.connect().batch_execute("DELETE FROM used_assertions").unwrap();
    let url = [("COUNTERSIGN_DATABASE_URL", app.database.url.as_str())];
    let out = countersign(app.dir.path(), &["db", "mark-restored"], &url);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    // Whoever serves it already does not know what it missed.
    let answer = app.exchange(&app.assertion(json!({}))).await;
    assert_eq!((answer.status, &answer.json["error"]), (400, &json!("invalid_grant")), "{answer:?}");
    assert!(app.last_sign_in().await.detail.contains("restart the service"));
    let moved = Moved::start(&app, &app.database.url).await;
    let replay = moved.exchange(&app, &used).await;
    assert_eq!((replay.status, &replay.json["error"]), (400, &json!("invalid_grant")), "{replay:?}");
    assert_eq!(moved.last_sign_in().await.reason, "expired");
    app.clock.advance(31);
    let answer = moved.exchange(&app, &app.assertion(json!({}))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A file that is deleted takes no writes along; put back, it is written to again.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_deleted_file_is_noticed() {
    let app = TestApp::start().await;
    real_time(&app);
    let process = Process::serve(&app, "");
    assert_eq!(process.exchange(&app.assertion(json!({}))).await.unwrap().status, 200);
    let path = app.database.url.strip_prefix("sqlite://").unwrap();
    let away = format!("{path}.away");
    std::fs::rename(path, &away).unwrap();
    let assertion = app.assertion(json!({}));
    assert_eq!(process.exchange(&assertion).await.unwrap().status, 503);
    let started = Instant::now();
    let ready = async |status| loop {
        let ready = process.management("/readyz").await;
        if ready.status == status {
            return ready;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{ready:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(ready(503).await.body.contains("deleted or replaced"));
    assert!(!std::path::Path::new(path).exists(), "no new one is made");
    process.wait_for_log("was deleted or replaced");
    // Another file in its place is not the one that is open.
    std::fs::copy(&away, path).unwrap();
    assert_eq!(process.exchange(&assertion).await.unwrap().status, 503);
    std::fs::rename(&away, path).unwrap();
    ready(200).await;
    assert_eq!(process.exchange(&assertion).await.unwrap().status, 200);
}

/// A start without a database makes one, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_new_database_is_told() {
    let app = TestApp::start().await;
    let path = app.dir.path().join("another.db");
    let process = Process::serve(&app, &format!("COUNTERSIGN_DATABASE_URL='sqlite://{}'", path.display()));
    process.wait_for_log("there is no database here");
    process.wait_for_log("another.db");
    let again = process.restart(&app);
    assert!(!again.log().contains("there is no database here"), "{}", again.log());
}
