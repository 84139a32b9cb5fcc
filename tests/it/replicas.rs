//! Several real processes on one database behave as one server.

use std::time::{Duration, Instant};

use countersign::model::member::Status;
use countersign::store::changes::Changed;
use countersign::store::signing_keys;
use serde_json::{Value, json};

use crate::harness::{Answer, CLIENT, SECRET, TestApp, http};
use crate::process::{Process, real_time};
use crate::subject::futures_all;

async fn start() -> (TestApp, [Process; 2]) {
    let app = TestApp::start().await;
    real_time(&app);
    let replicas = [Process::serve(&app, ""), Process::serve(&app, "")];
    (app, replicas)
}

fn person(i: usize) -> Value {
    json!({ "sub": format!("00u{i}"), "email": format!("p{i}@acme.com") })
}

fn granted(answers: &[Option<Answer>]) -> usize {
    answers.iter().flatten().filter(|answer| answer.status == 200).count()
}

/// JAG-14: one of 64 presentations to two processes gets a token, and the others are refused.
#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_redeemed_once_over_all_replicas() {
    let (app, replicas) = start().await;
    for round in 0..4 {
        // The first round makes the member, the others meet a known one.
        let assertion = app.assertion(person(round / 2));
        let before = app.written().await;
        let answers = futures_all((0..64).map(|i| replicas[i % 2].exchange(&assertion))).await;
        assert_eq!(granted(&answers), 1, "{answers:?}");
        let refused =
            answers.iter().flatten().filter(|a| a.status == 400 && a.json["error"] == "invalid_grant");
        assert_eq!(refused.count(), 63);
        let after = app.written().await;
        assert_eq!(after.used_assertions, before.used_assertions + 1);
        assert_eq!(after.sign_ins, before.sign_ins + 64);
    }
    assert_eq!(app.written().await.members, 2);
}

/// A member limit holds over replicas: of more people than seats as many come in as fit.
#[tokio::test(flavor = "multi_thread")]
async fn seats_are_given_once_over_all_replicas() {
    let (app, replicas) = start().await;
    app.change_teamspace(|teamspace| teamspace.member_limit = Some(7)).await;
    let assertions: Vec<String> = (0..40).map(|i| app.assertion(person(i))).collect();
    let answers = futures_all(assertions.iter().enumerate().map(|(i, a)| replicas[i % 2].exchange(a))).await;
    assert_eq!(granted(&answers), 7, "{answers:?}");
    let denied = answers.iter().flatten().filter(|a| a.json["error"] == "access_denied").count();
    assert_eq!(denied, 33, "{answers:?}");
    let written = app.written().await;
    assert_eq!((written.members, written.identities, written.used_assertions), (7, 7, 7));
}

