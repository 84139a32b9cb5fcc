//! `/forward-auth/{resource_id}`: what a proxy is told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::model::resource::{CredentialProof, ResourceCredential};
use countersign::model::revocation::{Revocation, RevocationCause};
use countersign::random::digest;
use countersign::store::changes::Changed;
use countersign::store::{AnyConnection, StoreError, resources};
use reqwest::Method;
use serde_json::json;

use crate::active_token::look;
use crate::harness::{Answer, CLIENT, RESOURCE, SECRET, START, TestApp, resource};
use crate::metrics::sample;
use crate::reload::private;

const METADATA: &str =
    "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"";

/// The headers with which the server behind is told who calls.
pub const IDENTITY: [&str; 6] = [
    "x-auth-subject",
    "x-auth-email",
    "x-auth-client-id",
    "x-auth-teamspace",
    "x-auth-scope",
    "x-auth-token-id",
];

fn url(app: &TestApp) -> String {
    let snapshot = app.app.snapshot();
    format!("{}/forward-auth/{}", app.issuer(), snapshot.resource_named(RESOURCE).unwrap().id)
}

async fn ask(app: &TestApp, authorization: &[&str]) -> Answer {
    let mut request = app.http.get(url(app));
    for value in authorization {
        request = request.header("authorization", *value);
    }
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    answer
}

async fn ask_with(app: &TestApp, token: &str) -> Answer {
    ask(app, &[&format!("Bearer {token}")]).await
}

async fn token(app: &TestApp) -> String {
    app.granted(json!({})).await.access_token().to_owned()
}

/// The challenge, when a refusal has this status; nobody is told about a caller then.
fn challenge(answer: &Answer, status: u16) -> &str {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(IDENTITY.iter().all(|name| !answer.headers.contains_key(*name)), "{answer:?}");
    answer.header("www-authenticate")
}

#[tokio::test]
async fn a_request_with_an_active_token_passes_and_says_who_calls() {
    let app = TestApp::start().await;
    let granted = app.granted(json!({ "scope": "docs.read docs.write" })).await;
    let (token, claims) = (granted.access_token().to_owned(), granted.claims());
    let expected = [
        claims["sub"].as_str().unwrap(),
        "dana@acme.com",
        CLIENT,
        "acme",
        claims["scope"].as_str().unwrap(),
        claims["jti"].as_str().unwrap(),
    ];
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let answer = ask(&app, &[&format!("{scheme} {token}")]).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{answer:?}");
        assert_eq!(IDENTITY.map(|name| answer.header(name)), expected);
    }
}

/// Envoy asks with the method, path and query of the request, Caddy with its query.
#[tokio::test]
async fn any_method_and_anything_behind_the_id_is_the_same_question() {
    let app = TestApp::start().await;
    let token = token(&app).await;
    for method in ["GET", "POST", "DELETE", "PUT", "OPTIONS", "HEAD", "PATCH", "PURGE"] {
        for suffix in ["", "/", "/mcp", "//mcp/%ff/..;/%2e%2e", "?code=1&access_token=x", "/mcp?x=%"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = app.http.request(method.clone(), format!("{}{suffix}", url(&app)));
            let refused = request.try_clone().unwrap().send().await.unwrap();
            assert_eq!(refused.status(), 401, "{method} {suffix}");
            let passed = request.bearer_auth(&token).send().await.unwrap();
            assert_eq!(passed.status(), 200, "{method} {suffix}");
        }
    }
    for path in ["/forward-auth", "/forward-auth/", "/forward-auth/unknown", "/forward-auth//mcp"] {
        let request = app.http.get(format!("{}{path}", app.issuer())).bearer_auth(&token);
        assert_eq!(request.send().await.unwrap().status(), 404, "{path}");
    }
}

/// PRS-02, PRS-06
#[tokio::test]
async fn a_token_counts_in_the_header_only() {
    let app = TestApp::start().await;
    let token = token(&app).await;
    let url = url(&app);
    let form = format!("access_token={token}");
    for request in [
        app.http.get(&url),
        app.http.get(format!("{url}?{form}")),
        app.http.post(&url).header("content-type", "application/x-www-form-urlencoded").body(form),
        app.http.get(&url).header("authorization", format!("Basic {token}")),
        app.http.get(&url).header("x-forwarded-authorization", format!("Bearer {token}")),
    ] {
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(challenge(&answer, 401), format!("Bearer {METADATA}"));
    }
}

