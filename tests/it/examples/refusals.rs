//! Which tokens the examples take: each line of the table of what to verify has its counterexample here.

use std::time::Instant;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::{Example, ExampleServer, limits};
use crate::harness::{Answer, decode};
use crate::idp::{FakeIdp, Key, b64};
use crate::process::until;

/// An example, and an issuer of access tokens whose keys the test has.
pub struct Stage {
    issuer: FakeIdp,
    pub server: ExampleServer,
}

impl Stage {
    pub async fn start(example: Example) -> Self {
        let issuer = FakeIdp::start(Key::es256("as-1")).await;
        issuer.publish_with_algorithms(&[&issuer.key]);
        let server = ExampleServer::start(example, &issuer.issuer).await;
        Self { issuer, server }
    }

    /// The claims of an access token, some of them replaced; null removes one.
    fn claims(&self, changes: Value) -> String {
        let now = SystemClock.now();
        let mut claims = json!({ "iss": self.issuer.issuer, "aud": self.server.url, "sub": "m1", "client_id": "c",
            "iat": now, "exp": now + 600, "jti": "t1", "scope": "docs.read", "teamspace": "acme" });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        claims.to_string()
    }

    fn typed(&self, typ: Value, changes: Value) -> String {
        let key = &self.issuer.key;
        let header = json!({ "alg": key.alg(), "kid": key.kid, "typ": typ });
        key.sign(&header.to_string(), &self.claims(changes))
    }

    /// An access token of the issuer's key.
    pub fn token(&self, changes: Value) -> String {
        self.typed(json!("at+jwt"), changes)
    }

    /// An access token of some key, good otherwise.
    fn signed_by(&self, key: &Key) -> String {
        let header = json!({ "alg": key.alg(), "kid": key.kid, "typ": "at+jwt" });
        key.sign(&header.to_string(), &self.claims(json!({})))
    }

    async fn call(&self, token: Option<&str>) -> Answer {
        self.server.call(token).await
    }

    async fn status_of(&self, token: &str) -> u16 {
        self.call(Some(token)).await.status
    }

    pub fn assert_challenge(&self, answer: &Answer, status: u16, error: &str, about: &str) {
        let challenge = answer.header("www-authenticate");
        assert_eq!(answer.status, status, "{about}: {answer:?}");
        assert!(challenge.starts_with("Bearer "), "{about}: {challenge}");
        assert!(challenge.contains(&format!("error=\"{error}\"")), "{about}: {challenge}");
        self.assert_names_metadata(answer, about);
    }

    fn assert_names_metadata(&self, answer: &Answer, about: &str) {
        let parameter = format!("resource_metadata=\"{}\"", self.server.metadata_url);
        assert!(answer.header("www-authenticate").contains(&parameter), "{about}: {answer:?}");
    }

    /// A token whose key nobody published.
    fn of_an_unknown_key(&self) -> String {
        self.signed_by(&Key::es256(&uuid::Uuid::new_v4().to_string()))
    }

    /// Does something that may make the server ask for the keys; it may do so every five seconds.
    async fn bounded_fetches(&self, what: impl AsyncFn()) {
        let (before, started) = (self.issuer.jwks_requests(), Instant::now());
        what().await;
        let fetches = self.issuer.jwks_requests() - before;
        let most = started.elapsed().as_secs() as usize / 5 + 1;
        assert!(fetches <= most, "{fetches} fetches");
    }
}

/// The payload under a MAC whose secret is the public key, as a server that lets tokens choose would verify it.
fn mac_with_public_key(key: &Key, payload: &str) -> String {
    use aws_lc_rs::hmac;
    let (jwk, header) = (key.jwk(), json!({ "alg": "HS256", "kid": key.kid, "typ": "at+jwt" }));
    let coordinate = |name: &str| decode(jwk[name].as_str().unwrap());
    // The head of a SubjectPublicKeyInfo for P-256 (RFC 5480), then the uncompressed point.
    let head = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
    let der = STANDARD.encode([&head[..], &coordinate("x"), &coordinate("y")].concat());
    let (first, second) = der.split_at(64);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n");
    let input = format!("{}.{}", b64(header.to_string()), b64(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, pem.as_bytes()), input.as_bytes());
    format!("{input}.{}", b64(tag))
}

/// Keys that cannot be had are not the token's fault: no challenge, which would make the client throw it away.
async fn an_outage_is_not_the_tokens_fault(stage: &Stage) {
    stage.issuer.change(|behaviour| behaviour.status = StatusCode::INTERNAL_SERVER_ERROR);
    let good = stage.token(json!({}));
    stage
        .bounded_fetches(async || {
            for _ in 0..10 {
                let answer = stage.call(Some(&good)).await;
                assert!(answer.status >= 500, "{answer:?}");
                assert_eq!(answer.header("www-authenticate"), "");
            }
        })
        .await;
    stage.issuer.change(|behaviour| behaviour.status = StatusCode::OK);
    until("the token is taken once there are keys", async || stage.status_of(&good).await == 200).await;
}

async fn without_a_token_it_says_where_to_get_one(stage: &Stage) {
    let answer = stage.call(None).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    stage.assert_names_metadata(&answer, "no token");
    let document = stage.server.http.get(&stage.server.metadata_url).send().await.unwrap();
    let document = Answer::of(document).await.json;
    assert_eq!(document["resource"], json!(stage.server.url));
    assert_eq!(document["authorization_servers"], json!([stage.issuer.issuer]));
    assert_eq!(document["scopes_supported"], json!(["docs.read"]));
}

