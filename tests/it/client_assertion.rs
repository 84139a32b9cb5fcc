//! `private_key_jwt`: clients that sign assertions with keys of their own.

use std::time::Duration;

use axum::http::StatusCode;
use countersign::model::client::{AuthMethod, KeySource, RegisteredClient};
use countersign::oauth::request::JWT_BEARER;
use countersign::policy::validate::vocabulary::SHIPPED;
use countersign::store::changes::Changed;
use countersign::store::clients;
use serde_json::{Map, Value, json};

use crate::db::{number, run};
use crate::files::with_shipped;
use crate::harness::{Answer, CLIENT, RESOURCE, SECRET, START, TestApp, client};
use crate::idp::{FakeIdp, Key, b64, rsa_pem};
use crate::interop::{last_line, package, published_client};
use crate::introspection::{SERVER, introspect, put_credentials, url};
use crate::process::{Process, real_time};
use crate::subject::futures_all;

/// The client that signs.
pub const SIGNER: &str = "signer";
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const FAILED: (u16, &str, &str) = (401, "invalid_client", "client_auth_failed");
const REPLAYED: (u16, &str, &str) = (401, "invalid_client", "client_assertion_replayed");

/// A client with keys.
pub fn signer(keys: KeySource) -> RegisteredClient {
    RegisteredClient {
        token_endpoint_auth_method: AuthMethod::PrivateKeyJwt,
        keys: Some(keys),
        ..client(SIGNER, &[])
    }
}

/// Registers the client anew.
pub async fn put_signer(app: &TestApp, keys: KeySource) {
    app.configure(Changed::Client(SIGNER.to_owned()), move |c| {
        clients::delete(c, SIGNER)?;
        Ok(clients::insert(c, &signer(keys))?)
    })
    .await;
}

/// A JWK Set of these keys.
pub fn jwks(keys: &[&Key]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}

/// A service with a client that has these registered keys.
async fn start_with(keys: &[&Key]) -> TestApp {
    let app = TestApp::start().await;
    app.put_client(signer(KeySource::Registered(jwks(keys).to_string()))).await;
    app
}

/// The claims of a client assertion, with changes; `null` removes one.
fn claims(app: &TestApp, changes: Value) -> Map<String, Value> {
    let now = countersign::clock::Clock::now(&app.clock);
    let claims = json!({
        "iss": SIGNER, "sub": SIGNER, "aud": app.issuer(),
        "iat": now, "exp": now + 60, "jti": uuid::Uuid::new_v4().to_string(),
    });
    let Value::Object(mut claims) = claims else { unreachable!() };
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.remove(name)),
            value => drop(claims.insert(name.clone(), value.clone())),
        }
    }
    claims
}

/// A client assertion as libraries make it.
pub fn sign(app: &TestApp, key: &Key, changes: Value) -> String {
    sign_with(app, key, json!({}), changes)
}

fn sign_with(app: &TestApp, key: &Key, header: Value, changes: Value) -> String {
    let mut own = json!({ "alg": key.alg(), "kid": key.kid, "typ": "client-authentication+jwt" });
    for (name, value) in header.as_object().unwrap() {
        own[name] = value.clone();
    }
    own.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    key.sign(&own.to_string(), &Value::Object(claims(app, changes)).to_string())
}

/// An ID-JAG for the client.
fn id_jag(app: &TestApp) -> String {
    app.assertion(json!({ "client_id": SIGNER }))
}

fn form<'a>(id_jag: &'a str, client_assertion: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("grant_type", JWT_BEARER),
        ("assertion", id_jag),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", client_assertion),
    ]
}

/// Posts a form without a header.
async fn send(app: &TestApp, form: &[(&str, &str)]) -> Answer {
    Answer::of(app.http.post(app.token_url()).form(form).send().await.unwrap()).await
}

pub async fn exchange(app: &TestApp, client_assertion: &str) -> Answer {
    send(app, &form(&id_jag(app), client_assertion)).await
}

