//! Clients that a Client ID Metadata Document describes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use countersign::config::{DocumentOrigin, DocumentUrlFault, check_document_url};
use countersign::model::kill_switch::{KillScope, KillSwitch};
use countersign::oauth::request::JWT_BEARER;
use countersign::store::changes::Changed;
use countersign::store::kill_switches;
use serde_json::{Map, Value, json};

use crate::client_assertion::{ASSERTION_TYPE, jwks, sign};
use crate::explain::admin;
use crate::files::with_shipped;
use crate::harness::{Answer, RESOURCE, START, TestApp};
use crate::idp::{FakeIdp, Key};
use crate::introspection::{SERVER, introspect, put_credentials};
use crate::request::Lines;
use crate::subject::futures_all;

const UNUSABLE: (u16, &str, &str) = (401, "invalid_client", "client_document_unusable");
const UNKNOWN: (u16, &str, &str) = (401, "invalid_client", "client_unknown");

/// A service that allows one document, and the server that has it at its `/keys`.
struct Stage {
    app: TestApp,
    publisher: FakeIdp,
    key: Key,
}

impl Stage {
    async fn start() -> Self {
        Self::start_with(false, None).await
    }

    async fn start_with(is_public: bool, policies: Option<std::path::PathBuf>) -> Self {
        let publisher = FakeIdp::start(Key::es256("unused")).await;
        let (origin, url) = (publisher.issuer.clone(), publisher.jwks_uri());
        let app = TestApp::start_with(move |config| {
            config.fetch.private_origins.push(origin.into());
            config.client_documents.allowed = vec![url.clone()];
            config.client_documents.public = if is_public { vec![url] } else { vec![] };
            config.policy_dir = policies;
        })
        .await;
        let stage = Self { app, publisher, key: Key::es256("k") };
        stage.publish(json!({}));
        stage
    }

    fn id(&self) -> String {
        self.publisher.jwks_uri()
    }