/// PRS-06, PRS-08
#[tokio::test]
async fn two_tokens_and_malformed_ones_are_bad_requests() {
    let app = TestApp::start().await;
    let token = token(&app).await;
    let good = format!("Bearer {token}");
    let two = format!("Bearer {token}, Bearer {token}");
    for headers in [
        &[good.as_str(), &good][..],
        &[&good, "Basic eDp5"],
        &["Bearer"],
        &["Bearer "],
        &["Bearer =="],
        &[&two],
    ] {
        let answer = ask(&app, headers).await;
        assert_eq!(challenge(&answer, 400), format!("Bearer {METADATA}, error=\"invalid_request\""));
    }
}

/// PRS-03, PRS-05
#[tokio::test]
async fn tokens_that_do_not_count_are_invalid() {
    let app = TestApp::start().await;
    app.put_resource(resource("https://other.example.com/mcp", &[])).await;
    let other = json!({ "resource": "https://other.example.com/mcp", "scope": null });
    let other = app.granted(other).await.access_token().to_owned();
    let expired = token(&app).await;
    app.clock.advance(3600);
    app.app.reload().await.unwrap();
    let good = token(&app).await;
    let (head, _) = good.rsplit_once('.').unwrap();
    let long = "a".repeat(40_000);
    let assertion = app.assertion(json!({}));
    for (what, token) in [
        ("an ID-JAG", assertion.as_str()),
        ("for another resource", &other),
        ("expired", &expired),
        ("without its signature", head),
        ("no token", "x"),
        ("very long", &long),
    ] {
        let answer = ask_with(&app, token).await;
        assert_eq!(challenge(&answer, 401), format!("Bearer {METADATA}, error=\"invalid_token\""), "{what}");
    }
    assert_eq!(ask_with(&app, &good).await.status, 200);
}

#[tokio::test]
async fn a_revoked_token_is_invalid_at_once() {
    let app = TestApp::start().await;
    let token = token(&app).await;
    assert_eq!(ask_with(&app, &token).await.status, 200);
    let known = look(&app, &token).unwrap();
    let (id, cause) = ((known.token.token_id.as_str(), START), RevocationCause::RevokedByClient);
    let revocation = Revocation::of_token(id, &known.token.teamspace_id, None, cause, START);
    app.app.revoke(vec![revocation]).await.unwrap();
    let answer = ask_with(&app, &token).await;
    assert!(challenge(&answer, 401).contains("error=\"invalid_token\""));
}

/// PRS-04
#[tokio::test]
async fn a_token_without_a_required_scope_is_told_all_of_them() {
    let app = TestApp::start().await;
    let token = token(&app).await;
    app.change_resource(|resource| {
        resource.required_scopes = vec!["docs.read".to_owned(), "docs.write".to_owned()];
    })
    .await;
    let answer = ask_with(&app, &token).await;
    let scope = "scope=\"docs.read docs.write\"";
    assert_eq!(challenge(&answer, 403), format!("Bearer {METADATA}, error=\"insufficient_scope\", {scope}"));
    let without = ask(&app, &[]).await;
    assert_eq!(challenge(&without, 401), format!("Bearer {METADATA}, {scope}"));
    let both = app.granted(json!({ "scope": "docs.read docs.write" })).await.access_token().to_owned();
    assert_eq!(ask_with(&app, &both).await.status, 200);
}

/// When the database has not answered for a while, nobody knows which tokens were revoked.
#[tokio::test]
async fn nothing_passes_while_the_revocations_cannot_be_read() {
    let app = TestApp::start().await;
    let token = token(&app).await;
    app.clock.advance(60);
    let answer = ask_with(&app, &token).await;
    assert_eq!((challenge(&answer, 503), answer.header("retry-after")), ("", "1"));
    assert_eq!(ask_with(&app, "x").await.status, 401, "what needs no knowledge is said all the same");
    app.app.reload().await.unwrap();
    assert_eq!(ask_with(&app, &token).await.status, 200);
}

/// A header that is absent from the answer would leave the one that the caller has invented.
#[tokio::test]
async fn unknown_values_are_empty_and_present() {
    let app = TestApp::start().await;
    for (email, told) in [("", ""), ("dána@acme.com", ""), ("d@acme.com", "d@acme.com")] {
        let token = token(&app).await;
        let member = look(&app, &token).unwrap().token.member_id.clone();
        change_email(&app, member, email).await;
        let answer = ask_with(&app, &token).await;
        assert!(IDENTITY.iter().all(|name| answer.headers.contains_key(*name)), "{answer:?}");
        assert_eq!((answer.status, answer.header("x-auth-email")), (200, told));
    }
}