#[track_caller]
fn assert_granted(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Sends a form that must be refused, with nothing written but the row.
async fn refused(app: &TestApp, form: &[(&str, &str)], expected: (u16, &str, &str)) -> String {
    let (before, (status, error, reason)) = (app.written().await, expected);
    let answer = send(app, form).await;
    app.assert_refused(&answer, before, status, error, reason).await;
    if status == 401 {
        assert_eq!(answer.json["error_description"], "Client authentication failed.");
        assert!(answer.header("www-authenticate").starts_with("Basic "));
    }
    app.last_sign_in().await.detail
}

/// The same for an assertion that proves nothing. Returns what the log says about it.
async fn refused_assertion(app: &TestApp, client_assertion: &str) -> String {
    refused(app, &form(&id_jag(app), client_assertion), FAILED).await
}

/// CLI-03: each kind of key that we verify, and the assertion is used up together with the ID-JAG.
#[tokio::test]
async fn a_client_proves_itself_with_its_key() {
    let keys = [Key::es256("p256"), Key::es384("p384"), Key::ed25519("ed"), Key::rsa("rsa", 0)];
    let app = start_with(&keys.iter().collect::<Vec<_>>()).await;
    for key in &keys {
        let before = app.written().await;
        let answer = exchange(&app, &sign(&app, key, json!({}))).await;
        assert_granted(&answer);
        assert_eq!(answer.claims()["client_id"], SIGNER);
        assert_eq!(app.written().await.used_assertions, before.used_assertions + 2);
        assert_eq!(app.last_sign_in().await.client_id, SIGNER);
    }
    assert_granted(&exchange(&app, &sign_with(&app, &keys[3], json!({ "alg": "PS256" }), json!({}))).await);
    assert_granted(&exchange(&app, &sign_with(&app, &keys[2], json!({ "alg": "Ed25519" }), json!({}))).await);
}

/// CLI-05: the new `typ`, and what libraries sent before it.
#[tokio::test]
async fn types_that_no_other_token_has_are_accepted() {
    let key = Key::es256("k");
    let app = start_with(&[&key]).await;
    for typ in [
        Value::Null,
        json!("JWT"),
        json!("jwt"),
        json!("client-authentication+jwt"),
        json!("application/client-authentication+JWT"),
    ] {
        let assertion = sign_with(&app, &key, json!({ "typ": typ }), json!({}));
        assert_granted(&exchange(&app, &assertion).await);
    }
}

/// CLI-05: a token of another kind is no client assertion, even if the client's own key signed it.
#[tokio::test]
async fn tokens_of_other_kinds_are_refused() {
    let key = Key::es256("k");
    let app = start_with(&[&key]).await;
    for typ in [
        json!("oauth-id-jag+jwt"),
        json!("application/oauth-id-jag+jwt"),
        json!("at+jwt"),
        json!("dpop+jwt"),
        json!("logout+jwt"),
        json!("secevent+jwt"),
        json!("token-introspection+jwt"),
        json!("oauth-authz-req+jwt"),
        json!("another"),
        json!(1),
    ] {
        let assertion = sign_with(&app, &key, json!({ "typ": typ }), json!({}));
        let detail = refused_assertion(&app, &assertion).await;
        assert!(detail.contains("typ is"), "{typ}: {detail}");
    }
    // The ID-JAG itself, which another issuer signed.
    let id_jag = id_jag(&app);
    refused(&app, &form(&id_jag, &id_jag), FAILED).await;
}

/// CLI-03, CLI-04: each claim, absent, of another type and with another value.
#[tokio::test]
async fn each_claim_is_checked() {
    let key = Key::es256("k");
    let app = start_with(&[&key]).await;
    let issuer = app.issuer().to_owned();
    let token_url = app.token_url();
    let skew = app.app.config.assertion.clock_skew.as_secs();
    let (expired, from_the_future) = (format!("expired {skew} s ago"), format!("valid in {} s", skew + 1));
    for (changes, detail) in [
        (json!({ "sub": CLIENT }), "sub: expected \"signer\", got \"mcpclient"),
        (json!({ "sub": null }), "sub must be the client id"),
        (json!({ "sub": [SIGNER] }), "sub must be the client id"),
        (json!({ "aud": token_url }), "aud: expected"),
        (json!({ "aud": [issuer, token_url] }), "aud must be this server's issuer, and nothing else"),
        (json!({ "aud": [issuer, issuer] }), "aud must be this server's issuer, and nothing else"),
        (json!({ "aud": [[issuer]] }), "aud must be this server's issuer, and nothing else"),
        (json!({ "aud": [] }), "aud must be this server's issuer, and nothing else"),
        (json!({ "aud": null }), "aud must be this server's issuer, and nothing else"),
        (json!({ "aud": format!("{issuer}/") }), "they differ only by a trailing slash"),
        (json!({ "aud": "https://other.example.com" }), "aud: expected"),
        (json!({ "exp": null }), "exp must be a number"),
        (json!({ "exp": "1800000000" }), "exp must be a number"),
        (json!({ "exp": -1 }), "exp must be a number"),
        (json!({ "exp": 1e300 }), "exp must be a number"),
        (json!({ "exp": START - skew }), expired.as_str()),
        (json!({ "exp": START + 3600 + skew + 1 }), "at most 3600 s"),
        (json!({ "iat": START + skew + 1 }), from_the_future.as_str()),
        (json!({ "iat": "now" }), "iat must be a number"),
        (json!({ "nbf": START + skew + 1 }), from_the_future.as_str()),
        (json!({ "nbf": true }), "nbf must be a number"),
        (json!({ "jti": null }), "jti must be a string"),
        (json!({ "jti": "" }), "jti must be a string"),
        (json!({ "jti": 7 }), "jti must be a string"),
        (json!({ "jti": "j".repeat(257) }), "jti must be a string"),
    ] {
        let told = refused_assertion(&app, &sign(&app, &key, changes.clone())).await;
        assert!(told.contains(detail), "{changes}: {told}");
    }
    // At the limits, it is good.
    for changes in [
        json!({ "aud": [issuer] }),
        json!({ "exp": START - skew + 1 }),
        json!({ "exp": START + 3600 + skew }),
        json!({ "exp": f64::from(u32::try_from(START).unwrap()) + 30.5 }),
        json!({ "iat": null }),
        json!({ "iat": START + skew }),
        json!({ "nbf": START + skew }),
        json!({ "jti": "j".repeat(256) }),
        json!({ "jti": "ä\u{0}\u{1F600}" }),
    ] {
        let answer = exchange(&app, &sign(&app, &key, changes.clone())).await;
        assert_eq!(answer.status, 200, "{changes}: {:?}", app.last_sign_in().await);
    }
}

/// CLI-03, CLI-06: only a key of the client, and only with an asymmetric algorithm.
#[tokio::test]
async fn only_the_clients_own_key_counts() {
    let (key, other) = (Key::es256("k"), Key::es256("other"));
    let app = start_with(&[&key]).await;
    let mut second = signer(KeySource::Registered(jwks(&[&other]).to_string()));
    second.client_id = "second".to_owned();
    app.put_client(second).await;
    let named = |header: Value| sign_with(&app, &other, header, json!({}));
    assert!(refused_assertion(&app, &named(json!({ "kid": "k" }))).await.contains("not by the client's key"));
    assert!(refused_assertion(&app, &named(json!({}))).await.contains("has no key \"other\""));
    for header in [
        json!({ "kid": "k", "jwk": other.jwk() }),
        json!({ "kid": "k", "jku": "https://attacker.example/keys" }),
        json!({ "alg": "none" }),
        json!({ "alg": "HS256", "kid": "k" }),
        json!({ "alg": "ES384", "kid": "k" }),
        json!({ "alg": "RS256", "kid": "k" }),
        json!({ "alg": null }),
        json!({ "kid": 7 }),
        json!({ "crit": ["exp"], "kid": "k" }),
        json!({ "b64": false, "kid": "k" }),
    ] {
        refused_assertion(&app, &named(header)).await;
    }
    // Signed by one client in the name of another, in either place.
    refused_assertion(&app, &sign(&app, &other, json!({ "sub": "second" }))).await;
    refused_assertion(&app, &sign(&app, &other, json!({ "iss": "second" }))).await;
    let forged = sign(&app, &other, json!({ "iss": "second", "sub": "second" }));
    refused(&app, &form(&id_jag(&app), &forged), (400, "invalid_grant", "client_id_mismatch")).await;
    let unknown = sign(&app, &other, json!({ "iss": "nobody", "sub": "nobody" }));
    refused(&app, &form(&id_jag(&app), &unknown), (401, "invalid_client", "client_unknown")).await;
    // The public key as the secret of an HMAC: everybody knows it.
    let good = sign(&app, &key, json!({}));
    let (start, signature) = good.rsplit_once('.').unwrap();
    for broken in [
        start.to_owned(),
        format!("{start}."),
        format!("{start}.{}", b64("signature")),
        format!("{good}."),
        format!("{good}="),
        format!("{start}.{signature}.x"),
        "e30.e30.x".to_owned(),
        "x".repeat(40_000),
        "{\"payload\":\"e30\"}".to_owned(),
    ] {
        refused_assertion(&app, &broken).await;
    }
    assert_granted(&exchange(&app, &good).await);
}

/// CLI-03: `client_id` may stand beside the assertion, and must be the same.
#[tokio::test]
async fn the_parameters_beside_it_must_agree() {
    let key = Key::es256("k");
    let app = start_with(&[&key]).await;
    let jag = id_jag(&app);
    let assertion = sign(&app, &key, json!({}));
    let with = |more: &[(&'static str, &'static str)]| {
        let mut all: Vec<(&str, String)> =
            vec![("grant_type", JWT_BEARER.into()), ("assertion", jag.clone())];
        all.extend(more.iter().map(|(name, value)| {
            (*name, if *value == "*" { assertion.clone() } else { (*value).to_owned() })
        }));
        all
    };
    let kind = ("client_assertion_type", ASSERTION_TYPE);
    for (more, expected) in [
        (vec![("client_assertion", "*")], FAILED),
        (vec![kind], FAILED),
        (vec![("client_assertion", "*"), ("client_assertion_type", "urn:ietf:params:oauth:other")], FAILED),
        (vec![("client_assertion", "*"), kind, ("client_id", CLIENT)], FAILED),
        (vec![("client_assertion", "*"), kind, ("client_id", "SIGNER")], FAILED),
        (
            vec![("client_assertion", "*"), kind, ("client_secret", SECRET)],
            (400, "invalid_request", "request_malformed"),
        ),
        (
            vec![("client_assertion", "*"), ("client_assertion", "*"), kind],
            (400, "invalid_request", "request_malformed"),
        ),
    ] {
        let form = with(&more);
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        refused(&app, &form, expected).await;
    }
    let form = with(&[kind, ("client_assertion", "*"), ("client_id", SIGNER)]);
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_granted(&send(&app, &form).await);
}

/// CLI-03: each client has the way that it is registered for, and no other.
#[tokio::test]
async fn the_registered_way_is_the_only_one() {
    let key = Key::es256("k");
    let app = start_with(&[&key]).await;
    // A secret that was left from before.
    let mut both = signer(KeySource::Registered(jwks(&[&key]).to_string()));
    both.secrets = client("both", &[SECRET]).secrets;
    both.client_id = "both".to_owned();
    app.put_client(both).await;
    let jag = app.assertion(json!({ "client_id": "both" }));
    let by_secret = [
        ("grant_type", JWT_BEARER),
        ("assertion", jag.as_str()),
        ("client_id", "both"),
        ("client_secret", SECRET),
    ];
    refused(&app, &by_secret, FAILED).await;
    let of_secret_client = sign(&app, &key, json!({ "iss": CLIENT, "sub": CLIENT }));
    let detail = refused_assertion(&app, &of_secret_client).await;
    assert!(detail.contains("registered for client_secret_basic"), "{detail}");
    // And it is switched off like any other.
    app.configure(Changed::Client(SIGNER.to_owned()), |c| {
        let mut known = clients::find(c, SIGNER)?.unwrap();
        known.enabled = false;
        Ok(clients::update(c, &known)?)
    })
    .await;
    let good = sign(&app, &key, json!({}));
    refused(&app, &form(&id_jag(&app), &good), (401, "invalid_client", "client_blocked")).await;
}

/// CLI-03: an assertion is good once. The ID-JAG of a replay is not used up.
#[tokio::test]
async fn an_assertion_is_good_once() {
    let key = Key::es256("k");
    let app = start_with(&[&key]).await;
    let (assertion, jag) = (sign(&app, &key, json!({ "jti": "one" })), id_jag(&app));
    assert_granted(&exchange(&app, &assertion).await);
    for _ in 0..2 {
        let detail = refused(&app, &form(&jag, &assertion), REPLAYED).await;
        assert_eq!(detail, "the client assertion was used before");
    }
    // The jti counts, whatever else is in the assertion.
    refused(&app, &form(&jag, &sign(&app, &key, json!({ "jti": "one", "exp": START + 90 }))), REPLAYED).await;
    assert_granted(&send(&app, &form(&jag, &sign(&app, &key, json!({ "jti": "two" })))).await);
    // Both were used: the client hears only that it has not proved who it is.
    refused(&app, &form(&jag, &assertion), REPLAYED).await;
    // The same jti of another client is another assertion, and so is that of an identity provider's assertion.
    let mut second = signer(KeySource::Registered(jwks(&[&key]).to_string()));
    second.client_id = "second".to_owned();
    app.put_client(second).await;
    let of_second = sign(&app, &key, json!({ "jti": "one", "iss": "second", "sub": "second" }));
    let jag = app.assertion(json!({ "client_id": "second", "jti": "one" }));
    assert_granted(&send(&app, &form(&jag, &of_second)).await);
}

/// CLI-03, JAG-14: a refused request uses up neither of its two assertions.
#[tokio::test]
async fn a_refused_request_burns_nothing() {
    let key = Key::es256("k");
    let app = start_with(&[&key]).await;
    let assertion = sign(&app, &key, json!({}));
    let expired = app.assertion(json!({ "client_id": SIGNER, "iat": START - 900, "exp": START - 600 }));
    refused(&app, &form(&expired, &assertion), (400, "invalid_grant", "expired")).await;
    let of_other = app.assertion(json!({}));
    refused(&app, &form(&of_other, &assertion), (400, "invalid_grant", "client_id_mismatch")).await;
    let jag = id_jag(&app);
    assert_granted(&send(&app, &form(&jag, &assertion)).await);
    // A used ID-JAG leaves the client's next assertion as it is.
    let next = sign(&app, &key, json!({}));
    refused(&app, &form(&jag, &next), (400, "invalid_grant", "replayed")).await;
    assert_granted(&exchange(&app, &next).await);
}

/// CLI-03: one assertion in 48 requests at once, to two processes, with a different ID-JAG in each.
#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_good_once_over_all_replicas() {
    let key = Key::es256("k");
    let app = start_with(&[&key]).await;
    real_time(&app);
    let replicas = [Process::serve(&app, ""), Process::serve(&app, "")];
    let jag = |i: usize| {
        app.assertion(
            json!({ "client_id": SIGNER, "sub": format!("00u{i}"), "email": format!("p{i}@acme.com") }),
        )
    };
    for round in 0..3 {
        let assertion = sign(&app, &key, json!({}));
        let jags: Vec<String> = (0..48).map(|i| jag(round * 48 + i)).collect();
        let before = app.written().await;
        let answers = futures_all(jags.iter().enumerate().map(|(i, jag)| {
            let request = app.http.post(&replicas[i % 2].url).form(&form(jag, &assertion));
            async move { Answer::of(request.send().await.unwrap()).await }
        }))
        .await;
        let granted: Vec<usize> = (0..48).filter(|i| answers[*i].status == 200).collect();
        assert_eq!(granted.len(), 1, "{answers:?}");
        for (i, answer) in answers.iter().enumerate().filter(|(i, _)| *i != granted[0]) {
            assert_eq!((answer.status, &answer.json["error"]), (401, &json!("invalid_client")), "{i}");
        }
        let after = app.written().await;
        assert_eq!(after.used_assertions, before.used_assertions + 2);
        assert_eq!(after.members, before.members + 1);
        // The ID-JAGs of the others are as good as before.
        for (i, jag) in jags.iter().enumerate().filter(|(i, _)| *i != granted[0]).take(4) {
            let own = sign(&app, &key, json!({}));
            let request = app.http.post(&replicas[i % 2].url).form(&form(jag, &own));
            assert_granted(&Answer::of(request.send().await.unwrap()).await);
        }
    }
}

