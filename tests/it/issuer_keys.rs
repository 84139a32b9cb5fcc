//! The cache of an issuer's keys: how often it is asked, and what happens when it does not answer.

use countersign::store::changes::Changed;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use countersign::config::{ConfinedOrigin, PrivateOrigin};
use countersign::oauth::request::JWT_BEARER;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::explain::admin;
use crate::harness::{Answer, CLIENT, SECRET, START, TestApp};
use crate::idp::{FakeIdp, Key};

/// How often metadata and keys were asked for.
fn asked(idp: &FakeIdp) -> (usize, usize) {
    (idp.metadata_requests(), idp.jwks_requests())
}

fn break_down(idp: &FakeIdp) {
    idp.change(|b| b.status = StatusCode::INTERNAL_SERVER_ERROR);
}

fn recover(idp: &FakeIdp) {
    idp.change(|b| b.status = StatusCode::OK);
}

/// Exchanges an assertion signed with this key, which is valid at the test's time.
async fn exchange_with_key(app: &TestApp, key: &Key) -> Answer {
    app.exchange(&key.assertion(&app.claims())).await
}

async fn granted_with(app: &TestApp, key: &Key) {
    let answer = exchange_with_key(app, key).await;
    assert_eq!(answer.status, 200, "{}: {answer:?}", key.kid);
}

async fn refused_with(app: &TestApp, key: &Key, reason: &str) {
    app.refused_assertion(&key.assertion(&app.claims()), "invalid_grant", reason).await;
}

/// The issuer cannot be asked and nothing usable is left: try again later.
async fn unreachable(app: &TestApp, assertion: &str) {
    let before = app.written().await;
    let answer = app.exchange(assertion).await;
    app.assert_refused(&answer, before, 503, "temporarily_unavailable", "issuer_unreachable").await;
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert!(!answer.body.contains("127.0.0.1"), "{}", answer.body);
}

/// Starts an exchange that runs beside the test.
fn spawn(app: &TestApp, tasks: &mut JoinSet<Answer>, assertion: String) {
    let form = [("grant_type", JWT_BEARER.to_owned()), ("assertion", assertion)];
    let request = app.http.post(app.token_url()).basic_auth(CLIENT, Some(SECRET)).form(&form);
    tasks.spawn(async move { Answer::of(request.send().await.unwrap()).await });
}

/// ADM-07
#[tokio::test]
async fn keys_are_fetched_once_while_they_are_fresh() {
    let app = TestApp::start().await;
    for i in 0..20 {
        app.granted(json!({ "sub": format!("sub-{i}"), "email": format!("u{i}@acme.com") })).await;
    }
    assert_eq!(asked(&app.idp), (1, 1));
    app.clock.advance(599);
    app.granted(json!({})).await;
    assert_eq!(asked(&app.idp), (1, 1));
    app.clock.advance(1);
    app.granted(json!({})).await;
    assert_eq!(asked(&app.idp), (2, 2), "max-age has passed");
}