    /// Publishes a document with changes; `null` removes a member.
    fn publish(&self, changes: Value) {
        let document = json!({
            "client_id": self.id(), "client_name": "Assistant", "client_uri": "https://client.example.com",
            "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(&[&self.key]),
            "redirect_uris": ["http://127.0.0.1/callback"], "grant_types": ["authorization_code"],
        });
        let Value::Object(mut document) = document else { unreachable!() };
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(document.remove(name)),
                value => drop(document.insert(name.clone(), value.clone())),
            }
        }
        self.publisher.change(|behaviour| behaviour.jwks = Value::Object(document));
    }

    fn id_jag(&self) -> String {
        self.app.assertion(json!({ "client_id": self.id() }))
    }

    fn assertion(&self) -> String {
        sign(&self.app, &self.key, json!({ "iss": self.id(), "sub": self.id() }))
    }

    async fn send(&self, more: &[(&str, &str)]) -> Answer {
        let jag = self.id_jag();
        let mut form = vec![("grant_type", JWT_BEARER), ("assertion", jag.as_str())];
        form.extend_from_slice(more);
        Answer::of(self.app.http.post(self.app.token_url()).form(&form).send().await.unwrap()).await
    }

    /// With a client assertion.
    async fn exchange(&self) -> Answer {
        self.send(&[("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &self.assertion())]).await
    }

    /// With the name alone.
    async fn exchange_as_public(&self) -> Answer {
        self.send(&[("client_id", &self.id())]).await
    }

    /// A refusal, with nothing written but its row. Returns what the log says.
    async fn refused(&self, answer: impl Future<Output = Answer>, expected: (u16, &str, &str)) -> String {
        let (before, (status, error, reason)) = (self.app.written().await, expected);
        self.app.assert_refused(&answer.await, before, status, error, reason).await;
        self.app.last_sign_in().await.detail
    }

    /// Lets the document be fetched again.
    fn later(&self) {
        self.app.clock.advance(700);
    }
}

#[track_caller]
fn assert_granted(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// REG-02: the document is fetched when its client comes, and kept.
#[tokio::test]
async fn a_client_is_what_its_document_says() {
    let stage = Stage::start().await;
    assert_eq!(stage.publisher.jwks_requests(), 0, "nothing is fetched before it is needed");
    for _ in 0..3 {
        let answer = stage.exchange().await;
        assert_granted(&answer);
        assert_eq!(answer.claims()["client_id"], json!(stage.id()));
    }
    assert_eq!((stage.publisher.jwks_requests(), stage.publisher.metadata_requests()), (1, 0));
    // RFC 8725: the assertion is bound to this client all the same.
    let other = stage.app.assertion(json!({}));
    let form = [
        ("grant_type", JWT_BEARER),
        ("assertion", other.as_str()),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &stage.assertion()),
    ];
    let answer = async {
        Answer::of(stage.app.http.post(stage.app.token_url()).form(&form).send().await.unwrap()).await
    };
    stage.refused(answer, (400, "invalid_grant", "client_id_mismatch")).await;
}

/// REG-02, DPP-05: a document that says that its client always uses DPoP is taken at its word.
#[tokio::test]
async fn a_document_may_demand_bound_tokens() {
    let stage = Stage::start().await;
    stage.publish(json!({ "dpop_bound_access_tokens": true }));
    stage.refused(stage.exchange(), (400, "invalid_grant", "proof_required")).await;
    stage.later();
    stage.publish(json!({ "dpop_bound_access_tokens": false }));
    assert_granted(&stage.exchange().await);
}

/// REG-02: keys at a `jwks_uri` of the document.
#[tokio::test]
async fn a_document_may_lead_to_keys() {
    let stage = Stage::start().await;
    let keys = FakeIdp::start(stage.key.clone()).await;
    stage.publish(json!({ "jwks": null, "jwks_uri": keys.jwks_uri() }));
    let detail = stage.refused(stage.exchange(), UNUSABLE).await;
    assert!(detail.contains("jwks_uri must be https"), "its origin is not excused: {detail}");
    assert_eq!(keys.jwks_requests(), 0);
    stage.later();
    // The test's server answers alike everywhere: the document is its own key set.
    let (uri, keys) =
        (format!("{}/oauth2/jwks", stage.publisher.issuer), jwks(&[&stage.key])["keys"].clone());
    stage.publish(json!({ "jwks": null, "jwks_uri": uri, "keys": keys }));
    assert_granted(&stage.exchange().await);
}

/// REG-05: off unless the operator allows a document, and then only that one is fetched.
#[tokio::test]
async fn only_allowed_documents_are_fetched() {
    let stage = Stage::start().await;
    let other = FakeIdp::start(Key::es256("other")).await;
    for url in [
        other.jwks_uri(),
        format!("{}?x", stage.id()),
        format!("{}/", stage.id()),
        stage.publisher.issuer.clone(),
    ] {
        let signed = sign(&stage.app, &stage.key, json!({ "iss": url, "sub": url }));
        let by_assertion = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", signed.as_str())];
        stage.refused(stage.send(&by_assertion), UNKNOWN).await;
        stage.refused(stage.send(&[("client_id", &url)]), UNKNOWN).await;
    }
    assert_eq!((other.jwks_requests(), stage.publisher.jwks_requests()), (0, 0));
    let known = stage.app.get("/.well-known/oauth-authorization-server").await.json;
    assert_eq!(known["client_id_metadata_document_supported"], true);
    let off = TestApp::start().await;
    let known = off.get("/.well-known/oauth-authorization-server").await.json;
    assert_eq!(known.get("client_id_metadata_document_supported"), None);
}

/// CLI-07: without credentials a client is refused, unless the operator lets this one do so; policies see it.
#[tokio::test]
async fn a_public_client_needs_the_operators_leave() {
    let none = json!({ "token_endpoint_auth_method": "none", "jwks": null });
    let stage = Stage::start().await;
    stage.publish(none.clone());
    let public = (400, "unauthorized_client", "client_public");
    stage.refused(stage.exchange_as_public(), public).await;
    let detail = stage.refused(stage.exchange(), (401, "invalid_client", "client_auth_failed")).await;
    assert!(detail.contains("registered for none"), "{detail}");

    let stage = Stage::start_with(true, None).await;
    stage.publish(none.clone());
    assert_granted(&stage.exchange_as_public().await);
    let known = stage.app.get("/.well-known/oauth-authorization-server").await.json;
    assert!(known["token_endpoint_auth_methods_supported"].as_array().unwrap().contains(&json!("none")));

    let rule = "@id(\"keys\") @reason(\"client_needs_key\") @error(\"access_denied\") @message(\"No.\")\n\
        forbid (principal, action in Action::\"grant\", resource)\n\
        when { context.client.public && context.client.auth_method == \"none\" };\n";
    let dir = with_shipped(&[("keys.cedar", rule)]);
    let stage = Stage::start_with(true, Some(dir.path().to_owned())).await;
    stage.publish(none);
    stage.refused(stage.exchange_as_public(), (400, "access_denied", "client_needs_key")).await;
}

/// REG-03: a client with keys must use them, also where it could be public.
#[tokio::test]
async fn authentication_is_mandatory_for_a_client_with_keys() {
    let stage = Stage::start_with(true, None).await;
    stage.refused(stage.exchange_as_public(), (401, "invalid_client", "client_auth_failed")).await;
    assert_granted(&stage.exchange().await);
}

/// REG-02, REG-03: each rule for the document.
#[tokio::test]
async fn a_document_that_breaks_a_rule_makes_no_client() {
    let stage = Stage::start().await;
    let private = {
        let mut key = stage.key.jwk();
        key["d"] = json!("AAAA");
        json!({ "keys": [key] })
    };
    let profile = "urn:ietf:params:oauth:grant-profile:id-jag";
    for (changes, said) in [
        (json!({ "client_id": null }), "client_id is not its URL"),
        (json!({ "client_id": format!("{}/", stage.id()) }), "client_id is not its URL"),
        (json!({ "client_id": stage.id().to_uppercase() }), "client_id is not its URL"),
        (json!({ "client_id": 7 }), "client_id has a wrong type"),
        (json!({ "client_secret": "x" }), "has client_secret"),
        (json!({ "client_secret_expires_at": 0 }), "has client_secret_expires_at"),
        (json!({ "token_endpoint_auth_method": "client_secret_basic" }), "must be private_key_jwt or none"),
        (json!({ "token_endpoint_auth_method": "client_secret_jwt" }), "must be private_key_jwt or none"),
        (json!({ "token_endpoint_auth_method": null }), "must be private_key_jwt or none"),
        (json!({ "token_endpoint_auth_method": ["none"] }), "token_endpoint_auth_method has a wrong type"),
        (json!({ "jwks": null }), "exactly one of jwks and jwks_uri"),
        (json!({ "jwks_uri": "https://client.example.com/k" }), "exactly one of jwks and jwks_uri"),
        (json!({ "jwks": { "keys": [{ "kty": "oct", "k": "AAAA" }] } }), "private or symmetric"),
        (json!({ "jwks": private }), "private or symmetric"),
        (json!({ "jwks": { "keys": [] } }), "no usable public signing key"),
        (json!({ "jwks": null, "jwks_uri": "http://client.example.com/k" }), "jwks_uri must be https"),
        (json!({ "jwks": null, "jwks_uri": "https://10.0.0.1/k" }), "not public"),
        (json!({ "authorization_grant_profiles_supported": profile }), "has a wrong type"),
        (json!({ "grant_types": "authorization_code" }), "grant_types has a wrong type"),
        (json!({ "client_name": 7 }), "client_name has a wrong type"),
        (json!({ "dpop_bound_access_tokens": "true" }), "dpop_bound_access_tokens has a wrong type"),
        (json!({ "logo_uri": "x".repeat(5 * 1024) }), "more than 5120 bytes"),
    ] {
        stage.publish(changes.clone());
        let detail = stage.refused(stage.exchange(), UNUSABLE).await;
        assert!(detail.contains(said), "{changes}: {detail}");
        stage.later();
    }
    for status in [StatusCode::FOUND, StatusCode::NOT_FOUND, StatusCode::CREATED, StatusCode::BAD_GATEWAY] {
        stage.publisher.change(|behaviour| behaviour.status = status);
        stage.publish(json!({}));
        stage.refused(stage.exchange(), UNUSABLE).await;
        stage.later();
    }
    stage.publisher.change(|behaviour| behaviour.status = StatusCode::OK);
    stage.publish(json!({}));
    assert_granted(&stage.exchange().await);
}

/// REG-06: a document that names the profile without both of its grants is told in the log, and its client gets in.
#[tokio::test]
async fn a_profile_without_its_grants_is_noticed() {
    let profile = "urn:ietf:params:oauth:grant-profile:id-jag";
    let both = json!([JWT_BEARER, "urn:ietf:params:oauth:grant-type:token-exchange"]);
    for (grants, is_told) in [(json!([JWT_BEARER]), true), (json!(null), true), (both, false)] {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).finish();
        // As long as there is one subscriber only, another test's thread may be asked whether a line is wanted.
        let _second = tracing::Dispatch::new(tracing_subscriber::registry());
        let guard = tracing::subscriber::set_default(subscriber);
        let stage = Stage::start().await;
        stage.publish(json!({ "authorization_grant_profiles_supported": [profile], "grant_types": grants }));
        assert_granted(&stage.exchange().await);
        drop(guard);
        assert_eq!(
            lines.text().contains("but not both of its grants"),
            is_told,
            "{grants}: {}",
            lines.text()
        );
    }
}

/// REG-02: what is published need be neither JSON by its type nor strict; ours must be both.
#[tokio::test]
async fn only_strict_json_is_read() {
    use axum::http::header::CONTENT_TYPE;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let url = |path: &str| format!("{origin}{path}");
    let good =
        |path: &str| json!({ "client_id": url(path), "token_endpoint_auth_method": "none" }).to_string();
    let twice = format!("{{\"client_id\":\"https://x.example/a\",{}", &good("/twice")[1..]);
    let bodies: Vec<(&str, &str, String)> = vec![
        ("/good", "application/json", good("/good")),
        ("/suffix", "application/client-metadata+json; charset=utf-8", good("/suffix")),
        ("/text", "text/plain", good("/text")),
        ("/none", "", good("/none")),
        ("/list", "application/json", format!("[{}]", good("/list"))),
        ("/twice", "application/json", twice),
        ("/more", "application/json", format!("{} x", good("/more"))),
    ];
    let mut router = axum::Router::new();
    for (path, content_type, body) in bodies.clone() {
        let answer = move || async move { ([(CONTENT_TYPE, content_type)], body) };
        router = router.route(path, axum::routing::get(answer));
    }
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let urls: Vec<String> = bodies.iter().map(|(path, ..)| url(path)).collect();
    let (excused, allowed) = (origin.clone(), urls.clone());
    let app = TestApp::start_with(move |config| {
        config.fetch.private_origins.push(excused.into());
        config.client_documents.allowed = allowed.clone();
        config.client_documents.public = allowed;
    })
    .await;
    let mut statuses = Map::new();
    for ((path, ..), url) in bodies.iter().zip(&urls) {
        let jag = app.assertion(json!({ "client_id": url }));
        let answer = app.http.post(app.token_url()).form(&[
            ("grant_type", JWT_BEARER),
            ("assertion", &*jag),
            ("client_id", url),
        ]);
        statuses.insert((*path).to_owned(), answer.send().await.unwrap().status().as_u16().into());
    }
    let expected = json!({ "/good": 200, "/suffix": 200, "/text": 401, "/none": 401, "/list": 401, "/twice": 401, "/more": 401 });
    assert_eq!(Value::Object(statuses), expected);
}

/// REG-04: a document is good for as long as its server says, within our bounds; what is wrong is never kept.
#[tokio::test]
async fn documents_are_kept_by_their_headers() {
    for (header, seconds) in [
        ("max-age=120", 120),
        ("public, max-age=\"90\"", 90),
        ("max-age=1", 60),
        ("no-store", 60),
        ("no-cache, max-age=600", 60),
        ("private", 300),
        ("max-age=999999999", 86_400),
        ("max-age=-5", 60),
        ("max-age=soon", 300),
    ] {
        let stage = Stage::start().await;
        stage.publisher.change(|behaviour| behaviour.cache_control = header);
        assert_granted(&stage.exchange().await);
        stage.app.clock.advance(seconds - 1);
        assert_granted(&stage.exchange().await);
        assert_eq!(stage.publisher.jwks_requests(), 1, "{header}");
        stage.app.clock.advance(1);
        assert_granted(&stage.exchange().await);
        assert_eq!(stage.publisher.jwks_requests(), 2, "{header}");
        // A document that has become bad ends the client when the old one is over.
        stage.publish(json!({ "client_secret": "x" }));
        stage.app.clock.advance(seconds);
        for _ in 0..5 {
            stage.refused(stage.exchange(), UNUSABLE).await;
        }
        assert_eq!(
            stage.publisher.jwks_requests(),
            3,
            "{header}: whoever asks, it is fetched once in the interval"
        );
        stage.publish(json!({}));
        stage.app.clock.advance(30);
        assert_granted(&stage.exchange().await);
    }
}

/// The changes of keys that the audit log has.
async fn key_changes(app: &TestApp, token: &str) -> Vec<Value> {
    let url = format!("{}/api/v1/audit?action=client_document.keys_changed", app.issuer());
    let answer = app.http.get(url).bearer_auth(token).send().await.unwrap();
    Answer::of(answer).await.json["items"].as_array().unwrap().clone()
}

/// REG-04: keys that a client has changed count when the document is fetched again, and the audit log says it once.
#[tokio::test]
async fn changed_keys_take_the_place_of_the_old_ones() {
    let mut stage = Stage::start().await;
    assert_granted(&stage.exchange().await);
    let token = admin(&stage.app, None).await;
    // Another name and another order of its members make no other key.
    stage.publish(json!({ "client_name": "Renamed", "contacts": ["a@client.example.com"] }));
    stage.later();
    assert_granted(&stage.exchange().await);
    assert_eq!(key_changes(&stage.app, &token).await, Vec::<Value>::new());
    let (old, new) = (stage.key.clone(), Key::es256("new"));
    stage.key = new;
    stage.publish(json!({}));
    stage.later();
    assert_granted(&stage.exchange().await);
    assert_granted(&stage.exchange().await);
    let rows = key_changes(&stage.app, &token).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((&rows[0]["object"], &rows[0]["actor_kind"]), (&json!(stage.id()), &json!("client_document")));
    let kid = |side: &str| rows[0][side]["keys"][0]["kid"].clone();
    assert_eq!((kid("old"), kid("new")), (json!("k"), json!("new")), "{rows:?}");
    assert_ne!(rows[0]["old"]["keys"][0]["thumbprint"], rows[0]["new"]["keys"][0]["thumbprint"]);
    let by_old = sign(&stage.app, &old, json!({ "iss": stage.id(), "sub": stage.id() }));
    let form = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", by_old.as_str())];
    stage.refused(stage.send(&form), (401, "invalid_client", "client_auth_failed")).await;
}

/// Of requests that come at once, one fetches.
#[tokio::test(flavor = "multi_thread")]
async fn one_request_fetches_for_all() {
    let stage = Stage::start().await;
    stage.publisher.change(|behaviour| behaviour.delay = Duration::from_millis(300));
    let answers = futures_all((0..16).map(|_| stage.exchange())).await;
    answers.iter().for_each(assert_granted);
    assert_eq!(stage.publisher.jwks_requests(), 1);
}

/// Its tokens are active as others are, and a kill switch stops it.
#[tokio::test]
async fn its_tokens_are_like_others() {
    let stage = Stage::start().await;
    put_credentials(&stage.app, RESOURCE, SERVER).await;
    let token = stage.exchange().await.access_token().to_owned();
    assert_eq!(introspect(&stage.app, &token).await.json["active"], true);
    let switch = KillSwitch {
        id: "switch".to_owned(),
        scope: KillScope::Client,
        object: stage.id(),
        reason: "leaked".to_owned(),
        created_by: "ops".to_owned(),
        created_at: START,
    };
    stage
        .app
        .configure(Changed::KillSwitches, move |c| Ok(kill_switches::insert(c, &switch).map(drop)?))
        .await;
    stage.refused(stage.exchange(), (400, "access_denied", "kill_switch")).await;
    assert_eq!(introspect(&stage.app, &token).await.json, json!({ "active": false }));
}

/// Clients publish what they need elsewhere too. These are as those of well-known MCP clients: public, for the code flow.
#[tokio::test]
async fn documents_of_well_known_clients_are_understood() {
    let documents = [
        json!({ "client_name": "Claude Code", "client_uri": "https://claude.ai", "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
            "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"] }),
        json!({ "client_name": "Visual Studio Code", "client_uri": "https://code.visualstudio.com",
            "application_type": "native", "logo_uri": "https://code.visualstudio.com/icon.png",
            "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
            "response_types": ["code"], "token_endpoint_auth_method": "none",
            "redirect_uris": ["http://127.0.0.1/", "https://vscode.dev/redirect"] }),
        json!({ "client_name": "Agent", "scope": "mcp", "software_version": "1", "contacts": [], "tos_uri": null,
            "grant_types": [], "redirect_uris": [], "token_endpoint_auth_method": "none", "jwks_uri": null }),
    ];
    for document in documents {
        let stage = Stage::start_with(true, None).await;
        let mut all = document.clone();
        all["jwks"] = Value::Null;
        stage.publish(all);
        assert_granted(&stage.exchange_as_public().await);
    }
}

