//! Bound tokens through the proxies.

use serde_json::{Value, json};

use super::Stage;
use super::proxy::{Proxy, Running};
use crate::dpop::at_mcp_servers::proof_for;
use crate::dpop::{exchange, proof_with};
use crate::harness::{Answer, TestApp};
use crate::idp::Key;

/// A token for what is behind a proxy, bound to the key; the nonce is got first.
async fn bound_token(app: &TestApp, at: &Running, key: &Key) -> String {
    let assertion = app.assertion(json!({ "resource": at.url }));
    let first = exchange(app, &assertion, &[&proof_with(app, key, json!({}), json!({}))]).await;
    let nonce = first.header("dpop-nonce");
    let answer =
        exchange(app, &assertion, &[&proof_with(app, key, json!({}), json!({ "nonce": nonce }))]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.access_token().to_owned()
}

/// DPP-06, DPP-08: each proxy says what the request is, passes the nonce of a refusal on, and where it can that of an
/// answer.
#[tokio::test(flavor = "multi_thread")]
async fn bound_tokens_pass_through_each_proxy_with_a_proof() {
    let app = TestApp::start_with(|config| config.dpop.require_nonce = true).await;
    let stage = Stage::of(app, &Proxy::ALL).await;
    let key = Key::es256("k");
    for at in &stage.proxies {
        let token = bound_token(&stage.app, at, &key).await;
        let sent = format!("DPoP {token}");
        let proof = |nonce: &str, changes: Value| {
            let mut claims = json!({ "htu": at.url, "nonce": nonce });
            claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            proof_for(&stage.app, &key, &token, claims)
        };
        let refused = async |proof: &str, error: &str| -> Answer {
            // What the caller says of its request does not count.
            let headers = [
                ("authorization", sent.as_str()),
                ("dpop", proof),
                ("x-forwarded-method", "GET"),
                ("x-forwarded-uri", "/other"),
            ];
            let answer = stage.refused(at, &headers, 401).await;
            let challenge = answer.header("www-authenticate");
            assert!(challenge.starts_with("DPoP "), "{:?}: {answer:?}", at.proxy);
            assert!(challenge.contains(&format!("error=\"{error}\"")), "{:?}: {challenge}", at.proxy);
            answer
        };
        let nonce = refused(&proof("old", json!({})), "use_dpop_nonce").await.header("dpop-nonce").to_owned();
        assert_eq!(nonce.len(), 43, "{:?}", at.proxy);
        refused(&proof(&nonce, json!({ "htm": "GET" })), "invalid_dpop_proof").await;
        let elsewhere = at.url.replace("/mcp", "/other");
        refused(&proof(&nonce, json!({ "htu": elsewhere })), "invalid_dpop_proof").await;
        stage.refused(at, &[("authorization", &format!("Bearer {token}"))], 401).await;

        let good = proof(&nonce, json!({}));
        let passed = stage.call(at, &[("authorization", &sent), ("dpop", &good)]).await;
        assert_eq!(passed.status, 200, "{:?}: {passed:?}", at.proxy);
        let brings_nonce = matches!(at.proxy, Proxy::Nginx | Proxy::Envoy);
        let expected = if brings_nonce { nonce.as_str() } else { "" };
        assert_eq!(passed.header("dpop-nonce"), expected, "{:?}", at.proxy);
        refused(&good, "invalid_dpop_proof").await;
    }
}
