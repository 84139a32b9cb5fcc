//! Tokens that are bound to a key of their sender (RFC 9449).

pub mod at_mcp_servers;
mod nonces;
mod required;
mod token_endpoint;

use countersign::clock::Clock as _;
use countersign::oauth::request::JWT_BEARER;
use serde_json::{Map, Value, json};

use crate::harness::{Answer, CLIENT, SECRET, TestApp};
use crate::idp::{Key, b64};

/// The key without what its set says of it.
pub fn bare(key: &Key) -> Value {
    let mut jwk = key.jwk();
    jwk.as_object_mut().unwrap().retain(|name, _| !["kid", "use"].contains(&name.as_str()));
    jwk
}

/// The thumbprint of a key (RFC 7638), made independently of the service.
pub fn thumbprint(key: &Key) -> String {
    let members: std::collections::BTreeMap<String, Value> =
        serde_json::from_value(bare(key)).expect("a JWK is an object");
    let text = serde_json::to_string(&members).unwrap();
    b64(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()))
}

fn changed(mut members: Map<String, Value>, changes: &Value) -> String {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    Value::Object(members).to_string()
}

/// A proof for the token endpoint as libraries make it, with changes to header and claims; `null` removes one.
pub fn proof_with(app: &TestApp, key: &Key, header: Value, claims: Value) -> String {
    let said = json!({
        "htm": "POST", "htu": app.token_url(), "iat": app.clock.now(), "jti": uuid::Uuid::new_v4().to_string(),
    });
    signed_proof(key, &header, (said, &claims))
}

/// A proof that says this, with changes to header and claims.
pub fn signed_proof(key: &Key, header: &Value, (said, claims): (Value, &Value)) -> String {
    let own = json!({ "typ": "dpop+jwt", "alg": key.alg(), "jwk": bare(key) });
    let [own, said] = [own, said].map(|members| members.as_object().unwrap().clone());
    key.sign(&changed(own, header), &changed(said, claims))
}

pub fn proof(app: &TestApp, key: &Key) -> String {
    proof_with(app, key, json!({}), json!({}))
}

/// Exchanges an assertion with these `DPoP` headers.
pub async fn exchange(app: &TestApp, assertion: &str, proofs: &[&str]) -> Answer {
    exchange_as(app, JWT_BEARER, assertion, proofs).await
}

pub async fn exchange_as(app: &TestApp, grant: &str, assertion: &str, proofs: &[&str]) -> Answer {
    let form = [("grant_type", grant), ("assertion", assertion)];
    let request = app.http.post(app.token_url()).basic_auth(CLIENT, Some(SECRET)).form(&form);
    let request = proofs.iter().fold(request, |request, proof| request.header("DPoP", *proof));
    Answer::of(request.send().await.unwrap()).await
}

/// A request that must be refused, with nothing written but the row. Returns what the log says about it.
async fn refused(app: &TestApp, assertion: &str, proofs: &[&str], (error, reason): (&str, &str)) -> String {
    let before = app.written().await;
    let answer = exchange(app, assertion, proofs).await;
    app.assert_refused(&answer, before, 400, error, reason).await;
    app.last_sign_in().await.detail
}

/// An access token that is bound to the key.
pub async fn bound_token(app: &TestApp, key: &Key) -> String {
    let answer = exchange(app, &app.assertion(json!({})), &[&proof(app, key)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.access_token().to_owned()
}