/// CLI-03: where the use of an assertion may be forgotten, it is refused: after rows were deleted, and in a backup.
#[tokio::test]
async fn an_assertion_whose_use_may_be_forgotten_is_refused() {
    let key = Key::es256("k");
    let app = start_with(&[&key]).await;
    run(&app.database.url, &format!("UPDATE generation SET sweep_horizon = {}", START + 200));
    let early = sign(&app, &key, json!({ "exp": START + 60 }));
    let detail = refused(&app, &form(&id_jag(&app), &early), REPLAYED).await;
    assert!(detail.contains("may be forgotten"), "{detail}");
    assert_granted(&exchange(&app, &sign(&app, &key, json!({ "exp": START + 250 }))).await);
}

/// A client whose keys are fetched.
async fn start_fetching() -> (TestApp, FakeIdp) {
    let publisher = FakeIdp::start(Key::es256("c-1")).await;
    let origin = publisher.issuer.clone();
    let app = TestApp::start_with(|config| config.fetch.private_origins.push(origin.into())).await;
    app.put_client(signer(KeySource::Fetched(publisher.jwks_uri()))).await;
    (app, publisher)
}

/// CLI-03: keys are fetched when they are needed, once, and again for a new kid.
#[tokio::test]
async fn keys_are_fetched_once_and_follow_a_rotation() {
    let (app, publisher) = start_fetching().await;
    for _ in 0..3 {
        assert_granted(&exchange(&app, &sign(&app, &publisher.key, json!({}))).await);
    }
    assert_eq!((publisher.jwks_requests(), publisher.metadata_requests()), (1, 0));
    let new = Key::es256("c-2");
    publisher.publish(&[&new]);
    // Everybody can ask for a kid that does not exist: it is fetched once in an interval.
    for _ in 0..5 {
        refused_assertion(&app, &sign(&app, &new, json!({}))).await;
    }
    app.clock.advance(30);
    for _ in 0..5 {
        refused_assertion(&app, &sign(&app, &Key::es256("forged"), json!({}))).await;
    }
    assert_eq!(publisher.jwks_requests(), 2);
    assert_granted(&exchange(&app, &sign(&app, &new, json!({}))).await);
    let detail = refused_assertion(&app, &sign(&app, &publisher.key, json!({}))).await;
    assert!(detail.contains("the key set has no key \"c-1\""), "{detail}");
    assert_eq!(publisher.jwks_requests(), 2);
}