/// ADM-07: single flight.
#[tokio::test]
async fn parallel_first_sign_ins_fetch_once() {
    let app = TestApp::start().await;
    app.idp.change(|b| b.delay = Duration::from_millis(100));
    let mut tasks = JoinSet::new();
    for i in 0..64 {
        let claims = json!({ "sub": format!("sub-{i}"), "email": format!("u{i}@acme.com") });
        spawn(&app, &mut tasks, app.assertion(claims));
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!((asked(&app.idp), answers.len()), ((1, 1), 64));
}

/// ADM-07: a client that goes away takes no fetch with it, neither from others that wait for it nor from
/// those who come within the cool-down.
#[tokio::test]
async fn a_client_that_gives_up_does_not_stop_the_fetch() {
    let app = TestApp::start().await;
    app.idp.change(|b| b.delay = Duration::from_millis(400));
    let form = [("grant_type", JWT_BEARER.to_owned()), ("assertion", app.assertion(json!({})))];
    let request = app.http.post(app.token_url()).basic_auth(CLIENT, Some(SECRET)).form(&form);
    let impatient = request.timeout(Duration::from_millis(200)).send();
    assert!(impatient.await.unwrap_err().is_timeout());
    app.granted(json!({ "sub": "00u2eve", "email": "eve@acme.com" })).await;
    assert_eq!(asked(&app.idp), (1, 1));
}

/// ADM-07: whoever invents key ids makes us ask once in a while, whatever the number.
#[tokio::test]
async fn a_flood_of_unknown_kids_causes_two_fetches() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let claims = app.claims();
    let mut tasks = JoinSet::new();
    for i in 0..300 {
        if i == 150 {
            // The cool-down of the first fetch is over.
            tasks.join_next().await;
            app.clock.advance(30);
        }
        let key = Key::rsa(&format!("unknown-{i}"), 0);
        spawn(&app, &mut tasks, key.assertion(&claims));
        if tasks.len() >= 32 {
            let answer = tasks.join_next().await.unwrap().unwrap();
            assert_eq!((answer.status, answer.json["error"].as_str()), (400, Some("invalid_grant")));
        }
    }
    for answer in tasks.join_all().await {
        assert_eq!(answer.status, 400);
    }
    assert_eq!(asked(&app.idp), (2, 2));
    let rows = app.sign_ins().await;
    assert!(rows.iter().take(300).all(|row| row.reason == "kid_unknown"));
    app.granted(json!({})).await;
    assert_eq!(asked(&app.idp), (2, 2), "those who are known are not disturbed");
}

/// ADM-07: rotation, in one request.
#[tokio::test]
async fn a_new_key_works_after_the_cool_down() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let new = Key::es256("idp-2");
    app.idp.publish(&[&app.idp.key, &new]);
    refused_with(&app, &new, "kid_unknown").await;
    app.clock.advance(29);
    refused_with(&app, &new, "kid_unknown").await;
    assert_eq!(asked(&app.idp), (1, 1));
    app.clock.advance(1);
    granted_with(&app, &new).await;
    app.granted(json!({})).await;
    assert_eq!(asked(&app.idp), (2, 2));
}

/// ADM-07
#[tokio::test]
async fn a_removed_key_dies_when_its_set_does() {
    let app = TestApp::start().await;
    let (old, new) = (app.idp.key.clone(), Key::es256("idp-2"));
    granted_with(&app, &old).await;
    app.idp.publish(&[&new]);
    app.clock.advance(599);
    granted_with(&app, &old).await;
    app.clock.advance(1);
    refused_with(&app, &old, "kid_unknown").await;
    granted_with(&app, &new).await;
    assert_eq!(asked(&app.idp), (2, 2));
}

/// ADM-07: earlier, when somebody needs the key that replaced it.
#[tokio::test]
async fn a_removed_key_dies_when_its_successor_is_used() {
    let app = TestApp::start().await;
    let (old, new) = (app.idp.key.clone(), Key::es256("idp-2"));
    granted_with(&app, &old).await;
    app.idp.publish(&[&new]);
    app.clock.advance(30);
    granted_with(&app, &new).await;
    refused_with(&app, &old, "kid_unknown").await;
}

