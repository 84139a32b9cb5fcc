//! Nonces in proofs.

use countersign::clock::Clock as _;
use serde_json::{Value, json};

use super::at_mcp_servers::{METHOD, URI, ask, assert_wants_proof, proof_for};
use super::{exchange, proof, proof_with, refused};
use crate::clocks::Replica;
use crate::harness::{Answer, START, TestApp};
use crate::idp::Key;
use crate::interop::{last_line, package, published_client};
use crate::process::real_time;

const NEEDED: (&str, &str) = ("use_dpop_nonce", "proof_nonce_needed");

async fn start() -> TestApp {
    TestApp::start_with(|config| {
        config.dpop.require_nonce = true;
        config.cors_origins = vec!["https://app.example.com".to_owned()];
    })
    .await
}

fn with_nonce(app: &TestApp, key: &Key, nonce: &Value) -> String {
    proof_with(app, key, json!({}), json!({ "nonce": nonce }))
}

fn nonce_of(answer: &Answer) -> Value {
    let nonce = answer.header("dpop-nonce");
    assert_eq!(nonce.len(), 43, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    json!(nonce)
}

/// DPP-06, JAG-15: the nonce comes with the refusal, and the same assertion and the same `jti` are good with it.
#[tokio::test]
async fn a_refused_request_is_sent_again_with_the_nonce() {
    let (app, key) = (start().await, Key::es256("k"));
    let assertion = app.assertion(json!({}));
    assert_eq!(refused(&app, &assertion, &[&proof(&app, &key)], NEEDED).await, "nonce is missing");
    for other in [json!("x"), json!(7), json!(["x"]), Value::Null] {
        refused(
            &app,
            &assertion,
            &[&proof_with(&app, &key, json!({}), json!({ "nonce": other, "jti": "j" }))],
            NEEDED,
        )
        .await;
    }
    // Whatever else is wrong with a proof is told first: a nonce would not help.
    refused(&app, &assertion, &["x"], ("invalid_dpop_proof", "proof_invalid")).await;
    let nonce = nonce_of(&exchange(&app, &assertion, &[&proof(&app, &key)]).await);
    let good = proof_with(&app, &key, json!({}), json!({ "nonce": nonce, "jti": "j" }));
    let granted = exchange(&app, &assertion, &[&good]).await;
    assert_eq!((granted.status, nonce_of(&granted)), (200, nonce.clone()));
    // A nonce is no proof by itself, and a proof is good once.
    let again = app.assertion(json!({}));
    refused(&app, &again, &[&good], ("invalid_dpop_proof", "proof_replayed")).await;
    assert_eq!(
        exchange(&app, &again, &[&with_nonce(&app, &key, &nonce)]).await.status,
        200,
        "until it is too old"
    );
    // Who proves nothing needs no nonce.
    assert_eq!(app.granted(json!({})).await.header("dpop-nonce"), "");
}

/// DPP-06: a nonce is good for 150 to 300 s, and the next one comes with each answer.
#[tokio::test]
async fn nonces_take_each_others_place() {
    let (app, key) = (start().await, Key::es256("k"));
    let first = nonce_of(&exchange(&app, &app.assertion(json!({})), &[&proof(&app, &key)]).await);
    app.clock.set(START.div_euclid(150) * 150 + 299);
    app.app.reload().await.unwrap();
    let answer = exchange(&app, &app.assertion(json!({})), &[&with_nonce(&app, &key, &first)]).await;
    let second = nonce_of(&answer);
    assert_eq!(answer.status, 200);
    assert_ne!(second, first);
    app.clock.advance(1);
    app.app.reload().await.unwrap();
    let assertion = app.assertion(json!({}));
    let old = with_nonce(&app, &key, &first);
    assert_eq!(refused(&app, &assertion, &[&old], NEEDED).await, "nonce is not a fresh one of ours");
    assert_eq!(exchange(&app, &assertion, &[&with_nonce(&app, &key, &second)]).await.status, 200);
}

/// DPP-06: replicas take each other's nonces, also by a clock that is ahead, and across a change of the signing key.
#[tokio::test]
async fn replicas_share_their_nonces() {
    let (app, key) = (start().await, Key::es256("k"));
    let replica = Replica::start(&app, app.clock.now() + 100).await;
    let nonce = |at: &countersign::app::App| json!(at.dpop_nonces(at.clock.now()).unwrap().current());
    for nonce in [nonce(&replica.app), nonce(&app.app)] {
        assert_eq!(
            exchange(&app, &app.assertion(json!({})), &[&with_nonce(&app, &key, &nonce)]).await.status,
            200
        );
    }
    let before = nonce(&app.app);
    let now = app.clock.now();
    let new = countersign::signing::generate(&app.app.config, now, now).unwrap();
    let add = move |c: &mut _| countersign::store::signing_keys::add(c, &new);
    app.app.store.configure(add).await.unwrap();
    app.app.reload().await.unwrap();
    assert_ne!(nonce(&app.app), before);
    assert_eq!(
        exchange(&app, &app.assertion(json!({})), &[&with_nonce(&app, &key, &before)]).await.status,
        200
    );
    let other = start().await;
    let foreign = with_nonce(&app, &key, &nonce(&other.app));
    refused(&app, &app.assertion(json!({})), &[&foreign], NEEDED).await;
}

/// DPP-06, DPP-08: the same at forward-auth, whose answer proxies pass on.
#[tokio::test]
async fn forward_auth_gives_out_nonces() {
    let (app, key) = (start().await, Key::es256("k"));
    let first = exchange(&app, &app.assertion(json!({})), &[&proof(&app, &key)]).await;
    let nonce = nonce_of(&first);
    let token = exchange(&app, &app.assertion(json!({})), &[&with_nonce(&app, &key, &nonce)]).await;
    let token = token.access_token().to_owned();
    let sent = format!("DPoP {token}");
    let ask = async |changes: Value| {
        let proof = proof_for(&app, &key, &token, changes);
        ask(&app, &[("authorization", &sent), ("dpop", &proof), METHOD, URI]).await
    };
    let refused = ask(json!({ "jti": "j" })).await;
    assert_wants_proof(&refused, "use_dpop_nonce");
    assert_wants_proof(&ask(json!({ "nonce": "old" })).await, "use_dpop_nonce");
    let passed = ask(json!({ "jti": "j", "nonce": nonce_of(&refused) })).await;
    assert_eq!((passed.status, nonce_of(&passed)), (200, nonce_of(&refused)));
    assert_wants_proof(&ask(json!({ "nonce": nonce, "ath": "x" })).await, "invalid_dpop_proof");
}

/// DPP-06: pages can read the nonce.
#[tokio::test]
async fn pages_of_other_origins_can_read_the_nonce() {
    let app = start().await;
    let request = app.http.post(app.token_url()).header("origin", "https://app.example.com");
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert!(answer.header("access-control-expose-headers").contains("dpop-nonce"), "{answer:?}");
}

/// DPP-06: a published library gets the nonce, and its token at the second try.
#[tokio::test(flavor = "multi_thread")]
async fn the_published_library_oauth4webapi_deals_with_nonces() {
    let app = start().await;
    real_time(&app);
    let mut node = published_client("node", package("tests/node").join("dpop-nonce.mjs"));
    node.env("ISSUER", app.issuer())
        .env("CLIENT_ID", crate::harness::CLIENT)
        .env("CLIENT_SECRET", crate::harness::SECRET)
        .env("ID_JAG", app.assertion(json!({})));
    let (ok, result) = last_line(node).await;
    assert!(ok, "{result}");
    assert_eq!(result, json!({ "statuses": [400, 200], "token_type": "dpop", "bound": true }));
}