/// CLI-03: while the keys cannot be fetched, those that were are used, for a while; without any, the client may come again.
#[tokio::test]
async fn an_outage_of_the_clients_server_is_survived() {
    let (app, publisher) = start_fetching().await;
    publisher.change(|behaviour| behaviour.status = StatusCode::BAD_GATEWAY);
    let (jag, assertion) = (id_jag(&app), sign(&app, &publisher.key, json!({ "exp": START + 600 })));
    let unreachable = (503, "temporarily_unavailable", "client_keys_unreachable");
    for _ in 0..3 {
        refused(&app, &form(&jag, &assertion), unreachable).await;
    }
    assert_eq!(publisher.jwks_requests(), 1, "nobody asks again within the interval");
    publisher.change(|behaviour| behaviour.status = StatusCode::OK);
    app.clock.advance(30);
    assert_granted(&send(&app, &form(&jag, &assertion)).await);
    publisher.change(|behaviour| behaviour.status = StatusCode::BAD_GATEWAY);
    app.clock.advance(600);
    assert_granted(&exchange(&app, &sign(&app, &publisher.key, json!({}))).await);
    app.clock.advance(app.app.config.jwks.max_stale.as_secs());
    refused(&app, &form(&id_jag(&app), &sign(&app, &publisher.key, json!({}))), unreachable).await;
}