/// REG-02: the URL that an operator allows is in the one form that a client can send.
#[test]
fn urls_of_documents_have_one_form() {
    for good in [
        "https://claude.ai/oauth/claude-code-client-metadata",
        "https://a.example/x?y=1",
        "https://a.example:8443/x",
    ] {
        assert!(check_document_url(good).is_ok(), "{good}");
    }
    for (bad, fault) in [
        ("", DocumentUrlFault::NotAUrl),
        ("client", DocumentUrlFault::NotAUrl),
        ("/client.json", DocumentUrlFault::NotAUrl),
        ("urn:client:one", DocumentUrlFault::NotAUrl),
        ("https://a.example", DocumentUrlFault::Parts),
        ("https://a.example/", DocumentUrlFault::Parts),
        ("https://u@a.example/x", DocumentUrlFault::Parts),
        ("https://u:p@a.example/x", DocumentUrlFault::Parts),
        ("https://a.example/x#", DocumentUrlFault::Parts),
        ("https://a.example/x#f", DocumentUrlFault::Parts),
        ("https://a.example/x/../y", DocumentUrlFault::NotNormal),
        ("https://a.example/./y", DocumentUrlFault::NotNormal),
        ("https://a.example/%2e%2e/y", DocumentUrlFault::NotNormal),
        ("https://A.example/x", DocumentUrlFault::NotNormal),
        ("HTTPS://a.example/x", DocumentUrlFault::NotNormal),
        ("https://a.example:443/x", DocumentUrlFault::NotNormal),
        ("https://a.example\\x", DocumentUrlFault::NotNormal),
        (" https://a.example/x", DocumentUrlFault::NotNormal),
    ] {
        assert_eq!(check_document_url(bad), Err(fault), "{bad}");
    }
    let long = format!("https://a.example/{}", "x".repeat(240));
    assert_eq!(check_document_url(&long), Err(DocumentUrlFault::NotAUrl));
}

