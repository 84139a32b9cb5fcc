//! A deactivation is in force before its answer where it was asked for, and within a second elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::active_token::{Inactive, active_token};
use countersign::app::App;
use countersign::clock::SystemClock;
use countersign::runtime::{self, Options, Pace};
use reqwest::Method;
use serde_json::{Value, json};

use super::{PATCH_OP, Scim, send};
use crate::active_token::look;
use crate::harness::{RESOURCE, listeners};
use crate::process::{Process, real_time, until};
use crate::subject::futures_all;

fn person(i: usize) -> Value {
    json!({ "sub": format!("00u{i}"), "email": format!("p{i}@acme.com") })
}

fn deactivation() -> Value {
    json!({ "schemas": [PATCH_OP], "Operations": [{ "op": "Replace", "path": "active", "value": "False" }] })
}

/// REV-08: of two processes, one hears of it, and the other one's answer is measured. A busy machine may be late once.
#[tokio::test(flavor = "multi_thread")]
async fn a_deactivation_ends_tokens_in_another_process_within_a_second() {
    let scim = Scim::start().await;
    real_time(&scim.app);
    let asked = Process::serve(&scim.app, "");
    let other = App::start(scim.app.app.config.clone(), Arc::new(SystemClock)).await.unwrap();
    let (addresses, _) = listeners().await;
    let _service = runtime::start(&other, addresses, Options { pace: Pace::Timed, hangups: None }).unwrap();
    let state = |token: &str| {
        let snapshot = other.snapshot();
        active_token(&other, token, snapshot.resource_named(RESOURCE).unwrap()).map(drop)
    };
    let mut fastest = Duration::MAX;
    for i in 0..3 {
        let id = scim.add(&format!("p{i}@acme.com")).await;
        let token = scim.app.granted(person(i)).await.access_token().to_owned();
        until("it is active there", async || state(&token).is_ok()).await;
        let url = asked.url.replace("/oauth2/token", &format!("/t/acme/scim/v2/Users/{id}"));
        let answer = send(&scim.app.http, &scim.token, (Method::PATCH, &url), Some(&deactivation())).await;
        let answered = Instant::now();
        assert_eq!((answer.status, &answer.json["active"]), (200, &json!(false)), "{answer:?}");
        let here = asked.exchange(&scim.app.assertion(person(i))).await.unwrap();
        assert_eq!(here.status, 400, "{here:?}");
        until("it is revoked there", async || state(&token) == Err(Inactive::Revoked)).await;
        fastest = fastest.min(answered.elapsed());
    }
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
}

/// Whichever of a sign-in and a deactivation comes first: no token stays active.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_in_beside_a_deactivation_leaves_no_active_token() {
    let scim = Scim::start().await;
    real_time(&scim.app);
    let process = Process::serve(&scim.app, "");
    for i in 0..8 {
        let id = scim.add(&format!("p{i}@acme.com")).await;
        // Half of them have signed in before, and are remembered.
        if i % 2 == 0 {
            scim.app.granted(person(i)).await;
        }
        let assertions: Vec<String> = (0..4).map(|_| scim.app.assertion(person(i))).collect();
        let here = futures_all(assertions[..2].iter().map(|assertion| scim.app.exchange(assertion)));
        let there = futures_all(assertions[2..].iter().map(|assertion| process.exchange(assertion)));
        let (_, here, there) = tokio::join!(scim.set_active(&id, false), here, there);
        scim.app.app.reload().await.unwrap();
        for answer in here.iter().chain(there.iter().flatten()).filter(|answer| answer.status == 200) {
            assert_eq!(look(&scim.app, answer.access_token()).unwrap_err(), Inactive::Revoked);
        }
        let late = scim.app.exchange(&scim.app.assertion(person(i))).await;
        assert_eq!(late.status, 400, "{late:?}");
        assert_eq!(scim.status(&format!("p{i}@acme.com")).await, "suspended");
    }
}
