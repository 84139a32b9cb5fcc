//! Step 9: an assertion is redeemed once, whatever happens.

use serde_json::json;

use crate::harness::{TestApp, written};
use crate::process::{Process, real_time};
use crate::subject::futures_all;

/// JAG-14, JAG-15
#[tokio::test]
async fn a_second_presentation_is_refused() {
    let app = TestApp::start().await;
    let assertion = app.assertion(json!({}));
    assert_eq!(app.exchange(&assertion).await.status, 200);
    app.refused_assertion(&assertion, "invalid_grant", "replayed").await;
    app.clock.advance(329);
    app.refused_assertion(&assertion, "invalid_grant", "replayed").await;
    app.clock.advance(1);
    app.refused_assertion(&assertion, "invalid_grant", "expired").await;
}

/// JAG-14: one of 64 at once.
#[tokio::test(flavor = "multi_thread")]
async fn of_64_parallel_presentations_one_succeeds() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        let assertion = app.assertion(json!({}));
        let answers = futures_all((0..64).map(|_| app.exchange(&assertion))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            assert_eq!((answer.status, &answer.json["error"]), (400, &json!("invalid_grant")), "{answer:?}");
        }
    }
    let written = app.written().await;
    assert_eq!((written.used_assertions, written.sign_ins, written.members), (3, 192, 1));
}

/// JAG-15: the key is (iss, jti); a refused presentation burns nothing.
#[tokio::test]
async fn refusals_burn_nothing_and_issuers_do_not_share_ids() {
    let idp = crate::idp::FakeIdp::start(crate::idp::Key::rsa("two", 1)).await;
    let origin = idp.issuer.clone();
    let app = TestApp::start_with(|config| config.fetch.private_origins.push(origin.into())).await;
    app.put_teamspace("globex").await;
    app.put_provider("globex", &idp).await;
    app.change_teamspace(|t| t.member_limit = Some(0)).await;
    let same = json!({ "jti": "one-id" });
    app.refused(same.clone(), "access_denied", "member_limit_reached").await;
    app.change_teamspace(|t| t.member_limit = None).await;
    app.granted(same.clone()).await;
    app.refused(same, "invalid_grant", "replayed").await;
    let theirs = app.claims_with(json!({ "jti": "one-id", "iss": idp.issuer }));
    assert_eq!(app.exchange(&idp.key.assertion(&theirs)).await.status, 200);
}

/// Used assertions are forgotten only after they have expired for good.
#[tokio::test]
async fn used_assertions_are_pruned_after_they_expire() {
    let app = TestApp::start().await;
    let assertion = app.assertion(json!({}));
    app.exchange(&assertion).await;
    // Requests that began before may still be waiting, and replicas' clocks differ.
    app.clock.advance(330 + 300);
    app.app.prune().await.unwrap();
    assert_eq!(app.written().await.used_assertions, 1);
    app.clock.advance(2);
    app.app.prune().await.unwrap();
    assert_eq!(app.written().await.used_assertions, 0);
    app.refused_assertion(&assertion, "invalid_grant", "expired").await;
    assert!(app.written().await.sign_ins > 0);
    app.clock.advance(91 * 24 * 3600);
    app.app.prune().await.unwrap();
    assert_eq!(app.written().await.sign_ins, 0);
}

/// JAG-14, OPS-05: SIGKILL in the middle of parallel sign-ins. Whoever got a token is a member, and no
/// assertion that was redeemed is redeemed again after the restart.
#[tokio::test(flavor = "multi_thread")]
async fn sigkill_loses_no_redemption() {
    let app = TestApp::start().await;
    real_time(&app);
    let mut process = Process::serve(&app, "");
    let person = |i: usize| json!({ "sub": format!("00u{i}"), "email": format!("p{i}@acme.com") });
    let assertions: Vec<String> = (0..300).map(|i| app.assertion(person(i))).collect();
    let answers = {
        let (process, assertions) = (&process, &assertions);
        let all = futures_all(assertions.iter().map(|assertion| process.exchange(assertion)));
        let kill = async {
            for _ in 0..5_000 {
                if written(&mut app.database.connect()).used_assertions >= 40 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            // SIGKILL, not a stop: nothing can be flushed.
            std::process::Command::new("kill")
                .args(["-9", &process.child.id().to_string()])
                .status()
                .unwrap();
        };
        tokio::join!(all, kill).0
    };
    process.child.wait().unwrap();
    let granted: Vec<usize> =
        (0..300).filter(|i| answers[*i].as_ref().is_some_and(|a| a.status == 200)).collect();
    assert!(!granted.is_empty(), "nobody was answered before the kill");
    let after = written(&mut app.database.connect());
    assert!(after.used_assertions as usize >= granted.len());
    assert_eq!((after.members, after.identities), (after.used_assertions, after.used_assertions));

    let process = Process::serve(&app, "");
    for i in &granted {
        assert!(app.member(&format!("p{i}@acme.com")).await.is_some(), "who got a token is a member");
        let again = process.exchange(&assertions[*i]).await.unwrap();
        assert_eq!((again.status, &again.json["error"]), (400, &json!("invalid_grant")), "{again:?}");
    }
    let rest = futures_all(assertions.iter().map(|assertion| process.exchange(assertion))).await;
    assert!(rest.iter().flatten().all(|answer| answer.status == 200 || answer.status == 400));
    let end = written(&mut app.database.connect());
    assert_eq!((end.used_assertions, end.members), (300, 300), "each person is in exactly once");
}

/// Disk full: 503 with Retry-After, nothing half-written; the same assertion works when there is room.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_full_disk_is_a_503_and_burns_nothing() {
    let app = TestApp::start().await;
    real_time(&app);
    app.granted(json!({})).await;
    // A limit on the size of files stands in for a full disk; the write then fails instead of killing.
    let wal = std::fs::metadata(app.dir.path().join("test.db-wal")).unwrap().len();
    let blocks = wal.div_ceil(512) + 8;
    let mut process = Process::serve(&app, &format!("trap '' XFSZ; ulimit -f {blocks};"));
    let mut full = None;
    let person = |i: usize| json!({ "sub": format!("00u{i}"), "email": format!("p{i}@acme.com") });
    for i in 0..200 {
        let (assertion, before) = (app.assertion(person(i)), written(&mut app.database.connect()));
        let answer = process.exchange(&assertion).await.unwrap();
        if answer.status != 200 {
            full = Some((i, assertion, before, answer));
            break;
        }
    }
    let (i, assertion, before, answer) = full.expect("the limit was never reached");
    assert_eq!(
        (answer.status, &answer.json["error"]),
        (503, &json!("temporarily_unavailable")),
        "{answer:?}"
    );
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(written(&mut app.database.connect()), before);
    assert!(app.member(&format!("p{i}@acme.com")).await.is_none());
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    let process = Process::serve(&app, "");
    let answer = process.exchange(&assertion).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A database that another process has locked: 503, nothing burnt, recovery without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_locked_database_is_a_503_and_burns_nothing() {
    use diesel::connection::SimpleConnection as _;
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let before = app.written().await;
    let assertion = app.assertion(json!({}));
    let mut other = app.database.connect();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let answer = app.exchange(&assertion).await;
    assert_eq!(
        (answer.status, &answer.json["error"]),
        (503, &json!("temporarily_unavailable")),
        "{answer:?}"
    );
    assert!(!answer.header("retry-after").is_empty());
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(app.written().await, before);
    assert_eq!(app.exchange(&assertion).await.status, 200);
}