/// A server with a document at every path but those below `/bad`; it counts what is fetched.
async fn publisher() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (count, own) = (Arc::new(AtomicUsize::new(0)), origin.clone());
    let fetched = Arc::clone(&count);
    let answer = move |uri: axum::http::Uri| {
        fetched.fetch_add(1, Ordering::Relaxed);
        let is_bad = uri.path().starts_with("/bad");
        let document = json!({ "client_id": format!("{own}{uri}"), "token_endpoint_auth_method": "none" });
        async move { (if is_bad { StatusCode::NOT_FOUND } else { StatusCode::OK }, axum::Json(document)) }
    };
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (origin, count)
}

/// A service that allows every document of an origin, and lets the clients at `/good` and `/late` do without credentials.
async fn with_origin(origin: &str, policies: Option<std::path::PathBuf>) -> TestApp {
    let origin = origin.to_owned();
    TestApp::start_with(move |config| {
        config.fetch.private_origins.push(origin.clone().into());
        config.client_documents.public = vec![format!("{origin}/good"), format!("{origin}/late")];
        config.client_documents.origins = vec![origin];
        config.policy_dir = policies;
    })
    .await
}

async fn by_name(app: &TestApp, client_id: &str) -> Answer {
    by_name_with(app, client_id, &app.assertion(json!({ "client_id": client_id }))).await
}

