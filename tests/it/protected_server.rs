//! The demonstration's MCP server: which tokens it takes (RFC 6750, RFC 9728, RFC 9068 §4).

use countersign::clock::{Clock as _, SystemClock};
use countersign::demo::mcp_server::{McpServerConfig, router};
use serde_json::{Map, Value, json};

use crate::harness::{Answer, http};
use crate::idp::{FakeIdp, Key, b64};

struct Server {
    url: String,
    issuer: FakeIdp,
}

impl Server {
    async fn start() -> Self {
        let issuer = FakeIdp::start(Key::es256("as-1")).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let router = router(McpServerConfig {
            ca_file: None,
            resource: url.clone(),
            issuer: issuer.issuer.clone(),
            jwks_uri: issuer.jwks_uri(),
            scopes_supported: vec!["tools.call".to_owned()],
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, issuer }
    }

    fn claims(&self, changes: Value) -> Map<String, Value> {
        let now = SystemClock.now();
        let claims = json!({ "iss": self.issuer.issuer, "aud": self.url, "sub": "m1", "client_id": "c", "iat": now,
            "exp": now + 600, "jti": "t1", "scope": "tools.call", "teamspace": "acme" });
        let mut claims = claims.as_object().unwrap().clone();
        claims.extend(changes.as_object().unwrap().clone());
        claims
    }

    fn token(&self, key: &Key, typ: &str, changes: Value) -> String {
        let header = json!({ "alg": key.alg(), "kid": key.kid, "typ": typ }).to_string();
        key.sign(&header, &Value::Object(self.claims(changes)).to_string())
    }

    async fn call(&self, authorization: Option<String>, query: &str) -> Answer {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
        let mut request = http().post(format!("{}{query}", self.url)).json(&body);
        request = request.header("accept", "application/json, text/event-stream");
        request = request.header("mcp-protocol-version", "2025-11-25");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        Answer::of(request.send().await.unwrap()).await
    }
}

/// PRS-01, PRS-02, PRS-07
#[tokio::test]
async fn without_a_token_it_says_where_to_get_one() {
    let server = Server::start().await;
    let answer = server.call(None, "").await;
    let challenge = answer.header("www-authenticate").to_owned();
    assert_eq!(answer.status, 401);
    assert!(
        challenge.starts_with("Bearer resource_metadata=") && !challenge.contains("error"),
        "{challenge}"
    );
    assert!(challenge.contains("scope=\"tools.call\""), "{challenge}");
    let origin = server.url.strip_suffix("/mcp").unwrap();
    for path in ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"] {
        assert!(challenge.contains(&format!("{origin}/.well-known/oauth-protected-resource/mcp")));
        let document = Answer::of(http().get(format!("{origin}{path}")).send().await.unwrap()).await.json;
        assert_eq!(document["resource"], json!(server.url));
        assert_eq!(document["authorization_servers"], json!([server.issuer.issuer]));
        assert_eq!(document["bearer_methods_supported"], json!(["header"]));
    }
}

/// PRS-03, PRS-05
#[tokio::test]
async fn only_our_tokens_for_it_are_taken() {
    let server = Server::start().await;
    let key = &server.issuer.key;
    let good = server.token(key, "at+jwt", json!({}));
    let answer = server.call(Some(format!("Bearer {good}")), "").await;
    assert!(answer.status == 200 && answer.body.contains("whoami"), "{answer:?}");
    let payload = good.split('.').nth(1).unwrap();
    let unsigned = format!("{}.{payload}.", b64(json!({ "alg": "none", "typ": "at+jwt" }).to_string()));
    let now = SystemClock.now();
    for (what, token) in [
        ("an ID-JAG", server.token(key, "oauth-id-jag+jwt", json!({}))),
        ("an ID token", server.token(key, "JWT", json!({}))),
        ("for another", server.token(key, "at+jwt", json!({ "aud": "https://other.example/mcp" }))),
        ("for two", server.token(key, "at+jwt", json!({ "aud": [server.url, "https://other.example/mcp"] }))),
        ("of another issuer", server.token(key, "at+jwt", json!({ "iss": "https://other.example" }))),
        ("with two issuers", server.token(key, "at+jwt", json!({ "iss": [server.issuer.issuer] }))),
        ("expired", server.token(key, "at+jwt", json!({ "exp": now - 60 }))),
        ("signed by another", server.token(&Key::es256("as-1"), "at+jwt", json!({}))),
        ("of an unknown key", server.token(&Key::es256("as-2"), "at+jwt", json!({}))),
        ("unsigned", unsigned),
        ("no token", "x".to_owned()),
    ] {
        let answer = server.call(Some(format!("Bearer {token}")), "").await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.contains("error=\"invalid_token\"") && challenge.contains("resource_metadata="),
            "{what}"
        );
    }
}

/// PRS-06, PRS-08
#[tokio::test]
async fn tokens_come_in_the_header_only() {
    let server = Server::start().await;
    let good = server.token(&server.issuer.key, "at+jwt", json!({}));
    assert_eq!(server.call(None, &format!("?access_token={good}")).await.status, 400);
    assert_eq!(
        server.call(Some(format!("Bearer {good}")), &format!("?access_token={good}")).await.status,
        400
    );
    assert_eq!(server.call(Some(format!("Basic {good}")), "").await.status, 401);
}
