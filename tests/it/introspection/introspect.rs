//! `POST /oauth2/introspect`.

use countersign::model::client::RegisteredClient;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    SERVER, SERVER_SECRET, assert_unauthorized, by_server, introspect, put_credentials, send, start, url,
};
use crate::harness::{Answer, CLIENT, RESOURCE, SECRET, START, TestApp, decode, resource};
use crate::idp::{FakeIdp, Key};

const INACTIVE: &str = r#"{"active":false}"#;

#[track_caller]
fn assert_inactive(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (200, INACTIVE), "{answer:?}");
    assert_eq!(
        (answer.header("content-type"), answer.header("cache-control")),
        ("application/json", "no-store")
    );
}

/// A token of Dana's.
async fn token(app: &TestApp) -> String {
    app.granted(json!({})).await.access_token().to_owned()
}

/// INT-03, STP-03
#[tokio::test]
async fn an_active_token_is_described() {
    let app = start().await;
    let said = json!({ "auth_time": START - 60, "acr": "phr", "amr": ["mfa", "pwd"] });
    let granted = app.granted(said).await;
    let answer = introspect(&app, granted.access_token()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{answer:?}");
    let claims = granted.claims();
    let expected = json!({
        "active": true,
        "iss": app.issuer(),
        "aud": RESOURCE,
        "sub": claims["sub"],
        "client_id": CLIENT,
        "iat": START,
        "exp": START + 3600,
        "jti": claims["jti"],
        "token_type": "Bearer",
        "scope": "docs.read",
        "teamspace": "acme",
        "teamspace_id": "id-of-acme",
        "auth_time": START - 60,
        "acr": "phr",
        "amr": ["mfa", "pwd"],
    });
    assert_eq!(answer.json, expected);
    assert!(!answer.body.contains("dana@acme.com"));
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    assert!(!answer.header("x-request-id").is_empty());
    let hinted = [("token", granted.access_token()), ("token_type_hint", "refresh_token")];
    assert_eq!(send(by_server(&app, Method::POST, "introspect").form(&hinted)).await.json, expected);
}

/// INT-01: exactly a resource's credentials, by either way; everything else gets one answer.
#[tokio::test]
async fn only_credentials_of_a_resource_are_accepted() {
    let app = start().await;
    let token = token(&app).await;
    let post = |form: Vec<(&'static str, String)>| app.http.post(url(&app, "introspect")).form(&form);
    let form = |id: &str, secret: &str| {
        vec![("token", token.clone()), ("client_id", id.to_owned()), ("client_secret", secret.to_owned())]
    };
    assert_eq!(send(post(form(SERVER, SERVER_SECRET))).await.json["active"], true);
    let with_id = vec![("token", token.clone()), ("client_id", SERVER.to_owned())];
    let named = post(with_id).basic_auth(SERVER, Some(SERVER_SECRET));
    assert_eq!(send(named).await.json["active"], true);

    let only_token = || vec![("token", token.clone())];
    let mut assertion = only_token();
    assertion.push(("client_assertion", "a.b.c".to_owned()));
    for refused in [
        post(only_token()),
        post(vec![]),
        post(only_token()).basic_auth(CLIENT, Some(SECRET)),
        post(form(CLIENT, SECRET)),
        post(only_token()).basic_auth(SERVER, Some(SECRET)),
        post(only_token()).basic_auth(SERVER, Some("")),
        post(only_token()).basic_auth("resource-two", Some(SERVER_SECRET)),
        post(only_token()).basic_auth(RESOURCE, Some(SERVER_SECRET)),
        post(only_token()).bearer_auth(&token),
        post(only_token()).header("authorization", "Basic !"),
        post(form(SERVER, SERVER_SECRET)).basic_auth(SERVER, Some(SERVER_SECRET)),
        post(vec![("token", token.clone()), ("client_id", CLIENT.to_owned())])
            .basic_auth(SERVER, Some(SERVER_SECRET)),
        post(assertion),
    ] {
        assert_unauthorized(&send(refused).await);
    }
}

/// INT-01: the server's credentials get no token.
#[tokio::test]
async fn a_resources_credentials_are_no_clients() {
    let app = start().await;
    let (assertion, before) = (app.assertion(json!({ "client_id": SERVER })), app.written().await);
    let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &assertion)];
    let request = app.http.post(app.token_url()).basic_auth(SERVER, Some(SERVER_SECRET)).form(&form);
    app.assert_refused(&send(request).await, before, 401, "invalid_client", "client_unknown").await;
    let revoke = app.http.post(url(&app, "revoke")).basic_auth(SERVER, Some(SERVER_SECRET));
    assert_unauthorized(&send(revoke.form(&[("token", token(&app).await)])).await);
}