/// ADM-08: without a kid there must be no choice.
#[tokio::test]
async fn without_a_kid_exactly_one_key_must_fit() {
    let app = TestApp::start().await;
    let (rsa, elliptic, other) = (app.idp.key.clone(), Key::es256("p256"), Key::es256("p256-2"));
    let without_kid = |key: &Key| {
        let mut header = key.header();
        header.as_object_mut().unwrap().remove("kid");
        key.sign(&header.to_string(), &Value::Object(app.claims()).to_string())
    };
    app.idp.publish(&[&rsa, &elliptic]);
    for key in [&rsa, &elliptic] {
        let answer = app.exchange(&without_kid(key)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    app.clock.advance(600);
    app.idp.publish(&[&rsa, &elliptic, &other]);
    assert_eq!(app.exchange(&without_kid(&rsa)).await.status, 200);
    for key in [&elliptic, &other] {
        app.refused_assertion(&without_kid(key), "invalid_grant", "kid_unknown").await;
    }
    // A key without kid that is alone in its set is the one that is meant, whether the assertion names one or not.
    let mut nameless = elliptic.jwk();
    nameless.as_object_mut().unwrap().remove("kid");
    app.idp.change(|b| b.jwks = json!({ "keys": [nameless] }));
    app.clock.advance(600);
    assert_eq!(app.exchange(&without_kid(&elliptic)).await.status, 200);
    granted_with(&app, &elliptic).await;
    refused_with(&app, &other, "signature_bad").await;
}

async fn detail(app: &TestApp) -> String {
    app.last_sign_in().await.detail
}

/// Whoever runs the identity provider learns what is wrong with the key, not only that there is none.
#[tokio::test]
async fn an_unknown_kid_says_what_is_published() {
    let app = TestApp::start().await;
    let (weak, fine, other) = (Key::rsa("weak", 0), Key::es256("fine"), Key::es256("other"));
    let mut weak_jwk = weak.jwk();
    weak_jwk["n"] = json!(crate::idp::b64([0xff; 128]));
    let mut nameless = other.jwk();
    nameless["kid"] = Value::Null;
    let cases = [
        (vec![weak_jwk.clone(), fine.jwk()], &weak, "\"weak\" is there, but is RSA with 1024 bits"),
        (vec![fine.jwk(), nameless.clone()], &other, "no key \"other\"; it has \"fine\", 1 without kid"),
        (vec![fine.jwk()], &Key::rsa("fine", 0), "\"fine\" is there, but is not for the alg"),
        // A sole key without kid is not taken for one that is there and cannot be used.
        (vec![weak_jwk, nameless], &weak, "\"weak\" is there, but is RSA with 1024 bits"),
    ];
    for (published, signer, expected) in cases {
        app.clock.advance(600);
        app.idp.change(|b| b.jwks = json!({ "keys": published }));
        refused_with(&app, signer, "kid_unknown").await;
        let detail = detail(&app).await;
        assert!(detail.contains(expected), "{detail}");
    }
}

/// ADM-08
#[tokio::test]
async fn of_keys_with_one_kid_those_that_fit_are_tried() {
    let app = TestApp::start().await;
    let keys = [Key::rsa("same", 0), Key::rsa("same", 1), Key::es256("same"), Key::ed25519("same")];
    app.idp.publish(&keys.iter().collect::<Vec<_>>());
    for key in &keys {
        granted_with(&app, key).await;
    }
    refused_with(&app, &Key::es256("same"), "signature_bad").await;
    refused_with(&app, &Key::es384("same"), "kid_unknown").await;
}

/// ADM-08: what cannot verify is skipped, and says nothing about the rest.
#[tokio::test]
async fn private_and_foreign_keys_are_no_candidates() {
    let app = TestApp::start().await;
    let good = Key::es256("same");
    let mut private = Key::es256("same").jwk();
    private["d"] = private["x"].clone();
    let mut wrong_alg = Key::es256("same").jwk();
    wrong_alg["alg"] = json!("HS256");
    let mut encryption = Key::es256("same").jwk();
    encryption["use"] = json!("enc");
    let secret = json!({ "kty": "oct", "kid": "same", "k": "c2VjcmV0" });
    app.idp.change(|b| b.jwks = json!({ "keys": [private, wrong_alg, encryption, secret, good.jwk()] }));
    granted_with(&app, &good).await;
    let mut header = good.header();
    header.as_object_mut().unwrap().remove("kid");
    let payload = Value::Object(app.claims()).to_string();
    assert_eq!(app.exchange(&good.sign(&header.to_string(), &payload)).await.status, 200);
}

/// ERR-06, JAG-15, ADM-07: the last keys carry on for a while; then the client is told to come again, and
/// the assertion that it comes with has not been used up.
#[tokio::test]
async fn a_broken_issuer_is_survived_for_a_while() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    break_down(&app.idp);
    app.clock.advance(600);
    app.granted(json!({})).await;
    app.clock.advance(3599);
    app.granted(json!({})).await;
    // A key that is not among them cannot be told from one that does not exist.
    refused_with(&app, &Key::es256("idp-2"), "kid_unknown").await;
    app.clock.advance(1);
    let assertion = app.assertion(json!({}));
    for _ in 0..3 {
        unreachable(&app, &assertion).await;
    }
    recover(&app.idp);
    app.clock.advance(30);
    let answer = app.exchange(&assertion).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    app.refused_assertion(&assertion, "invalid_grant", "replayed").await;
}

/// ADM-07: a broken issuer is asked no more often than a sound one.
#[tokio::test]
async fn a_broken_issuer_is_asked_once_in_a_cool_down() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    break_down(&app.idp);
    app.clock.advance(600);
    for _ in 0..50 {
        app.granted(json!({})).await;
    }
    assert_eq!(asked(&app.idp).0, 2);
    app.clock.advance(30);
    for _ in 0..50 {
        app.granted(json!({})).await;
    }
    assert_eq!((app.idp.metadata_requests(), app.idp.jwks_requests()), (3, 1));
}