/// ADM-05: a client's keys are fetched under the same rules as an identity provider's.
#[tokio::test]
async fn a_private_address_is_not_asked() {
    let publisher = FakeIdp::start(Key::es256("c-1")).await;
    let app = TestApp::start().await;
    app.put_client(signer(KeySource::Fetched(publisher.jwks_uri()))).await;
    let unreachable = (503, "temporarily_unavailable", "client_keys_unreachable");
    refused(&app, &form(&id_jag(&app), &sign(&app, &publisher.key, json!({}))), unreachable).await;
    assert_eq!(publisher.jwks_requests(), 0);
}

/// Requests wait for a slow server without asking it again; a client with keys of its own does not wait with them.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_delays_its_own_client_only() {
    let (app, publisher) = start_fetching().await;
    let key = Key::es256("k");
    let mut second = signer(KeySource::Registered(jwks(&[&key]).to_string()));
    second.client_id = "second".to_owned();
    app.put_client(second).await;
    publisher.change(|behaviour| behaviour.delay = Duration::from_millis(700));
    let waiting = futures_all((0..8).map(|i| {
        let (app, jag) = (&app, id_jag(&app));
        let assertion = sign(app, &publisher.key, json!({ "jti": i.to_string() }));
        async move { send(app, &form(&jag, &assertion)).await }
    }));
    let others = async {
        let jag = app.assertion(json!({ "client_id": "second" }));
        let assertion = sign(&app, &key, json!({ "iss": "second", "sub": "second" }));
        let began = std::time::Instant::now();
        assert_granted(&send(&app, &form(&jag, &assertion)).await);
        assert!(began.elapsed() < Duration::from_millis(600));
    };
    let (answers, ()) = tokio::join!(waiting, others);
    answers.iter().for_each(assert_granted);
    assert_eq!(publisher.jwks_requests(), 1);
}