/// INT-06: failed attempts are limited, and a good secret has to wait as well then.
#[tokio::test]
async fn guessing_is_slowed_down() {
    let app = TestApp::start_with(|config| config.rate_limit.failed_authentications_per_minute = 3).await;
    put_credentials(&app, RESOURCE, SERVER).await;
    let token = token(&app).await;
    for _ in 0..3 {
        let request = app.http.post(url(&app, "introspect")).basic_auth(SERVER, Some("wrong"));
        assert_unauthorized(&send(request.form(&[("token", &token)])).await);
    }
    let blocked = introspect(&app, &token).await;
    assert_eq!((blocked.status, blocked.json["error"].as_str()), (429, Some("temporarily_unavailable")));
    assert!(!blocked.header("retry-after").is_empty());
    assert_eq!(app.granted(json!({})).await.status, 200, "clients have budgets of their own");
}

/// INT-02: whatever is wrong with the token, the answer says nothing else.
#[tokio::test]
async fn what_is_no_active_token_is_answered_alike() {
    let app = start().await;
    let token = token(&app).await;
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = head.split_once('.').unwrap();
    let stranger = FakeIdp::start(Key::rsa("idp-1", 1)).await;
    let of_other_issuer = stranger.key.assertion(&app.claims());
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{claims}.");
    for other in [
        "x",
        "..",
        &format!("{head}."),
        &format!("{header}.{claims}x.{signature}"),
        &format!("{token}x"),
        &format!("{token} "),
        &unsigned,
        &of_other_issuer,
        // An ID-JAG is not an access token, not even a fresh one for this resource.
        &app.assertion(json!({})),
        &"a".repeat(40_000),
        "\u{0}\u{ff}",
    ] {
        // NUL is refused as a form that is not well encoded.
        let answer = introspect(&app, other).await;
        match other.contains('\u{0}') {
            true => assert_eq!(answer.status, 400, "{answer:?}"),
            false => assert_inactive(&answer),
        }
    }
    app.clock.advance(3600);
    app.app.reload().await.unwrap();
    assert_inactive(&introspect(&app, &token).await);
}

/// INT-02, REV-08: each thing that a token stands on.
#[tokio::test]
async fn a_token_whose_ground_is_gone_is_inactive() {
    let app = start().await;
    let token = token(&app).await;
    let ask = async || introspect(&app, &token).await;
    app.change_client(|client: &mut RegisteredClient| client.enabled = false).await;
    assert_inactive(&ask().await);
    app.change_client(|client| client.enabled = true).await;
    app.change_provider(|provider| provider.enabled = false).await;
    assert_inactive(&ask().await);
    app.change_provider(|provider| provider.enabled = true).await;
    app.change_resource(|resource| resource.teamspaces = Some(vec![])).await;
    assert_inactive(&ask().await);
    app.change_resource(|resource| resource.teamspaces = None).await;
    assert_eq!(ask().await.json["active"], true, "these changes were made past the rules of administration");
}

/// INT-04
#[tokio::test]
async fn a_token_is_hidden_from_other_resources() {
    let app = start().await;
    let token = token(&app).await;
    app.put_resource(resource("https://other.example.com/mcp", &["docs.read"])).await;
    put_credentials(&app, "https://other.example.com/mcp", "resource-other").await;
    let ask = async |id: &str| {
        let request = app.http.post(url(&app, "introspect")).basic_auth(id, Some(SERVER_SECRET));
        send(request.form(&[("token", &token)])).await
    };
    assert_inactive(&ask("resource-other").await);
    assert_eq!(ask(SERVER).await.json["active"], true);
    assert_inactive(&ask("resource-other").await);
}

/// INT-05
#[tokio::test]
async fn a_signed_answer_is_a_jwt_of_its_own_type() {
    let app = start().await;
    let token = token(&app).await;
    let ask = async |token: &str, accept: &str| {
        let request = by_server(&app, Method::POST, "introspect").header("accept", accept);
        send(request.form(&[("token", token)])).await
    };
    let plain = ask(&token, "application/json").await.json;
    for (token, expected) in [(token.as_str(), &plain), ("a.b.c", &json!({ "active": false }))] {
        let answer = ask(token, "application/token-introspection+jwt").await;
        assert_eq!(answer.header("content-type"), "application/token-introspection+jwt");
        assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
        let parts: Vec<&str> = answer.body.split('.').collect();
        let header: Value = serde_json::from_slice(&decode(parts[0])).unwrap();
        let jwks = app.get("/oauth2/jwks").await.json;
        let kid = jwks["keys"][0]["kid"].clone();
        assert_eq!(header, json!({ "alg": "ES256", "kid": kid, "typ": "token-introspection+jwt" }));
        let claims: Value = serde_json::from_slice(&decode(parts[1])).unwrap();
        let expected =
            json!({ "iss": app.issuer(), "aud": RESOURCE, "iat": START, "token_introspection": expected });
        assert_eq!(claims, expected);
        let key = countersign::idp::key::VerificationKey::from_jwk(&jwks["keys"][0]).unwrap();
        let signed = format!("{}.{}", parts[0], parts[1]);
        let es256 = countersign::idp::key::allowed_algorithm("ES256").unwrap();
        assert!(key.verifies(es256, signed.as_bytes(), &decode(parts[2])));
        // It cannot be used as a token.
        assert_inactive(&introspect(&app, &answer.body).await);
    }
    for accept in [
        "*/*",
        "application/*",
        "application/token-introspection+jwt;q=0, */*",
        "text/html",
        "application/jwt",
    ] {
        assert_eq!(ask(&token, accept).await.json, plain, "{accept}");
    }
    for accept in
        ["application/json, Application/Token-Introspection+JWT;q=0.5", "application/token-introspection+jwt"]
    {
        assert_eq!(ask(&token, accept).await.header("content-type"), "application/token-introspection+jwt");
    }
}

