//! MCP servers that sign assertions in the place of a secret (RFC 7662 §2.1, RFC 7523 §2.2).

use axum::http::Method;
use countersign::model::client::KeySource;
use countersign::model::resource::CredentialProof;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{SERVER, SERVER_SECRET, assert_unauthorized, by_server, put_credentials, put_proof, send, url};
use crate::admin::harness::Harness;
use crate::client_assertion::{ASSERTION_TYPE, SIGNER, jwks, put_signer, sign};
use crate::harness::{Answer, RESOURCE, TestApp, resource};
use crate::idp::Key;
use crate::subject::futures_all;

const SIGNING: &str = "resource-with-keys";

async fn start(key: &Key) -> TestApp {
    let app = TestApp::start().await;
    put_keys(&app, KeySource::Registered(jwks(&[key]).to_string())).await;
    app
}

async fn put_keys(app: &TestApp, keys: KeySource) {
    put_proof(app, (RESOURCE, SIGNING), CredentialProof::Keys(keys)).await;
}

fn own(changes: Value) -> Value {
    let mut own = json!({ "iss": SIGNING, "sub": SIGNING });
    own.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    own
}

fn request(app: &TestApp, endpoint: &str, assertion: &str, more: &[(&str, &str)]) -> RequestBuilder {
    let mut form = vec![("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)];
    form.extend_from_slice(more);
    app.http.request(Method::POST, url(app, endpoint)).form(&form)
}

async fn introspect(app: &TestApp, assertion: &str, token: &str) -> Answer {
    send(request(app, "introspect", assertion, &[("token", token)])).await
}

/// INT-01, CLI-03: the server's key is as good as a secret, once for each assertion, also in other processes.
#[tokio::test]
async fn a_server_introspects_with_its_key() {
    let key = Key::es256("k");
    let app = start(&key).await;
    let token = app.granted(json!({})).await;
    let used = app.written().await.used_assertions;
    let assertion = sign(&app, &key, own(json!({})));
    assert_eq!(introspect(&app, &assertion, token.access_token()).await.json["active"], true);
    assert_eq!(app.written().await.used_assertions, used + 1);
    assert_unauthorized(&introspect(&app, &assertion, token.access_token()).await);
    let beside = [("token", token.access_token()), ("client_id", SIGNING)];
    let again = sign(&app, &key, own(json!({})));
    assert_eq!(send(request(&app, "introspect", &again, &beside)).await.json["active"], true);
    // At once, one passes.
    let one = sign(&app, &key, own(json!({})));
    let answers = futures_all((0..6).map(|_| introspect(&app, &one, token.access_token()))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    // A client's assertion with the same `jti` is another one.
    put_signer(&app, KeySource::Registered(jwks(&[&key]).to_string())).await;
    let jti = json!({ "jti": "the-same" });
    let of_client = sign(&app, &key, jti.clone());
    assert_eq!(crate::client_assertion::exchange(&app, &of_client).await.status, 200);
    assert_eq!(introspect(&app, &sign(&app, &key, own(jti)), token.access_token()).await.status, 200);
}

/// CLI-03, CLI-04, CLI-05, INT-01: what a client's assertion must be, a server's must be. Nothing is used up.
#[tokio::test]
async fn an_assertion_that_is_no_good_is_refused() {
    let key = Key::es256("k");
    let app = start(&key).await;
    put_credentials(&app, RESOURCE, SERVER).await;
    put_signer(&app, KeySource::Registered(jwks(&[&key]).to_string())).await;
    let token = app.granted(json!({})).await;
    let before = app.written().await;
    let now = countersign::clock::Clock::now(&app.clock);
    let mut bad: Vec<String> = [
        json!({ "aud": url(&app, "introspect") }),
        json!({ "aud": [app.issuer(), "https://other.example"] }),
        json!({ "sub": SERVER }),
        json!({ "iss": SERVER, "sub": SERVER }),
        json!({ "iss": SIGNER, "sub": SIGNER }),
        json!({ "iss": "nobody", "sub": "nobody" }),
        json!({ "jti": null }),
        json!({ "exp": now - 60 }),
        json!({ "exp": now + 7200 }),
    ]
    .into_iter()
    .map(|changes| sign(&app, &key, own(changes)))
    .collect();
    bad.push(sign(&app, &Key::es256("another"), own(json!({}))));
    bad.push(sign(&app, &Key::es256("k"), own(json!({}))));
    // Tokens of other kinds.
    bad.push(app.assertion(json!({})));
    bad.push(token.access_token().to_owned());
    bad.push("x".to_owned());
    for assertion in &bad {
        assert_unauthorized(&introspect(&app, assertion, token.access_token()).await);
    }
    let good = sign(&app, &key, own(json!({})));
    let token = ("token", token.access_token());
    for more in [
        vec![token, ("client_id", SERVER)],
        vec![token, ("client_id", SIGNING), ("client_secret", SERVER_SECRET)],
    ] {
        assert_unauthorized(&send(request(&app, "introspect", &good, &more)).await);
    }
    let with_header = request(&app, "introspect", &good, &[token]).basic_auth(SERVER, Some(SERVER_SECRET));
    assert_unauthorized(&send(with_header).await);
    let without_type = [("client_assertion", good.as_str()), token];
    assert_unauthorized(&send(app.http.post(url(&app, "introspect")).form(&without_type)).await);
    let as_secret = app.http.post(url(&app, "introspect")).basic_auth(SIGNING, Some("")).form(&[token]);
    assert_unauthorized(&send(as_secret).await);
    assert_eq!(app.written().await, before, "nothing of this is used up");
    assert_eq!(introspect(&app, &good, token.1).await.json["active"], true);
    // The keys of one server's credentials say nothing about another's token.
    app.put_resource(resource("https://mcp.example.com/other", &["docs.read"])).await;
    let other = app.granted(json!({ "resource": "https://mcp.example.com/other" })).await;
    let assertion = sign(&app, &key, own(json!({})));
    assert_eq!(introspect(&app, &assertion, other.access_token()).await.body, r#"{"active":false}"#);
}

/// CLI-03: keys that the server publishes; while they cannot be fetched, it is told to come again.
#[tokio::test]
async fn keys_are_fetched_from_where_they_are() {
    let app = TestApp::start().await;
    put_keys(&app, KeySource::Fetched(app.idp.jwks_uri())).await;
    let token = app.granted(json!({})).await;
    let assertion = sign(&app, &app.idp.key, own(json!({})));
    assert_eq!(introspect(&app, &assertion, token.access_token()).await.json["active"], true);
    app.app.client_keys.forget(SIGNING);
    app.idp.change(|idp| idp.status = axum::http::StatusCode::BAD_GATEWAY);
    let before = app.written().await;
    let assertion = sign(&app, &app.idp.key, own(json!({})));
    let answer = introspect(&app, &assertion, token.access_token()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "30"), "{answer:?}");
    assert_eq!(app.written().await, before);
}

/// INT-01: the list of revocations takes a form, with either proof. A URL is no place for an assertion.
#[tokio::test]
async fn the_revocations_are_listed_by_a_form() {
    let key = Key::es256("k");
    let app = start(&key).await;
    put_credentials(&app, RESOURCE, SERVER).await;
    let listed = send(request(&app, "revocations", &sign(&app, &key, own(json!({}))), &[])).await;
    assert_eq!((listed.status, &listed.json["reset"]), (200, &json!(true)), "{listed:?}");
    let cursor = listed.json["cursor"].as_str().unwrap();
    let by_secret = by_server(&app, Method::POST, "revocations").form(&[("since", cursor), ("wait", "0")]);
    let same = send(by_secret).await;
    assert_eq!((same.status, &same.json["items"]), (200, &json!([])), "{same:?}");
    assert!(same.json.get("reset").is_none());
    assert_unauthorized_list(&send(request(&app, "revocations", "x", &[])).await);
    let assertion = sign(&app, &key, own(json!({})));
    let query = format!("client_assertion_type={ASSERTION_TYPE}&client_assertion={assertion}");
    let in_url = format!("{}?{query}", url(&app, "revocations"));
    assert_unauthorized_list(&send(app.http.get(&in_url)).await);
    let in_url = app.http.post(&in_url).form(&[("wait", "0")]);
    assert_eq!(send(in_url).await.status, 400);
    let bad_wait = by_server(&app, Method::POST, "revocations").form(&[("wait", "31")]);
    assert_eq!(send(bad_wait).await.status, 400);
}

#[track_caller]
fn assert_unauthorized_list(answer: &Answer) {
    assert_eq!((answer.status, &answer.json["error"]), (401, &json!("invalid_client")), "{answer:?}");
}

#[tokio::test]
async fn operators_make_credentials_with_keys() {
    let h = Harness::start().await;
    let body = json!({ "identifier": "https://mcp.example.com/mcp", "name": "Docs" });
    let made = h.operator.post("/resources", body).await.expect(201);
    let path = format!("/resources/{}/credentials", made["id"].as_str().unwrap());
    let keys = jwks(&[&Key::es256("k")]);
    let made = h.operator.post(&path, json!({ "jwks": keys })).await.expect(201);
    assert_eq!((&made["auth_method"], &made["jwks"]), (&json!("private_key_jwt"), &keys));
    assert!(made.get("client_secret").is_none(), "{made}");
    let uri = "https://mcp.example.com/keys";
    let made = h.operator.post(&path, json!({ "jwks_uri": uri })).await.expect(201);
    assert_eq!(made["jwks_uri"], uri);
    let secret = h.operator.post(&path, json!({ "jwks": null })).await.expect(201);
    assert!(secret["client_secret"].is_string());
    assert_eq!(h.operator.get(&path).await.expect(200)["items"].as_array().unwrap().len(), 3);
    for (bad, code) in [
        (json!({ "jwks": keys, "jwks_uri": uri }), "client_keys_missing"),
        (json!({ "jwks": { "keys": [] } }), "jwks_invalid"),
        (json!({ "jwks_uri": "http://10.0.0.1/keys" }), "jwks_uri_invalid"),
    ] {
        h.refuses(&h.operator, (Method::POST, &path), Some(bad), (422, code)).await;
    }
    let audit = h.operator.get("/audit?action=resource.credentials.create").await.expect(200);
    assert!(audit.to_string().contains(uri), "{audit}");
}