/// ERR-06: also when there never were keys.
#[tokio::test]
async fn without_any_keys_the_client_comes_again() {
    let app = TestApp::start().await;
    break_down(&app.idp);
    let assertion = app.assertion(json!({}));
    unreachable(&app, &assertion).await;
    recover(&app.idp);
    unreachable(&app, &assertion).await;
    assert_eq!(asked(&app.idp), (1, 0), "the cool-down holds after failures too");
    app.clock.advance(30);
    assert_eq!(app.exchange(&assertion).await.status, 200);
}

/// ADM-07, rule: one slow identity provider is one teamspace's trouble.
#[tokio::test]
async fn a_slow_issuer_delays_nobody_else() {
    let other = FakeIdp::start(Key::es256("other")).await;
    let origin = other.issuer.clone();
    let app = TestApp::start_with(|c| c.fetch.private_origins.push(origin.into())).await;
    app.put_teamspace("globex").await;
    app.put_provider("globex", &other).await;
    app.idp.change(|b| b.delay = Duration::from_secs(3));
    let mut slow = JoinSet::new();
    spawn(&app, &mut slow, app.assertion(json!({})));
    while app.idp.metadata_requests() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let started = Instant::now();
    for i in 0..5 {
        let claims = app.claims_with(json!({ "iss": other.issuer, "sub": format!("sub-{i}"),
            "email": format!("u{i}@globex.com") }));
        let answer = app.exchange(&other.key.assertion(&claims)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(slow.try_join_next().is_none());
    app.idp.change(|b| b.delay = Duration::ZERO);
    assert_eq!(slow.join_next().await.unwrap().unwrap().status, 200);
}

/// Of the requests that an issuer keeps waiting there are only so many: the places that they hold are everybody's.
#[tokio::test]
async fn a_slow_issuer_does_not_take_all_places() {
    /// The one that asks, and those that wait for it.
    const MOST: usize = 1 + 64;
    let app = TestApp::start().await;
    app.idp.change(|b| b.delay = Duration::from_secs(3));
    let mut slow = JoinSet::new();
    for i in 0..MOST + 15 {
        let person = format!("sub-{}", i % 2);
        spawn(
            &app,
            &mut slow,
            app.assertion(json!({ "sub": person, "email": format!("{person}@acme.com") })),
        );
    }
    for _ in 0..15 {
        let answer = slow.join_next().await.unwrap().unwrap();
        assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{answer:?}");
        assert_eq!(answer.json["error"], "temporarily_unavailable");
    }
    app.idp.change(|b| b.delay = Duration::ZERO);
    while let Some(answer) = slow.join_next().await {
        assert_eq!(answer.unwrap().status, 200);
    }
    assert_eq!(asked(&app.idp), (1, 1));
}

/// ADM-07: a slow refresh keeps one sign-in waiting; the others use the keys that there are.
#[tokio::test]
async fn a_slow_refresh_delays_one_sign_in() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    app.clock.advance(600);
    app.idp.change(|b| b.delay = Duration::from_secs(2));
    let mut slow = JoinSet::new();
    spawn(&app, &mut slow, app.assertion(json!({})));
    while app.idp.metadata_requests() == 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let started = Instant::now();
    for _ in 0..5 {
        app.granted(json!({})).await;
    }
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
    assert!(slow.try_join_next().is_none());
    app.idp.change(|b| b.delay = Duration::ZERO);
    assert_eq!(slow.join_next().await.unwrap().unwrap().status, 200);
    assert_eq!(asked(&app.idp), (2, 2));
}

/// ERR-06, ADM-05: an issuer that never answers ends in a deadline, not in a hanging request.
#[tokio::test]
async fn a_stalled_issuer_ends_in_a_deadline() {
    let app = TestApp::start_with(|c| c.fetch.timeout = "1s".parse().unwrap()).await;
    app.idp.change(|b| b.delay = Duration::from_secs(60));
    let started = Instant::now();
    unreachable(&app, &app.assertion(json!({}))).await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

/// ADM-07: after the clock was set back, keys are not taken for fresh until it has caught up; and the issuer is not
/// asked more often than otherwise.
#[tokio::test]
async fn a_clock_that_is_set_back_has_the_issuer_asked_again() {
    let app = TestApp::start_with(|c| c.fetch.timeout = "1s".parse().unwrap()).await;
    for _ in 0..2 {
        app.granted(json!({})).await;
    }
    assert_eq!(asked(&app.idp), (1, 1));
    app.clock.advance(40);
    app.clock.set(START - 3600);
    for _ in 0..2 {
        app.granted(json!({})).await;
    }
    assert_eq!(asked(&app.idp), (2, 2));
    // While they cannot be asked, keys are as old as they are.
    app.idp.change(|b| b.delay = Duration::from_secs(60));
    app.clock.advance(600 + 3600 - 1);
    app.clock.set(START - 7200);
    let answer = app.exchange(&app.assertion(json!({}))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    app.clock.advance(31);
    unreachable(&app, &app.assertion(json!({}))).await;
}

/// ADM-07: the issuer's max-age counts within our bounds.
#[tokio::test]
async fn max_age_is_clamped() {
    for (cache_control, expected) in [
        ("max-age=0", 60),
        ("public, max-age=59", 60),
        ("max-age=-5", 60),
        ("max-age=90, must-revalidate", 90),
        ("max-age=600", 600),
        ("max-age=86400", 600),
        ("max-age=99999999999999999999", 600),
        ("no-store", 600),
        ("nonsense", 600),
    ] {
        let app = TestApp::start().await;
        app.idp.change(|b| b.cache_control = cache_control);
        app.granted(json!({})).await;
        app.clock.advance(expected - 1);
        app.granted(json!({})).await;
        assert_eq!(asked(&app.idp), (1, 1), "{cache_control}: still fresh");
        app.clock.advance(1);
        app.granted(json!({})).await;
        assert_eq!(asked(&app.idp), (2, 2), "{cache_control}: no longer fresh");
    }
}

/// ADM-07, ADM-10: keys of somebody who says to be another issuer are not taken over.
#[tokio::test]
async fn an_issuer_that_has_become_another_is_not_followed() {
    let app = TestApp::start().await;
    let (old, new) = (app.idp.key.clone(), Key::es256("idp-2"));
    granted_with(&app, &old).await;
    app.idp.publish(&[&new]);
    let slash = format!("{}/", app.idp.issuer);
    for name in ["https://evil.example", slash.as_str(), ""] {
        app.idp.change(|b| b.metadata_issuer = name.to_owned());
        app.clock.advance(600);
        refused_with(&app, &new, "kid_unknown").await;
        granted_with(&app, &old).await;
    }
    assert_eq!(app.idp.jwks_requests(), 1, "its keys are not even fetched");
    app.clock.advance(3600);
    unreachable(&app, &old.assertion(&app.claims())).await;
    app.idp.change(|b| b.metadata_issuer = app.idp.issuer.clone());
    app.clock.advance(30);
    granted_with(&app, &new).await;
}

/// ADM-10: the keys are taken from where the administrator saw them when saving.
#[tokio::test]
async fn a_moved_jwks_uri_is_not_followed() {
    let elsewhere = FakeIdp::start(Key::es256("elsewhere")).await;
    let origin = elsewhere.issuer.clone();
    let app = TestApp::start_with(|c| c.fetch.private_origins.push(origin.into())).await;
    let uri = elsewhere.jwks_uri();
    app.change_provider(|p| p.jwks_uri = uri).await;
    // The metadata names the issuer's own place, the saved one is elsewhere: that one counts.
    granted_with(&app, &elsewhere.key).await;
    refused_with(&app, &app.idp.key, "kid_unknown").await;
    assert_eq!(app.idp.jwks_requests(), 0);
}

/// Serves one odd answer where keys should be; counts how often it was asked.
async fn odd_keys(status: StatusCode, headers: &[(&str, &str)], body: String) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(header::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    let answer = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready((status, map.clone(), body.clone()).into_response())
    };
    let router = Router::new().route("/keys", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (origin, requests)
}

/// ADM-05, ERR-06: only a JSON document of bounded size, given directly, is a key set.
#[tokio::test]
async fn what_is_no_key_set_is_refused() {
    let key = Key::es256("good");
    let set = json!({ "keys": [key.jwk()] });
    let padded = json!({ "keys": [key.jwk()], "padding": "x".repeat(256 * 1024) }).to_string();
    let json_type = ("content-type", "application/json");
    let target = FakeIdp::start(key.clone()).await;
    let (ok, uri) = (StatusCode::OK, target.jwks_uri());
    for (what, status, headers, body) in [
        ("HTML", ok, vec![("content-type", "text/html")], set.to_string()),
        ("no type", ok, vec![("content-type", "")], set.to_string()),
        ("too large", ok, vec![json_type], padded),
        ("redirect", StatusCode::FOUND, vec![json_type, ("location", uri.as_str())], set.to_string()),
        (
            "permanent redirect",
            StatusCode::PERMANENT_REDIRECT,
            vec![("location", uri.as_str())],
            String::new(),
        ),
        ("other success", StatusCode::CREATED, vec![json_type], set.to_string()),
        ("no JSON", ok, vec![json_type], "<html>".to_owned()),
        ("cut JSON", ok, vec![json_type], set.to_string()[..40].to_owned()),
        ("no object", ok, vec![json_type], "[]".to_owned()),
        ("no keys", ok, vec![json_type], "{}".to_owned()),
        ("keys no array", ok, vec![json_type], "{\"keys\":{}}".to_owned()),
        ("no usable key", ok, vec![json_type], "{\"keys\":[{\"kty\":\"oct\",\"k\":\"eA\"}]}".to_owned()),
    ] {
        let (origin, requests) = odd_keys(status, &headers, body).await;
        let origins = [origin.clone(), target.issuer.clone()];
        let app = TestApp::start_with(|c| c.fetch.private_origins.extend(origins.map(Into::into))).await;
        app.change_provider(move |p| p.jwks_uri = format!("{origin}/keys")).await;
        let assertion = key.assertion(&app.claims());
        unreachable(&app, &assertion).await;
        assert_eq!(requests.load(Ordering::SeqCst), 1, "{what}");
        // Nothing is lost: from the right place the same assertion is good.
        let uri = target.jwks_uri();
        app.change_provider(move |p| p.jwks_uri = uri).await;
        let before = target.jwks_requests();
        assert_eq!(app.exchange(&assertion).await.status, 200, "{what}");
        assert_eq!(target.jwks_requests(), before + 1);
    }
    let jwk_set = ("content-type", "application/jwk-set+json; charset=utf-8");
    let (origin, _) = odd_keys(ok, &[jwk_set], set.to_string()).await;
    let private = origin.clone();
    let app = TestApp::start_with(|c| c.fetch.private_origins.push(private.into())).await;
    app.change_provider(move |p| p.jwks_uri = format!("{origin}/keys")).await;
    granted_with(&app, &key).await;
    // A byte order mark before the text, and a max-age in other letters.
    let headers = [("content-type", "application/json"), ("cache-control", "public, Max-Age=\"60\"")];
    let (origin, requests) = odd_keys(ok, &headers, format!("\u{feff}{set}")).await;
    let private = origin.clone();
    let app = TestApp::start_with(|c| c.fetch.private_origins.push(private.into())).await;
    app.change_provider(move |p| p.jwks_uri = format!("{origin}/keys")).await;
    for (passed, asked) in [(0, 1), (59, 1), (1, 2)] {
        app.clock.advance(passed);
        granted_with(&app, &key).await;
        assert_eq!(requests.load(Ordering::SeqCst), asked, "{passed}");
    }
}

/// ADM-07: a bad answer does not take the place of good keys.
#[tokio::test]
async fn a_bad_answer_replaces_nothing() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    for jwks in
        [json!([]), json!({}), json!({ "keys": [] }), json!({ "keys": [{ "kty": "oct", "k": "eA" }] })]
    {
        app.idp.change(|b| b.jwks = jwks);
        app.clock.advance(600);
        app.granted(json!({})).await;
    }
    assert_eq!(asked(&app.idp), (5, 5));
}

/// ADM-05, ADM-06: the fetcher's rules hold at sign-in as they do when saving.
#[tokio::test]
async fn addresses_that_are_not_excused_are_never_asked() {
    let stranger = FakeIdp::start(Key::es256("stranger")).await;
    let app = TestApp::start().await;
    app.put_teamspace("globex").await;
    app.put_provider("globex", &stranger).await;
    let claims = app.claims_with(json!({ "iss": stranger.issuer }));
    unreachable(&app, &stranger.key.assertion(&claims)).await;
    assert_eq!(asked(&stranger), (0, 0));
    // Nor is another place for the keys of an issuer that is excused.
    let uri = stranger.jwks_uri();
    app.change_provider(|p| p.jwks_uri = uri).await;
    unreachable(&app, &app.assertion(json!({}))).await;
    assert_eq!((asked(&stranger), asked(&app.idp)), ((0, 0), (1, 0)));
}

/// ADM-09, JAG-31: what was cached under another configuration is not used under the new one.
#[tokio::test]
async fn saving_an_issuer_forgets_its_keys() {
    let app = TestApp::start().await;
    let (old, new) = (app.idp.key.clone(), Key::es256("idp-2"));
    granted_with(&app, &old).await;
    app.idp.publish(&[&new]);
    app.change_provider(|p| p.enabled = false).await;
    refused_with(&app, &old, "issuer_disabled").await;
    assert_eq!(asked(&app.idp), (1, 1), "a disabled issuer is not asked");
    app.change_provider(|p| p.enabled = true).await;
    granted_with(&app, &new).await;
    refused_with(&app, &old, "kid_unknown").await;
    assert_eq!(asked(&app.idp), (2, 2));
    // Other changes leave the cache alone.
    app.change_teamspace(|t| t.name = "Acme Ltd".to_owned()).await;
    granted_with(&app, &new).await;
    assert_eq!(asked(&app.idp), (2, 2));
    app.configure(Changed::Teamspace("id-of-acme".to_owned()), |c| {
        Ok(countersign::store::identity_providers::delete(c, "id-of-acme").map(drop)?)
    })
    .await;
    app.put_provider("acme", &app.idp).await;
    granted_with(&app, &new).await;
    assert_eq!(asked(&app.idp), (3, 3));
}

/// JAG-31, rule 12: a request that waits for the provider's keys while an administrator switches something
/// off is decided under the new configuration, and burns nothing.
#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_are_decided_under_the_new_configuration() {
    let app = TestApp::start().await;
    app.idp.change(|behaviour| behaviour.delay = Duration::from_millis(400));
    let assertion = app.assertion(json!({}));
    let switch_off = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        app.change_client(|client| client.enabled = false).await;
    };
    let (answer, ()) = tokio::join!(app.exchange(&assertion), switch_off);
    assert_eq!((answer.status, answer.json["error"].as_str()), (401, Some("invalid_client")), "{answer:?}");
    assert_eq!(
        (app.written().await.used_assertions, app.last_sign_in().await.reason.as_str()),
        (0, "client_blocked")
    );
    app.change_client(|client| client.enabled = true).await;
    assert_eq!(app.exchange(&assertion).await.status, 200);
}