async fn by_name_with(app: &TestApp, client_id: &str, jag: &str) -> Answer {
    let form = [("grant_type", JWT_BEARER), ("assertion", jag), ("client_id", client_id)];
    Answer::of(app.http.post(app.token_url()).form(&form).send().await.unwrap()).await
}

/// REG-05: an origin allows the documents there and no others; which of its clients may be public is said one by one.
#[tokio::test]
async fn a_whole_origin_may_be_allowed() {
    let (origin, fetched) = publisher().await;
    let app = with_origin(&origin, None).await;
    let good = format!("{origin}/good");
    let answer = by_name(&app, &good).await;
    assert_eq!((answer.status, &answer.claims()["client_id"]), (200, &json!(good)), "{answer:?}");
    assert_eq!(by_name(&app, &good).await.status, 200);
    assert_eq!(fetched.load(Ordering::Relaxed), 1);
    let refused = async |id: &str, (status, error, reason): (u16, &str, &str)| {
        let before = app.written().await;
        app.assert_refused(&by_name(&app, id).await, before, status, error, reason).await;
    };
    refused(&format!("{origin}/other"), (400, "unauthorized_client", "client_public")).await;
    assert_eq!(fetched.load(Ordering::Relaxed), 2);
    refused(&format!("{origin}/bad"), UNUSABLE).await;
    let port = origin.rsplit_once(':').unwrap().1;
    for other in [
        origin.clone(),
        format!("{origin}/"),
        format!("{origin}/a/../good"),
        format!("{origin}/good#f"),
        format!("http://u@127.0.0.1:{port}/good"),
        format!("https://127.0.0.1:{port}/good"),
        format!("http://localhost:{port}/good"),
        format!("http://127.0.0.1.example.com:{port}/good"),
        "http://127.0.0.1/good".to_owned(),
    ] {
        refused(&other, UNKNOWN).await;
    }
    assert_eq!(fetched.load(Ordering::Relaxed), 3);
    let known = app.get("/.well-known/oauth-authorization-server").await.json;
    assert_eq!(known["client_id_metadata_document_supported"], true);
    // Its tokens are active as long as the origin is allowed.
    put_credentials(&app, RESOURCE, SERVER).await;
    assert_eq!(introspect(&app, answer.access_token()).await.json["active"], true);
}

