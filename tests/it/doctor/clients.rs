//! The clients and the MCP servers that publish their keys.

use countersign::doctor::{DoctorGroup, LineStatus};
use countersign::model::client::KeySource;
use countersign::model::resource::CredentialProof;
use serde_json::json;

use super::{config, examine, examine_with, service};
use crate::client_assertion::{SIGNER, jwks, signer};
use crate::harness::RESOURCE;
use crate::idp::{FakeIdp, Key};
use crate::introspection::{SERVER, put_credentials, put_proof};

const CLIENTS: DoctorGroup = DoctorGroup::Clients;

/// CLI-03: the doctor fetches what sign-ins would fetch, under the same rules.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_clients_keys_is_told() {
    let publisher = FakeIdp::start(Key::es256("k")).await;
    let origin = publisher.issuer.clone();
    let app = service(|config| config.fetch.private_origins.push(origin.into())).await;
    assert!(!examine(&app).await.0.iter().any(|line| line.group == CLIENTS), "no client has a jwks_uri");
    app.put_client(signer(KeySource::Fetched(publisher.jwks_uri()))).await;
    let examined = examine(&app).await;
    let line = examined.line(CLIENTS, SIGNER, LineStatus::Ok);
    assert!(line.message.contains("1 usable key"), "{line:?}");
    publisher
        .change(|behaviour| behaviour.jwks["keys"].as_array_mut().unwrap().push(json!({ "kty": "oct" })));
    let examined = examine(&app).await;
    let line = examined.line(CLIENTS, SIGNER, LineStatus::Warning);
    assert!(line.message.contains("Left out: a key without kid"), "{line:?}");
    publisher.change(|behaviour| behaviour.jwks = json!({ "keys": [] }));
    examine(&app).await.failed(CLIENTS, SIGNER, &["no usable public signing key"]);
    publisher.change(|behaviour| behaviour.status = axum::http::StatusCode::NOT_FOUND);
    examine(&app).await.failed(CLIENTS, SIGNER, &["status 404"]);
    let mut guarded = config(&app);
    guarded.fetch.private_origins.clear();
    let examined = examine_with(&app, guarded).await;
    let line = examined.failed(CLIENTS, SIGNER, &["must be https"]);
    assert!(line.fix.as_ref().unwrap().contains("fetch.private_origins"), "{line:?}");
    let mut own = signer(KeySource::Registered(jwks(&[&Key::es256("k")]).to_string()));
    own.client_id = "own".to_owned();
    app.put_client(own).await;
    assert!(examine(&app).await.named(CLIENTS, "own").is_empty(), "there is nothing to ask");
}

/// INT-01: the credentials of MCP servers are asked for like clients, and named with their resource.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_servers_keys_is_told() {
    let publisher = FakeIdp::start(Key::es256("k")).await;
    let origin = publisher.issuer.clone();
    let app = service(|config| config.fetch.private_origins.push(origin.into())).await;
    let registered = KeySource::Registered(jwks(&[&Key::es256("k")]).to_string());
    put_proof(&app, (RESOURCE, "own"), CredentialProof::Keys(registered)).await;
    put_credentials(&app, RESOURCE, SERVER).await;
    assert!(!examine(&app).await.0.iter().any(|line| line.group == CLIENTS), "there is nothing to ask");
    let fetched = KeySource::Fetched(publisher.jwks_uri());
    put_proof(&app, (RESOURCE, "published"), CredentialProof::Keys(fetched)).await;
    let name = format!("published of {RESOURCE}");
    let examined = examine(&app).await;
    let line = examined.line(CLIENTS, &name, LineStatus::Ok);
    assert!(
        line.message.contains("1 usable key") && line.message.contains(&publisher.jwks_uri()),
        "{line:?}"
    );
    publisher.change(|behaviour| behaviour.status = axum::http::StatusCode::NOT_FOUND);
    examine(&app).await.failed(CLIENTS, &name, &["Its jwks_uri", "status 404"]);
}