/// One customer's key set must not cost everybody's CPU: of a thousand keys a hundred are read, and of
/// those with one kid four are tried.
#[tokio::test]
async fn key_sets_are_bounded() {
    let app = TestApp::start().await;
    let good = Key::es256("same");
    let mut keys: Vec<serde_json::Value> = (0..10).map(|_| Key::es256("same").jwk()).collect();
    keys.insert(3, good.jwk());
    app.idp.change(|behaviour| behaviour.jwks = json!({ "keys": keys }));
    assert_eq!(app.exchange(&good.assertion(&app.claims())).await.status, 200);
    keys.swap(3, 9);
    app.idp.change(|behaviour| behaviour.jwks = json!({ "keys": keys }));
    app.change_provider(|provider| provider.updated_at += 1).await;
    app.refused_assertion(&good.assertion(&app.claims()), "invalid_grant", "signature_bad").await;
    let mut keys: Vec<serde_json::Value> = (0..100).map(|i| Key::es256(&format!("k{i}")).jwk()).collect();
    keys.push(good.jwk());
    app.idp.change(|behaviour| behaviour.jwks = json!({ "keys": keys }));
    app.change_provider(|provider| provider.updated_at += 1).await;
    app.refused_assertion(&good.assertion(&app.claims()), "invalid_grant", "kid_unknown").await;
}