async fn other_tokens_are_invalid(stage: &Stage) {
    let (key, now) = (&stage.issuer.key, SystemClock.now());
    let (issuer, own) = (&stage.issuer.issuer, &stage.server.url);
    let good = stage.token(json!({}));
    let answer = stage.call(Some(&good)).await;
    assert!(answer.status == 200 && answer.body.contains("acme"), "{answer:?}");
    let unsigned = json!({ "alg": "none", "kid": key.kid, "typ": "at+jwt" }).to_string();
    let payload = stage.claims(json!({}));
    let other = stage.claims(json!({ "teamspace": "globex" }));
    let signature = good.rsplit('.').next().unwrap();
    for (what, token) in [
        ("an ID-JAG", stage.typed(json!("oauth-id-jag+jwt"), json!({}))),
        ("an ID token", stage.typed(json!("JWT"), json!({}))),
        ("a token without a type", stage.typed(Value::Null, json!({}))),
        ("for another server", stage.token(json!({ "aud": "https://other.example/mcp" }))),
        ("for the same with a slash", stage.token(json!({ "aud": format!("{own}/") }))),
        ("for two servers", stage.token(json!({ "aud": [own, "https://other.example/mcp"] }))),
        ("for none", stage.token(json!({ "aud": null }))),
        ("of another issuer", stage.token(json!({ "iss": "https://other.example" }))),
        ("of the same with a slash", stage.token(json!({ "iss": format!("{issuer}/") }))),
        ("of no issuer", stage.token(json!({ "iss": null }))),
        ("expired", stage.token(json!({ "exp": now - 60 }))),
        ("without an expiry", stage.token(json!({ "exp": null }))),
        ("unsigned", format!("{}.{}.", b64(unsigned), b64(&payload))),
        ("under a MAC", mac_with_public_key(key, &payload)),
        ("of another algorithm", stage.signed_by(&Key::rsa(&key.kid, 0))),
        ("of another key of that name", stage.signed_by(&Key::es256(&key.kid))),
        ("changed", format!("{}.{}.{signature}", good.split('.').next().unwrap(), b64(other))),
        ("no JWT", "x".to_owned()),
    ] {
        let answer = stage.call(Some(&token)).await;
        stage.assert_challenge(&answer, 401, "invalid_token", what);
    }
    // DPP-08: a token that is bound to a key is no bearer token.
    let answer = stage.call(Some(&stage.token(json!({ "cnf": { "jkt": "A".repeat(43) } })))).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{answer:?}");
}

async fn too_small_a_scope_is_forbidden(stage: &Stage) {
    for scope in [json!("docs.write"), json!("docs.read.all docs"), json!(""), Value::Null] {
        let answer = stage.call(Some(&stage.token(json!({ "scope": scope })))).await;
        stage.assert_challenge(&answer, 403, "insufficient_scope", &scope.to_string());
        assert!(answer.header("www-authenticate").contains("docs.read"), "it names no scope: {answer:?}");
    }
    assert_eq!(stage.status_of(&stage.token(json!({ "scope": "docs.write docs.read" }))).await, 200);
}

async fn keys_come_and_go(stage: &Stage) {
    let invented = async || {
        for _ in 0..20 {
            let answer = stage.call(Some(&stage.of_an_unknown_key())).await;
            stage.assert_challenge(&answer, 401, "invalid_token", "an unknown key");
        }
    };
    stage.bounded_fetches(invented).await;
    let (old, new) = (&stage.issuer.key, Key::es256("as-2"));
    let (by_old, by_new) = (stage.token(json!({})), stage.signed_by(&new));
    stage.issuer.publish_with_algorithms(&[&new, old]);
    until("a new key works", async || stage.status_of(&by_new).await == 200).await;
    assert_eq!(stage.status_of(&by_old).await, 200, "the old one still works");
    stage.issuer.publish_with_algorithms(&[&new]);
    let removed = async || {
        stage.call(Some(&stage.of_an_unknown_key())).await;
        stage.status_of(&by_old).await == 401
    };
    until("a removed key works no more", removed).await;
    stage.issuer.change(|behaviour| behaviour.status = StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(stage.status_of(&by_new).await, 200, "known keys outlast an outage");
}

async fn takes_only_our_tokens_for_it(example: Example) {
    let stage = Stage::start(example).await;
    an_outage_is_not_the_tokens_fault(&stage).await;
    without_a_token_it_says_where_to_get_one(&stage).await;
    other_tokens_are_invalid(&stage).await;
    too_small_a_scope_is_forbidden(&stage).await;
    limits::are_obeyed(&stage).await;
    keys_come_and_go(&stage).await;
}

/// PRS-01, PRS-02, PRS-03, PRS-04, PRS-05
#[tokio::test]
async fn the_python_example_takes_only_our_tokens_for_it() {
    takes_only_our_tokens_for_it(Example::Python).await;
}

/// PRS-01, PRS-02, PRS-03, PRS-04, PRS-05
#[tokio::test]
async fn the_typescript_example_takes_only_our_tokens_for_it() {
    takes_only_our_tokens_for_it(Example::TypeScript).await;
}

/// PRS-01, PRS-02, PRS-03, PRS-04, PRS-05
#[tokio::test]
async fn the_rust_example_takes_only_our_tokens_for_it() {
    takes_only_our_tokens_for_it(Example::Rust).await;
}