/// REG-04, REG-05: callers pick the URLs, so that fetches and memory are bounded; whoever makes up URLs does not push out
/// a good document.
#[tokio::test]
async fn fetches_of_an_origin_are_bounded() {
    let (origin, fetched) = publisher().await;
    let app = with_origin(&origin, None).await;
    assert_eq!(by_name(&app, &format!("{origin}/good")).await.status, 200);
    for n in 0..70 {
        let status = if n < 59 { 401 } else { 503 };
        assert_eq!(by_name(&app, &format!("{origin}/bad/{n}")).await.status, status);
    }
    assert_eq!(fetched.load(Ordering::Relaxed), 60, "so many in a minute, with the good one");
    assert_eq!(by_name(&app, &format!("{origin}/good")).await.status, 200, "what is there needs no fetch");
    // A good client of which nothing is cached is told to come again: neither it nor its assertion is at fault.
    app.clock.advance(20);
    app.app.reload().await.unwrap();
    let assertion = app.assertion(json!({ "client_id": format!("{origin}/late") }));
    let before = app.written().await;
    let late = by_name_with(&app, &format!("{origin}/late"), &assertion).await;
    assert_eq!((late.status, &late.json["error"]), (503, &json!("temporarily_unavailable")), "{late:?}");
    assert_eq!(late.header("retry-after"), "40");
    assert_eq!(app.written().await.used_assertions, before.used_assertions);
    app.clock.advance(40);
    app.app.reload().await.unwrap();
    let late = by_name_with(&app, &format!("{origin}/late"), &assertion).await;
    assert_eq!(late.status, 200, "at once, and with the same assertion: {late:?}");
    for n in 0..400 {
        by_name(&app, &format!("{origin}/bad/again/{n}")).await;
    }
    assert_eq!(fetched.load(Ordering::Relaxed), 120);
    assert_eq!(by_name(&app, &format!("{origin}/good")).await.status, 200, "400 others did not push it out");
    assert_eq!(fetched.load(Ordering::Relaxed), 120);
}