/// Excuses every origin for one teamspace only.
fn confine(config: &mut countersign::config::Config, slug: &str) {
    for excused in &mut config.fetch.private_origins {
        let (origin, teamspaces) = (excused.origin().to_owned(), vec![slug.to_owned()]);
        *excused = PrivateOrigin::ForSome(ConfinedOrigin { origin, teamspaces });
    }
}

/// Addresses behind the firewall are for the teamspaces that the operator names, by their current slugs.
#[tokio::test]
async fn a_private_origin_may_be_for_some_teamspaces() {
    let other = FakeIdp::start(Key::es256("other")).await;
    let origin = other.issuer.clone();
    let app = TestApp::start_with(|config| {
        config.fetch.private_origins.push(origin.into());
        confine(config, "acme");
    })
    .await;
    app.granted(json!({})).await;
    app.put_teamspace("globex").await;
    app.put_provider("globex", &other).await;
    let claims = app.claims_with(json!({ "iss": other.issuer }));
    unreachable(&app, &other.key.assertion(&claims)).await;
    assert_eq!(asked(&other), (0, 0));
    let before = asked(&app.idp);
    app.change_teamspace(|teamspace| teamspace.slug = "renamed".into()).await;
    unreachable(&app, &app.assertion(json!({}))).await;
    assert_eq!(asked(&app.idp), before);
}

/// The same when an identity provider is saved.
#[tokio::test]
async fn a_private_origin_of_another_teamspace_cannot_be_saved() {
    let app = TestApp::start_with(|config| confine(config, "acme")).await;
    app.put_teamspace("globex").await;
    let (acme, globex) = (admin(&app, Some("id-of-acme")).await, admin(&app, Some("id-of-globex")).await);
    let save = async |slug: &str, token: &str| {
        let url = format!("{}/api/v1/teamspaces/{slug}/identity-provider", app.issuer());
        let body = json!({ "provider": "oidc", "issuer": app.idp.issuer });
        Answer::of(app.http.put(url).bearer_auth(token).json(&body).send().await.unwrap()).await
    };
    let refused = save("globex", &globex).await;
    assert_eq!((refused.status, &refused.json["code"]), (422, &json!("issuer_url")), "{refused:?}");
    assert_eq!(asked(&app.idp), (0, 0));
    let taken = save("acme", &acme).await;
    assert_eq!(taken.status, 200, "{taken:?}");
}