/// INT-01, INT-06: POST with a form, and nothing else.
#[tokio::test]
async fn other_requests_are_refused() {
    let app = start().await;
    let token = token(&app).await;
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = send(by_server(&app, method.clone(), &format!("introspect?token={token}"))).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "{method}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!answer.body.contains("active"), "{answer:?}");
    }
    let post = || by_server(&app, Method::POST, "introspect");
    let form = "application/x-www-form-urlencoded";
    let body = |kind: &str, body: String| post().header("content-type", kind).body(body);
    for (request, status, text) in [
        (
            body("application/json", format!(r#"{{"token":"{token}"}}"#)),
            400,
            "must be application/x-www-form",
        ),
        (body("text/plain", format!("token={token}")), 400, "must be application/x-www-form"),
        (body(form, format!("token={token}&token={token}")), 400, "repeated"),
        (body(form, format!("token={token}&token_type_hint=a&token_type_hint=b")), 400, "repeated"),
        (body(form, String::new()), 400, "token is missing"),
        (body(form, "token=".to_owned()), 400, "token is missing"),
        (body(form, "token=%zz".to_owned()), 400, "not well encoded"),
        (body(form, format!("token={}", "a".repeat(70_000))), 413, "too large"),
        (body(form, "a".repeat(100_000)), 413, "too large"),
        (body(form, (0..70).map(|i| format!("p{i}=1&")).collect()), 400, "too many parameters"),
        (body(form, format!("token={token}")).header("content-encoding", "gzip"), 400, "compressed"),
        (body(form, format!("token={token}")).header("authorization", "Basic x"), 400, "more than one"),
        (
            app.http.post(url(&app, "introspect?a=b")).basic_auth(SERVER, Some(SERVER_SECRET)),
            400,
            "not in the URL",
        ),
    ] {
        let answer = send(request).await;
        let description = answer.json["error_description"].as_str().unwrap_or_default();
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(description.contains(text), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

/// While the database does not answer, nobody can tell which tokens are revoked.
#[tokio::test]
async fn a_token_is_not_vouched_for_when_nobody_knows() {
    let app = start().await;
    let token = token(&app).await;
    app.clock.advance(app.app.config.revocation.max_staleness.as_secs() + 1);
    let answer = introspect(&app, &token).await;
    assert_eq!((answer.status, answer.json["error"].as_str()), (503, Some("temporarily_unavailable")));
    assert_eq!((answer.header("retry-after"), answer.header("cache-control")), ("5", "no-store"));
    app.app.reload().await.unwrap();
    assert_eq!(introspect(&app, &token).await.json["active"], true);
}

/// INT-01: deleted credentials are refused from then on.
#[tokio::test]
async fn deleted_credentials_are_refused() {
    let app = start().await;
    let token = token(&app).await;
    assert_eq!(introspect(&app, &token).await.status, 200);
    let id = app.app.snapshot().resource_named(RESOURCE).unwrap().id.clone();
    let changed = countersign::store::changes::Changed::Resource(id.clone());
    app.configure(changed, move |c| {
        countersign::store::resources::delete_credential(c, &id, SERVER)?;
        Ok(())
    })
    .await;
    assert_unauthorized(&introspect(&app, &token).await);
}

/// Each answer is counted by what it says.
#[tokio::test]
async fn answers_are_counted() {
    let app = start().await;
    let token = token(&app).await;
    for token in [token.as_str(), &token, "a.b.c"] {
        introspect(&app, token).await;
    }
    send(app.http.post(url(&app, "introspect")).form(&[("token", &token)])).await;
    let metrics = send(app.http.get(format!("{}/metrics", app.management))).await.body;
    for (outcome, number) in [("active", 2), ("inactive", 1), ("refused", 1)] {
        let line = format!("countersign_introspections_total{{outcome=\"{outcome}\"}} {number}\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
}