/// REG-05: policies see where the document of a client is, and that others have none.
#[tokio::test]
async fn policies_see_the_host_of_a_document() {
    let (origin, _) = publisher().await;
    let rule = "@id(\"hosts\") @reason(\"client_host_not_allowed\") @error(\"access_denied\") @message(\"No.\")\n\
        forbid (principal, action == Action::\"TrustIssuer\", resource)\n\
        when { context.client has document_host && context.client.document_host == \"127.0.0.1\" };\n";
    let dir = with_shipped(&[("hosts.cedar", rule)]);
    let app = with_origin(&origin, Some(dir.path().to_owned())).await;
    let before = app.written().await;
    let answer = by_name(&app, &format!("{origin}/good")).await;
    app.assert_refused(&answer, before, 400, "access_denied", "client_host_not_allowed").await;
    app.granted(json!({})).await;
}

/// REG-05: the entries of `origins`.
#[test]
fn origins_of_documents_have_one_form() {
    let includes = |origin: &str, url: &str| {
        let origin: DocumentOrigin = origin.parse().unwrap_or_else(|_| panic!("{origin}"));
        origin.includes(&check_document_url(url).unwrap())
    };
    for (origin, inside, outside) in [
        ("https://a.example", "https://a.example/x", "https://b.a.example/x"),
        ("https://a.example", "https://a.example/x/y?z=1", "https://a.example:8443/x"),
        ("https://a.example:8443", "https://a.example:8443/x", "https://a.example/x"),
        ("http://127.0.0.1:9400", "http://127.0.0.1:9400/x", "https://127.0.0.1:9400/x"),
        ("https://*.a.example", "https://b.a.example/x", "https://a.example/x"),
        ("https://*.a.example", "https://c.b.a.example/x", "https://ba.example/x"),
        ("https://*.a.example", "https://b.a.example/x", "https://b.a.example:8443/x"),
        ("https://*.a.example", "https://b.a.example/x", "http://b.a.example/x"),
        ("https://*.a.example", "https://b.a.example/x", "https://xa.example/x"),
        ("https://*.a.example", "https://b.a.example/x", "https://b.a.example.net/x"),
    ] {
        assert!(includes(origin, inside), "{origin} has {inside}");
        assert!(!includes(origin, outside), "{origin} does not have {outside}");
    }
    for bad in [
        "",
        "*",
        "a.example",
        "https://a.example/",
        "https://a.example/x",
        "https://A.example",
        "https://a.example:443",
        "https://u@a.example",
        "https://*",
        "https://*.com",
        "https://*.",
        "https://*a.example",
        "https://a.*.example",
        "https://*.*.example",
        "https://*.a.example:8443",
        "https://*.127.0.0.1",
        "http://*.a.example",
        "ftp://a.example",
    ] {
        assert!(bad.parse::<DocumentOrigin>().is_err(), "{bad}");
    }
}
