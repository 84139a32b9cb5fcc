//! What MCP servers and clients ask about issued tokens: introspection, revocation, and the list of revocations.

mod assertion;
mod introspect;
mod places;
mod revocation_list;
mod revoke;

use countersign::model::resource::{CredentialProof, ResourceCredential};
use countersign::random::digest;
use countersign::store::changes::Changed;
use countersign::store::resources;
use reqwest::{Method, RequestBuilder};

use crate::harness::{Answer, RESOURCE, START, TestApp};

pub const SERVER: &str = "resource-one";
pub const SERVER_SECRET: &str = "a-secret-of-the-server-0123456789";

/// Gives a resource credentials with a secret.
pub async fn put_credentials(app: &TestApp, identifier: &str, client_id: &str) {
    put_proof(app, (identifier, client_id), CredentialProof::SecretDigest(digest(SERVER_SECRET))).await;
}

/// Gives a resource credentials.
pub async fn put_proof(app: &TestApp, (identifier, client_id): (&str, &str), proof: CredentialProof) {
    let resource_id = app.app.snapshot().resource_named(identifier).unwrap().id.clone();
    let credential = ResourceCredential {
        client_id: client_id.to_owned(),
        resource_id: resource_id.clone(),
        proof,
        created_at: START,
    };
    app.configure(Changed::Resource(resource_id), move |c| {
        resources::add_credential(c, &credential)?;
        Ok(())
    })
    .await;
}

/// A service whose resource has credentials.
pub async fn start() -> TestApp {
    let app = TestApp::start().await;
    put_credentials(&app, RESOURCE, SERVER).await;
    app
}

/// The URL of an endpoint below `/oauth2`.
pub fn url(app: &TestApp, endpoint: &str) -> String {
    format!("{}/oauth2/{endpoint}", app.issuer())
}

/// A request of the resource server.
pub fn by_server(app: &TestApp, method: Method, endpoint: &str) -> RequestBuilder {
    app.http.request(method, url(app, endpoint)).basic_auth(SERVER, Some(SERVER_SECRET))
}

pub async fn send(request: RequestBuilder) -> Answer {
    Answer::of(request.send().await.unwrap()).await
}

/// What the resource server is told about a token.
pub async fn introspect(app: &TestApp, token: &str) -> Answer {
    send(by_server(app, Method::POST, "introspect").form(&[("token", token)])).await
}

/// The refusal of credentials, which says the same whatever is wrong.
#[track_caller]
pub fn assert_unauthorized(answer: &Answer) {
    assert_eq!(answer.status, 401, "{answer:?}");
    let body = r#"{"error":"invalid_client","error_description":"Client authentication failed."}"#;
    assert_eq!(answer.body, body);
    assert!(answer.header("www-authenticate").starts_with("Basic "), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
}