async fn change_email(app: &TestApp, member_id: String, email: &str) {
    use countersign::store::{StoreError, members};
    let email = email.to_owned();
    let change = move |c: &mut countersign::store::AnyConnection| -> Result<(), StoreError> {
        let mut member = members::find(c, "id-of-acme", &member_id)?.unwrap();
        member.email = email;
        members::update(c, &member)
    };
    app.app.store.write(change).await.unwrap();
}

/// The database is asked for it once, however often the token comes.
#[tokio::test]
async fn the_email_is_read_once_for_each_token() {
    let app = TestApp::start().await;
    let token = token(&app).await;
    assert_eq!(ask_with(&app, &token).await.header("x-auth-email"), "dana@acme.com");
    let member = look(&app, &token).unwrap().token.member_id.clone();
    change_email(&app, member, "other@acme.com").await;
    assert_eq!(ask_with(&app, &token).await.header("x-auth-email"), "dana@acme.com");
}

/// Otherwise a token would speak for another teamspace, if that one has taken the slug.
#[tokio::test]
async fn a_renamed_teamspace_is_called_by_its_present_slug() {
    let app = TestApp::start().await;
    let token = token(&app).await;
    app.change_teamspace(|teamspace| teamspace.slug = "renamed".to_owned()).await;
    app.put_teamspace("acme-2").await;
    assert_eq!(ask_with(&app, &token).await.header("x-auth-teamspace"), "renamed");
}

#[tokio::test]
async fn answers_are_counted_by_what_they_say() {
    let app = TestApp::start().await;
    let token = token(&app).await;
    ask_with(&app, &token).await;
    ask_with(&app, &token).await;
    ask_with(&app, "x").await;
    ask(&app, &[]).await;
    let text = private(&app, "/metrics").await.body;
    let count = |result: &str| {
        sample(&text, &format!("countersign_forward_auths_total{{result=\"{result}\"}}")) as i64
    };
    let results =
        ["passed", "no_token", "invalid_token", "invalid_request", "insufficient_scope", "unavailable"];
    assert_eq!(results.map(count), [2, 1, 1, 0, 0, 0]);
}

/// Where the resource says so, the proxy needs the resource's own credentials; no others will do.
#[tokio::test]
async fn a_proxy_without_the_resources_credentials_is_refused() {
    let app = TestApp::start().await;
    let token = token(&app).await;
    app.change_resource(|resource| resource.forward_auth_credentials = true).await;
    let (id, secret) = credential(&app, RESOURCE).await;
    app.put_resource(resource("https://other.example.com/mcp", &["docs.read"])).await;
    let (other_id, other_secret) = credential(&app, "https://other.example.com/mcp").await;
    let basic = |id: &str, secret: &str| format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let ask = async |credentials: &[String]| {
        let mut request = app.http.get(url(&app)).bearer_auth(&token);
        for value in credentials {
            request = request.header("x-resource-authorization", value);
        }
        Answer::of(request.send().await.unwrap()).await
    };
    assert_eq!(ask(&[basic(&id, &secret)]).await.status, 200);
    let wrong = [
        vec![],
        vec![basic(&id, "wrong-secret-0123456789")],
        vec![basic(&other_id, &other_secret)],
        vec![basic(CLIENT, SECRET)],
        vec![basic(&id, &secret), basic(&id, &secret)],
    ];
    for credentials in wrong {
        let answer = ask(&credentials).await;
        // Nothing that a client could take for a word about its token.
        assert_eq!(challenge(&answer, 503), "", "{credentials:?}: {answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

/// Makes credentials of a resource, as the store keeps them.
pub async fn credential(app: &TestApp, identifier: &str) -> (String, String) {
    let resource_id = app.app.snapshot().resource_named(identifier).unwrap().id.clone();
    let (client_id, secret) = (format!("resource-{resource_id}"), "a-secret-of-a-resource-0123".to_owned());
    let row = ResourceCredential {
        client_id: client_id.clone(),
        resource_id: resource_id.clone(),
        proof: CredentialProof::SecretDigest(digest(&secret)),
        created_at: START,
    };
    let add = move |c: &mut AnyConnection| -> Result<(), StoreError> {
        resources::add_credential(c, &row)?;
        Ok(())
    };
    app.configure(Changed::Resource(resource_id), add).await;
    (client_id, secret)
}
