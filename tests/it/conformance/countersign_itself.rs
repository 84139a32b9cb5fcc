//! The suite on Countersign.

use std::sync::Arc;

use countersign::conformance::{
    ClientDocument, ConformanceProfile, KnownClient, RequirementLevel, RuleState, SuiteAlg, SuiteIdp,
    TestTarget,
};

use countersign::model::client::{AuthMethod, KeySource, RegisteredClient};
use serde_json::json;

use super::{examine, holding, idp, shortcomings, target};
use crate::harness::{RESOURCE, SECRET, TestApp, client};
use crate::introspection::{SERVER, SERVER_SECRET, put_credentials};

const KEY_CLIENT: &str = "client-with-a-key";

/// A service that trusts the suite's identity provider, and takes clients with its keys and documents.
async fn service(idp: &SuiteIdp) -> TestApp {
    let issuer = idp.issuer().to_owned();
    let documents = ClientDocument::ALL.map(|document| idp.document_url(document));
    let app = TestApp::start_with(|config| {
        config.fetch.private_origins.push(issuer.into());
        config.dpop.require_nonce = true;
        config.client_documents.allowed = documents.to_vec();
    })
    .await;
    let (issuer, jwks_uri) = (idp.issuer().to_owned(), idp.jwks_uri());
    app.change_provider(move |provider| (provider.issuer, provider.jwks_uri) = (issuer, jwks_uri)).await;
    app.put_client(client("another-client", &[SECRET])).await;
    let keys = json!({ "keys": [idp.keys().client.public_jwk()] }).to_string();
    app.put_client(RegisteredClient {
        token_endpoint_auth_method: AuthMethod::PrivateKeyJwt,
        keys: Some(KeySource::Registered(keys)),
        ..client(KEY_CLIENT, &[])
    })
    .await;
    put_credentials(&app, RESOURCE, SERVER).await;
    app
}

fn whole_target(app: &TestApp, profile: ConformanceProfile) -> TestTarget {
    let known = |id: &str, secret: &str| Some(KnownClient { id: id.to_owned(), secret: secret.to_owned() });
    TestTarget {
        other_client: known("another-client", SECRET),
        introspection: known(SERVER, SERVER_SECRET),
        key_client: Some(KEY_CLIENT.to_owned()),
        ..target(app.issuer(), profile)
    }
}

/// Nothing fails, and nothing that we recommend is missing.
#[tokio::test]
async fn countersign_passes_every_check_of_both_profiles() {
    for profile in [ConformanceProfile::Ema, ConformanceProfile::IdJag04] {
        let idp = idp().await;
        let app = service(&idp).await;
        let report = examine(whole_target(&app, profile), idp, Arc::new(app.clock.clone())).await;
        assert_eq!(shortcomings(&report), [""; 0], "{}", report.to_text());
        assert!(report.conforms());
        for id in ["CLI-03", "CLI-04", "GRT-10", "REG-02", "REG-03", "INT-05"] {
            assert_eq!(report.rule(id).unwrap().state, RuleState::Holds, "{id}: {}", report.to_text());
        }
        let musts = holding(&report, RequirementLevel::Must);
        assert!(musts > 120, "{musts} checks:\n{}", report.to_text());
    }
}

/// The shape of the upstream proposal: a known member, whose assertions have a `sub` and no email.
#[tokio::test]
async fn countersign_passes_the_upstream_profile() {
    let idp = idp().await;
    let app = service(&idp).await;
    let claims = app.claims_with(serde_json::json!({ "iss": idp.issuer() }));
    let key = idp.keys().trusted(SuiteAlg::Rs256);
    let header = serde_json::json!({ "alg": "RS256", "kid": key.kid(), "typ": "oauth-id-jag+jwt" });
    let first =
        key.sign("RS256", &header.to_string(), &serde_json::Value::Object(claims).to_string()).unwrap();
    assert_eq!(app.exchange(&first).await.status, 200);
    let target = TestTarget { alg: SuiteAlg::Es256, ..whole_target(&app, ConformanceProfile::Upstream) };
    let report = examine(target, idp, Arc::new(app.clock.clone())).await;
    assert_eq!(shortcomings(&report), [""; 0], "{}", report.to_text());
}
