//! Bound tokens where they are used.

use serde_json::{Value, json};

use super::{bound_token, proof_with, thumbprint};
use crate::harness::{Answer, RESOURCE, START, TestApp};
use crate::idp::{Key, b64};
use crate::introspection::{SERVER, introspect, put_credentials};

/// INT-03, DPP-04: introspection says to which key a token is bound, and so that it is no bearer token.
#[tokio::test]
async fn introspection_says_which_key_a_token_is_bound_to() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    put_credentials(&app, RESOURCE, SERVER).await;
    let described = introspect(&app, &bound_token(&app, &key).await).await.json;
    assert_eq!(described["active"], true);
    assert_eq!(described["token_type"], "DPoP");
    assert_eq!(described["cnf"], json!({ "jkt": thumbprint(&key) }));
    let plain = introspect(&app, app.granted(json!({})).await.access_token()).await.json;
    assert_eq!((&plain["token_type"], plain.get("cnf")), (&json!("Bearer"), None));
}

/// A request at the MCP server, as proxies ask about it.
pub async fn ask(app: &TestApp, headers: &[(&str, &str)]) -> Answer {
    let id = app.app.snapshot().resource_named(RESOURCE).unwrap().id.clone();
    let request = app.http.get(format!("{}/forward-auth/{id}", app.issuer()));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    Answer::of(request.send().await.unwrap()).await
}

pub const METHOD: (&str, &str) = ("x-forwarded-method", "POST");
pub const URI: (&str, &str) = ("x-forwarded-uri", "/mcp?session=1");

/// A proof for a call of the MCP server with a token, with changes.
pub fn proof_for(app: &TestApp, key: &Key, token: &str, changes: Value) -> String {
    let ath = b64(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes()));
    let mut claims = json!({ "htu": RESOURCE, "ath": ath });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    proof_with(app, key, json!({}), claims)
}

#[track_caller]
pub fn assert_wants_proof(answer: &Answer, error: &str) {
    assert_eq!(answer.status, 401, "{answer:?}");
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.starts_with("DPoP ") && challenge.contains(&format!("error=\"{error}\"")),
        "{challenge}"
    );
    assert!(challenge.contains("algs=\"RS256 PS256 ES256 "), "{challenge}");
    assert_eq!(answer.header("x-auth-subject"), "");
}

/// DPP-08: a bound token alone is not enough, and a bearer token is no bound one.
#[tokio::test]
async fn a_token_is_sent_as_what_it_is() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    let (bound, plain) =
        (bound_token(&app, &key).await, app.granted(json!({})).await.access_token().to_owned());
    let proof = proof_for(&app, &key, &bound, json!({}));
    let as_bearer = format!("Bearer {bound}");
    let answer = ask(&app, &[("authorization", &as_bearer), ("dpop", &proof), METHOD, URI]).await;
    assert_wants_proof(&answer, "invalid_token");
    assert_wants_proof(&ask(&app, &[("authorization", &as_bearer)]).await, "invalid_token");
    let proof = proof_for(&app, &key, &plain, json!({}));
    let answer =
        ask(&app, &[("authorization", &format!("DPoP {plain}")), ("dpop", &proof), METHOD, URI]).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(ask(&app, &[("authorization", &format!("Bearer {plain}"))]).await.status, 200);
}

/// DPP-08: the proof is about this request and this token, and good once.
#[tokio::test]
async fn a_bound_token_passes_with_a_proof() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    let token = bound_token(&app, &key).await;
    let sent = format!("DPoP {token}");
    let proof = proof_for(&app, &key, &token, json!({}));
    let headers = [("authorization", sent.as_str()), ("dpop", &proof), METHOD, URI];
    let passed = ask(&app, &headers).await;
    assert_eq!(passed.status, 200, "{passed:?}");
    assert!(!passed.header("x-auth-subject").is_empty());
    assert_wants_proof(&ask(&app, &headers).await, "invalid_dpop_proof");
    // Remembered for as long as the clock lets it pass.
    let ahead = proof_for(&app, &key, &token, json!({ "iat": START + 300 }));
    let headers = [("authorization", sent.as_str()), ("dpop", &ahead), METHOD, URI];
    assert_eq!(ask(&app, &headers).await.status, 200);
    app.clock.advance(600);
    app.app.reload().await.unwrap();
    let now = proof_for(&app, &key, &token, json!({}));
    assert_eq!(ask(&app, &[("authorization", &sent), ("dpop", &now), METHOD, URI]).await.status, 200);
    assert_wants_proof(&ask(&app, &headers).await, "invalid_dpop_proof");
}

/// DPP-08: every other proof, and every question that does not say what the request is.
#[tokio::test]
async fn other_proofs_are_refused_at_forward_auth() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    let token = bound_token(&app, &key).await;
    let sent = format!("DPoP {token}");
    let authorization = ("authorization", sent.as_str());
    for changes in [
        json!({ "htm": "GET" }),
        json!({ "htu": "https://evil.example.com/mcp" }),
        json!({ "htu": format!("{RESOURCE}/other") }),
        json!({ "htu": RESOURCE.replacen("https:", "http:", 1) }),
        json!({ "ath": null }),
        json!({ "ath": b64("another") }),
        json!({ "iat": START - 301 }),
        json!({ "iat": START + 301 }),
        json!({ "jti": null }),
    ] {
        let changes: serde_json::Map<String, Value> = changes.as_object().unwrap().clone();
        let proof = proof_for(&app, &key, &token, Value::Object(changes));
        let answer = ask(&app, &[authorization, ("dpop", &proof), METHOD, URI]).await;
        assert_wants_proof(&answer, "invalid_dpop_proof");
    }
    let other = proof_for(&app, &Key::es256("o"), &token, json!({}));
    let good = proof_for(&app, &key, &token, json!({}));
    let proof = ("dpop", good.as_str());
    for headers in [
        &[authorization, METHOD, URI][..],
        &[authorization, ("dpop", &other), METHOD, URI],
        &[authorization, ("dpop", "nonsense"), METHOD, URI],
        &[authorization, proof, proof, METHOD, URI],
        &[authorization, proof, URI],
        &[authorization, proof, METHOD],
        &[authorization, proof, METHOD, METHOD, URI],
        &[authorization, proof, METHOD, URI, URI],
        &[authorization, proof, METHOD, ("x-forwarded-uri", "mcp")],
        &[
            authorization,
            proof,
            METHOD,
            ("x-forwarded-uri", "/else"),
            ("x-forwarded-host", "mcp.example.com"),
        ],
    ] {
        assert_wants_proof(&ask(&app, headers).await, "invalid_dpop_proof");
    }
    // None of them has used it up.
    assert_eq!(ask(&app, &[authorization, proof, METHOD, URI]).await.status, 200);
}
