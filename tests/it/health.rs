//! `/readyz` tells what makes sign-ins fail, by name, and is not shaken by one slow answer.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::process::{Process, real_time};
use crate::reload::private;

/// Keeps everybody else from writing what a probe writes.
const LOCK: [&str; 2] = ["BEGIN IMMEDIATE", "BEGIN; LOCK TABLE replicas IN ACCESS EXCLUSIVE MODE"];

/// A lock that another process holds: one probe in vain changes nothing, a second one does, the first good one ends it.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_told_by_name() {
    let app = TestApp::start_with(|config| {
        config.database.timeout = countersign::config::Duration::from_secs(1);
    })
    .await;
    real_time(&app);
    app.app.probe().await;
    let ready = private(&app, "/readyz").await;
    assert_eq!((ready.status, &ready.json["status"]), (200, &json!("ready")));
    assert_eq!(ready.json["failing"], json!([]));
    let mut other = app.database.connect();
    other.batch_execute(LOCK[usize::from(!app.database.url.starts_with("sqlite"))]).unwrap();
    app.app.probe().await;
    assert_eq!(private(&app, "/readyz").await.status, 200, "it may have been a moment");
    app.app.probe().await;
    let ready = private(&app, "/readyz").await;
    assert_eq!((ready.status, &ready.json["failing"]), (503, &json!(["database_write"])), "{ready:?}");
    assert_eq!(ready.json["checks"]["database_read"], "ok");
    assert_ne!(ready.json["checks"]["database_write"], "ok");
    other.batch_execute("ROLLBACK").unwrap();
    app.app.probe().await;
    assert_eq!(private(&app, "/readyz").await.status, 200);
}

/// A probe after a sign-in that failed tries what the sign-in does, and one is enough to tell.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_fails_is_noticed_by_the_next_probe() {
    let app = TestApp::start().await;
    real_time(&app);
    app.granted(json!({})).await;
    let failures = app.app.store.failures();
    let sqlite = app.database.url.starts_with("sqlite");
    let poison = match sqlite {
        true => "CREATE TRIGGER poison BEFORE INSERT ON sign_ins BEGIN SELECT RAISE(ABORT, 'poison'); END",
        false => {
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'poison'; END $$; \
             CREATE TRIGGER poison BEFORE INSERT ON sign_ins EXECUTE FUNCTION poison()"
        }
    };
    app.database.connect().batch_execute(poison).unwrap();
    app.app.probe().await;
    assert_eq!(private(&app, "/readyz").await.status, 200, "nobody has signed in");
    assert_eq!(app.exchange(&app.assertion(json!({}))).await.status, 503);
    assert!(failures.is_failing());
    app.app.probe().await;
    let ready = private(&app, "/readyz").await;
    assert_eq!((ready.status, &ready.json["failing"]), (503, &json!(["database_write"])), "{ready:?}");
    let before = app.written().await;
    let mend = if sqlite { "DROP TRIGGER poison" } else { "DROP TRIGGER poison ON sign_ins" };
    app.database.connect().batch_execute(mend).unwrap();
    app.app.probe().await;
    assert_eq!(private(&app, "/readyz").await.status, 200);
    assert!(!failures.is_failing());
    assert_eq!(app.written().await, before, "the row that was tried is taken back");
}

/// Waits until `/readyz` answers so.
async fn until(process: &Process, status: u16) -> Value {
    let started = Instant::now();
    loop {
        let answer = process.management("/readyz").await;
        if answer.status == status {
            return answer.json;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{answer:?}\n{}", process.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A limit on the size of files stands in for a full disk: nobody signs in, and still it is noticed.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_full_disk_is_noticed() {
    let app = TestApp::start().await;
    real_time(&app);
    let process = Process::serve(&app, "trap '' XFSZ;");
    until(&process, 200).await;
    let limit = |size: &str| {
        let id = process.child.id().to_string();
        let status =
            std::process::Command::new("prlimit").args(["--pid", &id, &format!("--fsize={size}")]).status();
        assert!(status.unwrap().success());
    };
    limit("1024:unlimited");
    let told = until(&process, 503).await;
    assert_eq!(told["failing"], json!(["database_write"]));
    limit("unlimited:unlimited");
    until(&process, 200).await;
    process.stop();
}
