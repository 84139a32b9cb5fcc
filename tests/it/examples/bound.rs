//! Tokens that are bound to a key, at the example in Rust, which verifies proofs itself.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::Example;
use super::refusals::Stage;
use crate::dpop::{bare, signed_proof, thumbprint};
use crate::harness::Answer;
use crate::idp::{Key, b64};

const BODY: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","arguments":{}}}"#;

fn content_digest(body: &str) -> String {
    format!("sha-256=:{}:", STANDARD.encode(digest(&SHA256, body.as_bytes())))
}

/// Calls the tool with this `Authorization` and these proofs.
async fn call(stage: &Stage, authorization: &str, proofs: &[&str]) -> Answer {
    let request = stage.server.http.post(&stage.server.url).body(BODY).header("authorization", authorization);
    let request = request.header("content-type", "application/json");
    let request = request.header("accept", "application/json, text/event-stream");
    let request = request.header("mcp-protocol-version", "2025-11-25");
    let request = proofs.iter().fold(request, |request, proof| request.header("dpop", *proof));
    Answer::of(request.send().await.unwrap()).await
}

#[track_caller]
fn assert_wants_proof(stage: &Stage, answer: &Answer, error: &str, about: &str) {
    let challenge = answer.header("www-authenticate");
    assert_eq!(answer.status, 401, "{about}: {answer:?}");
    assert!(challenge.starts_with(&format!("DPoP error=\"{error}\", algs=\"ES256 ")), "{about}: {challenge}");
    assert!(challenge.contains(&stage.server.metadata_url), "{about}: {challenge}");
}

/// A proof for a call, with changes to header and claims; `null` removes one.
fn proof(stage: &Stage, key: &Key, token: &str, (header, claims): (Value, Value)) -> String {
    let said = json!({
        "htm": "POST", "htu": stage.server.url, "iat": SystemClock.now(), "jti": uuid::Uuid::new_v4().to_string(),
        "ath": b64(digest(&SHA256, token.as_bytes())),
    });
    signed_proof(key, &header, (said, &claims))
}

/// DPP-08, DPP-09: with its proof a bound token is good, once for each proof, and with no other.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_rust_takes_bound_tokens_with_their_proof() {
    let (stage, key) = (Stage::start(Example::Rust).await, Key::es256("k"));
    let token = stage.token(json!({ "cnf": { "jkt": thumbprint(&key) } }));
    let sent = format!("DPoP {token}");
    let with = |claims: Value| proof(&stage, &key, &token, (json!({}), claims));
    let good = with(json!({}));
    let answer = call(&stage, &sent, &[&good]).await;
    assert!(answer.status == 200 && answer.body.contains("acme"), "{answer:?}");
    assert_wants_proof(&stage, &call(&stage, &sent, &[&good]).await, "invalid_dpop_proof", "used before");
    let digested =
        with(json!({ "content_digest": content_digest(BODY), "htu": format!("{}?a=b", stage.server.url) }));
    assert_eq!(call(&stage, &sent, &[&digested]).await.status, 200);
    for other in [Key::rsa("rsa", 0), Key::ed25519("ed")] {
        let token = stage.token(json!({ "cnf": { "jkt": thumbprint(&other) } }));
        let proof = proof(&stage, &other, &token, (json!({}), json!({})));
        assert_eq!(call(&stage, &format!("DPoP {token}"), &[&proof]).await.status, 200, "{}", other.alg());
    }

    let now = SystemClock.now();
    let mut private = bare(&key);
    private["d"] = json!("AAAA");
    let (jwk, other) = (bare(&Key::es256("o")), Key::es256("o"));
    for (what, header, claims) in [
        ("another method", json!({}), json!({ "htm": "GET" })),
        ("another address", json!({}), json!({ "htu": format!("{}/other", stage.server.url) })),
        ("no address", json!({}), json!({ "htu": "/mcp" })),
        ("too old", json!({}), json!({ "iat": now - 310 })),
        ("too new", json!({}), json!({ "iat": now + 310 })),
        ("another token", json!({}), json!({ "ath": b64("another") })),
        ("no token", json!({}), json!({ "ath": null })),
        ("no jti", json!({}), json!({ "jti": null })),
        ("an empty jti", json!({}), json!({ "jti": "" })),
        ("another body", json!({}), json!({ "content_digest": content_digest("{}") })),
        ("another type", json!({ "typ": "JWT" }), json!({})),
        ("a shared secret", json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": "AAAA" } }), json!({})),
        ("another algorithm", json!({ "alg": "RS256" }), json!({})),
        ("no key", json!({ "jwk": null }), json!({})),
        ("another key in jwk", json!({ "jwk": jwk }), json!({})),
        ("a private key", json!({ "jwk": private }), json!({})),
        ("crit", json!({ "crit": ["x"] }), json!({})),
    ] {
        let bad = proof(&stage, &key, &token, (header, claims));
        assert_wants_proof(&stage, &call(&stage, &sent, &[&bad]).await, "invalid_dpop_proof", what);
    }
    let of_other = proof(&stage, &other, &token, (json!({}), json!({})));
    let fresh = with(json!({}));
    for proofs in [&[][..], &["nonsense"], &[&of_other], &[&fresh, &fresh]] {
        assert_wants_proof(&stage, &call(&stage, &sent, proofs).await, "invalid_dpop_proof", "other proofs");
    }
    let as_bearer = format!("Bearer {token}");
    assert_wants_proof(
        &stage,
        &call(&stage, &as_bearer, &[&fresh]).await,
        "invalid_token",
        "as a bearer token",
    );
    assert_eq!(call(&stage, &sent, &[&fresh]).await.status, 200, "none of them has used it up");

    let plain = stage.token(json!({}));
    let answer =
        call(&stage, &format!("DPoP {plain}"), &[&proof(&stage, &key, &plain, (json!({}), json!({})))]).await;
    assert_eq!(answer.status, 401, "a bearer token is no bound one: {answer:?}");
    for cnf in
        [json!({}), json!({ "x5t#S256": thumbprint(&key) }), json!({ "jkt": thumbprint(&key), "kid": "k" })]
    {
        let token = stage.token(json!({ "cnf": cnf }));
        let proof = proof(&stage, &key, &token, (json!({}), json!({})));
        assert_eq!(call(&stage, &format!("DPoP {token}"), &[&proof]).await.status, 401, "{cnf}");
    }
}