/// CLI-10: failures are limited for the client that is named.
#[tokio::test]
async fn failures_are_limited() {
    let key = Key::es256("k");
    let app = TestApp::start_with(|config| config.rate_limit.failed_authentications_per_minute = 3).await;
    app.put_client(signer(KeySource::Registered(jwks(&[&key]).to_string()))).await;
    for _ in 0..3 {
        refused_assertion(&app, &sign(&app, &Key::es256("k"), json!({}))).await;
    }
    let good = sign(&app, &key, json!({}));
    assert_eq!(exchange(&app, &good).await.status, 429);
    app.clock.advance(60);
    assert_eq!(app.exchange(&app.assertion(json!({}))).await.status, 200, "another client is as before");
}

/// A token is revoked by a client that signs, once for each assertion.
#[tokio::test]
async fn tokens_are_revoked_with_it() {
    let key = Key::es256("k");
    let app = start_with(&[&key]).await;
    put_credentials(&app, RESOURCE, SERVER).await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        tokens.push(exchange(&app, &sign(&app, &key, json!({}))).await.access_token().to_owned());
    }
    let revoke = async |token: &str, assertion: &str| {
        let form =
            [("token", token), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)];
        Answer::of(app.http.post(url(&app, "revoke")).form(&form).send().await.unwrap()).await
    };
    let assertion = sign(&app, &key, json!({}));
    assert_eq!(revoke(&tokens[0], &assertion).await.status, 200);
    assert_eq!(introspect(&app, &tokens[0]).await.json, json!({ "active": false }));
    let again = revoke(&tokens[1], &assertion).await;
    assert_eq!((again.status, &again.json["error"]), (401, &json!("invalid_client")), "{again:?}");
    assert_eq!(introspect(&app, &tokens[1]).await.json["active"], true);
    // It is used up although there was nothing to revoke.
    let for_nothing = sign(&app, &key, json!({}));
    assert_eq!(revoke("x", &for_nothing).await.status, 200);
    assert_eq!(revoke(&tokens[1], &for_nothing).await.status, 401);
    let jag = id_jag(&app);
    refused(&app, &form(&jag, &for_nothing), REPLAYED).await;
    assert_eq!(revoke(&tokens[1], &sign(&app, &key, json!({}))).await.status, 200);
    assert_eq!(number(&app.database.url, "(SELECT count(*) FROM revocations)"), 2);
}

