//! The identity providers that teamspaces trust.

use std::time::Duration;

use countersign::doctor::{DoctorGroup, LineStatus};
use countersign::model::identity_provider::IdentityProvider;
use countersign::store::changes::Changed;
use countersign::store::identity_providers;
use serde_json::json;

use super::{config, examine, examine_with, service};

const PROVIDERS: DoctorGroup = DoctorGroup::IdentityProviders;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_identity_provider_is_told() {
    let app = service(|_| {}).await;
    let issuer = app.idp.issuer.as_str();
    let examined = examine(&app).await;
    let line = examined.line(PROVIDERS, issuer, LineStatus::Warning);
    assert!(line.message.contains("does not announce ID-JAGs"), "{line:?}");
    app.idp.change(|behaviour| behaviour.announces_id_jags = true);
    let examined = examine(&app).await;
    let line = examined.line(PROVIDERS, issuer, LineStatus::Ok);
    assert!(line.message.contains("teamspace acme") && line.message.contains(" ms "), "{line:?}");
    let saved = app.provider("acme").jwks_uri;
    app.change_provider(|provider| provider.jwks_uri.push_str("-of-before")).await;
    let examined = examine(&app).await;
    let line = examined.line(PROVIDERS, issuer, LineStatus::Warning);
    assert!(
        line.message.contains(&format!("names the keys at {saved}, but {saved}-of-before was")),
        "{line:?}"
    );
    app.change_provider(|provider| provider.jwks_uri = saved).await;
    app.idp.change(|behaviour| behaviour.jwks = json!({ "keys": [{ "kty": "oct", "k": "AA" }] }));
    examine(&app).await.failed(PROVIDERS, issuer, &["no usable public signing key", "RS256"]);
    app.idp.change(|behaviour| behaviour.metadata_issuer.push('/'));
    examine(&app).await.failed(PROVIDERS, issuer, &["by a trailing slash"]);
    let mut guarded = config(&app);
    guarded.fetch.private_origins.clear();
    let examined = examine_with(&app, guarded).await;
    let line = examined.failed(PROVIDERS, issuer, &["must be https"]);
    assert!(line.fix.as_ref().unwrap().contains("fetch.private_origins"), "{line:?}");
    app.change_provider(|provider| provider.enabled = false).await;
    let examined = examine(&app).await;
    assert!(examined.named(PROVIDERS, issuer).is_empty(), "it is switched off");
    examined.line(PROVIDERS, "identity_providers", LineStatus::Warning);
}

/// With thousands of teamspaces, only some issuers are asked, each once; and the report says so.
#[tokio::test(flavor = "multi_thread")]
async fn many_issuers_are_not_all_asked() {
    let app = service(|_| {}).await;
    let first = app.provider("acme");
    app.configure(Changed::Teamspace(first.teamspace_id.clone()), move |c| {
        for number in 0..70 {
            let issuer = format!("https://10.0.0.1/{number}");
            let (id, jwks_uri) = (format!("provider-{number}"), format!("{issuer}/keys"));
            identity_providers::put(c, &IdentityProvider { id, issuer, jwks_uri, ..first.clone() })?;
        }
        Ok(())
    })
    .await;
    let examined = examine(&app).await;
    let asked = examined.0.iter().filter(|line| line.group == PROVIDERS && line.name.contains("://")).count();
    assert_eq!(asked, 64);
    let line = examined.line(PROVIDERS, "limit", LineStatus::Warning);
    assert!(line.message.contains("64 of 71"), "{line:?}");
    examined.failed(PROVIDERS, "https://10.0.0.1/0", &["not public"]);
}

/// The provider by which people sign in to the console.
#[tokio::test(flavor = "multi_thread")]
async fn the_consoles_own_provider_is_asked_as_well() {
    let app = service(|_| {}).await;
    let mut with_oidc = config(&app);
    with_oidc.console.oidc = Some(countersign::config::Oidc {
        issuer: app.idp.issuer.clone(),
        client_id: "console".to_owned(),
        client_secret: Some("secret".to_owned().into()),
        client_secret_file: None,
        scopes: vec![],
    });
    examine_with(&app, with_oidc.clone()).await.line(PROVIDERS, "console.oidc", LineStatus::Ok);
    app.idp.change(|behaviour| behaviour.status = axum::http::StatusCode::BAD_GATEWAY);
    app.idp.change(|behaviour| behaviour.delay = Duration::ZERO);
    examine_with(&app, with_oidc).await.failed(PROVIDERS, "console.oidc", &["502"]);
}