/// Waits until every replica answers so, at most a second.
async fn within_a_second(app: &TestApp, replicas: &[Process], claims: Value, so: impl Fn(&Answer) -> bool) {
    let started = Instant::now();
    for replica in replicas {
        loop {
            let answer = replica.exchange(&app.assertion(claims.clone())).await.unwrap();
            if so(&answer) {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(1), "{answer:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A change in one process takes effect in the others within a second.
#[tokio::test(flavor = "multi_thread")]
async fn changes_take_effect_everywhere() {
    let (app, replicas) = start().await;
    let fine = |answer: &Answer| answer.status == 200;
    for replica in &replicas {
        assert!(fine(&replica.exchange(&app.assertion(person(0))).await.unwrap()));
        // The second time from memory.
        assert!(fine(&replica.exchange(&app.assertion(person(0))).await.unwrap()));
    }
    app.change_member("p0@acme.com", |member| member.status = Status::Suspended).await;
    within_a_second(&app, &replicas, person(0), |answer| answer.json["error"] == "access_denied").await;
    app.change_member("p0@acme.com", |member| member.status = Status::Active).await;
    within_a_second(&app, &replicas, person(0), fine).await;

    app.change_provider(|provider| provider.enabled = false).await;
    within_a_second(&app, &replicas, person(0), |answer| answer.json["error"] == "invalid_grant").await;
    app.change_provider(|provider| {
        provider.enabled = true;
        provider.scope = "docs.write".to_owned();
    })
    .await;
    let both = json!({ "sub": "00u0", "email": "p0@acme.com", "scope": "docs.read docs.write" });
    within_a_second(&app, &replicas, both, |answer| answer.json["scope"] == "docs.write").await;

    app.change_client(|client| client.enabled = false).await;
    within_a_second(&app, &replicas, person(0), |answer| answer.json["error"] == "invalid_client").await;
    app.change_client(|client| client.enabled = true).await;
    within_a_second(&app, &replicas, person(0), fine).await;
}

/// AT-02: a rotated signing key is published by every replica.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_is_published_everywhere() {
    use countersign::clock::Clock as _;
    let (app, replicas) = start().await;
    let key =
        countersign::signing::generate(&app.app.config, app.clock.now(), app.clock.now() + 600).unwrap();
    let kid = key.kid.clone();
    app.configure(Changed::SigningKeys, move |c| signing_keys::add(c, &key)).await;
    let started = Instant::now();
    for replica in &replicas {
        while !replica.get("/oauth2/jwks").await.body.contains(&kid) {
            assert!(started.elapsed() < Duration::from_secs(1), "the key did not come");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Replicas that decide by different policies are told about each other.
#[tokio::test(flavor = "multi_thread")]
async fn different_policies_are_reported() {
    let app = TestApp::start().await;
    real_time(&app);
    let other = app.dir.path().join("policies");
    std::fs::create_dir(&other).unwrap();
    for name in ["issuer", "members"] {
        std::fs::copy(format!("policies/{name}.cedar"), other.join(format!("{name}.cedar"))).unwrap();
    }
    let one = Process::serve(&app, "");
    let two = Process::serve(&app, &format!("COUNTERSIGN_POLICY_DIR='{}'", other.display()));
    let started = Instant::now();
    for process in [&one, &two] {
        loop {
            let metrics = process.management("/metrics").await.body;
            if metrics.contains("countersign_replicas_with_other_policies 1")
                && metrics.contains("countersign_replicas 2")
            {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "{metrics}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    one.wait_for_log("another replica decides by other policies");
    drop(two);
    let alone = Process::serve(&app, "");
    alone.stop();
    // Whoever says goodbye is forgotten at once; the other one was killed, and is after some time.
    let started = Instant::now();
    while !one.management("/metrics").await.body.contains("countersign_replicas_with_other_policies 0") {
        assert!(started.elapsed() < Duration::from_secs(40), "a process that is gone is still counted");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A proxy that tries the other replica when one does not answer, or not for now: it stands in front of a rolling
/// restart. On a busy machine a replica may have started and not have the issuer's keys yet.
async fn through_proxy(replicas: &[String], first: usize, assertion: &str) -> Answer {
    let form = [("grant_type", countersign::oauth::request::JWT_BEARER), ("assertion", assertion)];
    for attempt in 0..400 {
        let url = &replicas[(first + attempt) % replicas.len()];
        let sent = http().post(url).basic_auth(CLIENT, Some(SECRET)).form(&form).send().await;
        match sent {
            // Nothing was taken: no connection, or one that was closed before it was used.
            Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
            Ok(response) if response.status() == 503 => tokio::time::sleep(Duration::from_millis(25)).await,
            Ok(response) => return Answer::of(response).await,
        }
    }
    panic!("no replica answered");
}

/// OPS-05: replicas that are restarted one after the other under load lose no request and no sign-in.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_nothing() {
    let (app, replicas) = start().await;
    let urls: Vec<String> = replicas.iter().map(|replica| replica.url.clone()).collect();
    let assertions: Vec<String> = (0..400).map(|i| app.assertion(person(i))).collect();
    let load = futures_all(assertions.iter().enumerate().map(|(i, assertion)| {
        let urls = &urls;
        async move {
            // Over some four seconds.
            tokio::time::sleep(Duration::from_millis(10 * i as u64)).await;
            through_proxy(urls, i, assertion).await
        }
    }));
    let restart = async {
        let mut running = Vec::new();
        for replica in replicas {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let restarted = tokio::task::block_in_place(|| replica.restart(&app));
            running.push(restarted);
        }
        running
    };
    let (answers, _running) = tokio::join!(load, restart);
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let written = app.written().await;
    assert_eq!((written.used_assertions, written.members), (400, 400));
}
