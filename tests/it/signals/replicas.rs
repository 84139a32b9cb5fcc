//! A signal that one process receives is in force in another one within a second.

use std::time::{Duration, Instant};

use countersign::active_token::Inactive;
use serde_json::json;

use super::{DANA, Signals, by_email};
use crate::active_token::look;
use crate::harness::{Answer, TestApp};
use crate::process::{Process, real_time};

/// The other process receives it; this one says whether the token is active. Nothing personal is in the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_inactive_at_another_process_within_a_second() {
    let app = TestApp::start().await;
    real_time(&app);
    let token = app.granted(json!({})).await.access_token().to_owned();
    let s = Signals { app, token };
    let process = Process::serve(&s.app, "");
    s.app.app.reload().await.unwrap();
    s.is_active();
    let signed = s.signed("global-token-revocation+jwt", &s.okta_claims());
    let url = process.url.replace("/oauth2/token", "/t/acme/global-token-revocation");
    let request = s.app.http.post(url).bearer_auth(signed).json(&by_email());
    let answer = Answer::of(request.send().await.unwrap()).await;
    let ended = Instant::now();
    assert_eq!(answer.status, 204, "{answer:?}");
    loop {
        s.app.app.reload().await.unwrap();
        match look(&s.app, &s.token) {
            Err(why) => break assert_eq!(why, Inactive::Revoked),
            Ok(_) => assert!(ended.elapsed() < Duration::from_secs(1), "still active after a second"),
        }
    }
    assert!(s.app.member(DANA).await.unwrap().sessions_ended_at.is_some());
    process.wait_for_log("global-token-revocation");
    let log = process.log();
    assert!(!log.contains(DANA) && !log.contains("00u1dana"), "{log}");
}