/// EMA §7.5.1: a policy can ask for the strong method.
#[tokio::test]
async fn policies_see_the_method() {
    let rule = "@id(\"strong\") @reason(\"weak_client\") @error(\"access_denied\") @message(\"No.\")\n\
        forbid (principal, action in Action::\"grant\", resource)\n\
        unless { context.client.auth_method == \"private_key_jwt\" };\n";
    let dir = with_shipped(&[("strong.cedar", rule)]);
    let policies = dir.path().to_owned();
    let app = TestApp::start_with(move |config| config.policy_dir = Some(policies)).await;
    let key = Key::es256("k");
    app.put_client(signer(KeySource::Registered(jwks(&[&key]).to_string()))).await;
    assert!(SHIPPED.contains("private_key_jwt"));
    app.refused(json!({}), "access_denied", "weak_client").await;
    assert_granted(&exchange(&app, &sign(&app, &key, json!({}))).await);
}

/// CLI-03: the published TypeScript SDK authenticates so, with no `kid` and `typ` JWT; what it sent is good once.
#[tokio::test(flavor = "multi_thread")]
async fn the_published_typescript_client_authenticates() {
    let app = TestApp::start().await;
    real_time(&app);
    let rsa = Key::rsa("k", 0);
    app.put_client(signer(KeySource::Registered(jwks(&[&rsa]).to_string()))).await;
    let script = package("tests/node").join("private-key-jwt.mjs");
    let mut node = published_client("node", script);
    node.env("ISSUER", app.issuer())
        .env("CLIENT_ID", SIGNER)
        .env("PRIVATE_KEY", rsa_pem(0))
        .env("ALG", "RS256")
        .env("ID_JAG", id_jag(&app));
    let (ok, result) = last_line(node).await;
    assert!(ok, "{result}");
    assert_eq!(result["methods"], json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]));
    assert_eq!(result["first"]["status"], 200, "{result}");
    assert_eq!(result["first"]["body"]["token_type"], "Bearer");
    assert_eq!(result["second"]["status"], 401, "{result}");
    assert_eq!(result["second"]["body"]["error"], "invalid_client");
}
