//! Several identity providers in one teamspace, and several teamspaces that share an issuer.

mod migration;
mod vendors;

use countersign::model::identity_provider::IdentityProvider;
use countersign::store::{StoreError, identity_providers};
use serde_json::{Value, json};

use crate::explain::{admin, explain};
use crate::harness::{Answer, CLIENT, TestApp};
use crate::idp::{FakeIdp, Key};

/// Another identity provider of a teamspace, like the first of `acme`.
pub async fn add_provider(app: &TestApp, slug: &str, change: impl FnOnce(&mut IdentityProvider)) {
    let mut provider = IdentityProvider {
        id: uuid::Uuid::new_v4().to_string(),
        teamspace_id: format!("id-of-{slug}"),
        name: "Second".to_owned(),
        ..app.provider("acme")
    };
    change(&mut provider);
    app.save_provider(provider).await;
}

fn pinned(tenant: &str) -> impl FnOnce(&mut IdentityProvider) {
    let tenant = tenant.to_owned();
    |provider| {
        (provider.id, provider.tenant) = (format!("pins-{tenant}"), Some(tenant));
    }
}

/// `acme` has the issuer without a tenant, `globex` the same one for the tenant `g`.
async fn sharing() -> TestApp {
    let app = TestApp::start().await;
    app.put_teamspace("globex").await;
    add_provider(&app, "globex", pinned("g")).await;
    app
}

/// Refused with nothing written but the row, which names this teamspace and provider.
async fn refused(app: &TestApp, changes: Value, reason: &str, whose: (Option<&str>, &str)) -> String {
    app.refused(changes, "invalid_grant", reason).await;
    let row = app.last_sign_in().await;
    assert_eq!((row.teamspace_id.as_deref(), row.identity_provider_id.as_str()), whose, "{row:?}");
    row.detail
}

fn scopes(answer: &Answer) -> &Value {
    &answer.json["scope"]
}

/// SUB-09: a teamspace may have Okta and Entra side by side. Each sign-in is bounded by the scope setting of
/// the provider that it came from, and names it in the decision log.
#[tokio::test]
async fn each_provider_of_a_teamspace_has_its_own_scope_setting() {
    let second = FakeIdp::start(Key::es256("second")).await;
    let origin = second.issuer.clone();
    let app = TestApp::start_with(|config| config.fetch.private_origins.push(origin.into())).await;
    app.change_provider(|provider| provider.scope = "docs.read".to_owned()).await;
    add_provider(&app, "acme", |provider| {
        (provider.issuer, provider.jwks_uri) = (second.issuer.clone(), second.jwks_uri());
        (provider.id, provider.scope) = ("entra".to_owned(), "docs.write".to_owned());
    })
    .await;
    let first = app.granted(json!({ "scope": "docs.read docs.write" })).await;
    assert_eq!(scopes(&first), "docs.read");
    assert_eq!(app.last_sign_in().await.identity_provider_id, "id-of-acme");
    let changes = json!({ "iss": second.issuer, "sub": "eve", "email": "eve@acme.com" });
    let other = app.exchange(&second.key.assertion(&app.claims_with(changes))).await;
    assert_eq!(scopes(&other), "docs.write", "{other:?}");
    assert_eq!(other.claims()["teamspace"], "acme");
    let row = app.last_sign_in().await;
    assert_eq!(
        (row.identity_provider_id.as_str(), row.teamspace_id.as_deref()),
        ("entra", Some("id-of-acme"))
    );
    assert_eq!(countersign::decision_log::view(&row, None)["identity_provider"], "entra");
    // So do policies see it.
    let facts: Value = serde_json::from_str(&row.facts).unwrap();
    assert_eq!(facts["teamspace"]["identity_provider"], "entra");
    assert_eq!(facts["teamspace"]["issuer"], json!(second.issuer));
    assert_eq!(facts["teamspace"]["other_issuers"], json!([app.idp.issuer]));
    // The keys of one are not the other's.
    let forged = app.claims_with(json!({ "iss": app.idp.issuer }));
    let answer = app.exchange(&second.key.assertion(&forged)).await;
    assert_eq!(answer.json["error"], "invalid_grant");
}

/// JAG-21, JAG-22, SUB-09: the tenant leads to the teamspace that pins it, and nowhere else; `aud_tenant` to the one
/// that pins none.
#[tokio::test]
async fn teamspaces_that_share_an_issuer_are_told_apart() {
    let app = sharing().await;
    for (changes, teamspace, provider) in [
        (json!({ "tenant": "g" }), "globex", "pins-g"),
        (json!({ "tenant": "g", "aud_tenant": "globex" }), "globex", "pins-g"),
        (json!({}), "acme", "id-of-acme"),
        (json!({ "aud_tenant": "acme" }), "acme", "id-of-acme"),
        // The tenant is part of who somebody is.
        (json!({ "tenant": "a", "aud_tenant": "acme", "email": "a@acme.com" }), "acme", "id-of-acme"),
    ] {
        let answer = app.granted(changes.clone()).await;
        assert_eq!(answer.claims()["teamspace"], teamspace, "{changes}");
        assert_eq!(app.last_sign_in().await.identity_provider_id, provider, "{changes}");
    }
}

/// JAG-21, JAG-22, SUB-09: never by the first row. What could be several teamspaces' is nobody's: the row names none,
/// and its detail nothing of them.
#[tokio::test]
async fn an_assertion_that_could_be_anybodys_is_refused() {
    let app = sharing().await;
    for changes in [
        json!({ "tenant": "a" }),
        json!({ "tenant": "g", "aud_tenant": "acme" }),
        json!({ "tenant": "a", "aud_tenant": "globex" }),
        json!({ "aud_tenant": "globex" }),
        json!({ "aud_tenant": "elsewhere" }),
    ] {
        let detail = refused(&app, changes.clone(), "tenant_mismatch", (None, "")).await;
        assert!(detail.starts_with("no identity provider with this issuer takes tenant"), "{detail}");
        let named = |text: &str| changes["aud_tenant"] == text || changes["tenant"] == text;
        assert!(named("acme") || !detail.contains("acme"), "{detail}");
        assert!(named("globex") || !detail.contains("globex"), "{detail}");
    }
    // A fault before the signature is verified belongs to nobody either.
    let forged = Key::es256("unknown").assertion(&app.claims_with(json!({ "tenant": "g" })));
    app.refused_assertion(&forged, "invalid_grant", "kid_unknown").await;
    assert_eq!(app.last_sign_in().await.teamspace_id, None);
}

/// JAG-21: a pinned tenant must be there and be the same. Where the teamspace is the only one, it learns what came.
#[tokio::test]
async fn a_pinned_tenant_must_be_there() {
    let app = TestApp::start().await;
    app.change_provider(|provider| provider.tenant = Some("t1".to_owned())).await;
    for changes in
        [json!({}), json!({ "tenant": "t2" }), json!({ "tenant": "T1" }), json!({ "aud_tenant": "acme" })]
    {
        refused(&app, changes, "tenant_mismatch", (Some("id-of-acme"), "")).await;
    }
    app.granted(json!({ "tenant": "t1" })).await;
    // Another provider of the teamspace takes what nobody pins.
    add_provider(&app, "acme", |provider| {
        (provider.id, provider.tenant) = ("rest".to_owned(), None);
    })
    .await;
    app.granted(json!({ "tenant": "t2", "sub": "two", "email": "two@acme.com" })).await;
    assert_eq!(app.last_sign_in().await.identity_provider_id, "rest");
}

/// Rule 12: switching one provider off stops its own sign-ins at once, and nobody else's.
#[tokio::test]
async fn a_disabled_provider_refuses_and_the_others_go_on() {
    let app = sharing().await;
    app.change_provider(|provider| provider.enabled = false).await;
    let whose = (Some("id-of-acme"), "id-of-acme");
    refused(&app, json!({}), "issuer_disabled", whose).await;
    app.granted(json!({ "tenant": "g" })).await;
    app.save_provider(IdentityProvider { enabled: false, ..app.provider("globex") }).await;
    refused(&app, json!({ "tenant": "g" }), "issuer_disabled", (None, "")).await;
}

/// SUB-01: a subject is one tenant's. The same subject and email of another tenant is somebody else in another
/// teamspace, and a member of the one cannot be bound to the other.
#[tokio::test]
async fn a_subject_of_one_tenant_is_nobody_in_the_others_teamspace() {
    let app = sharing().await;
    let ours = app.granted(json!({})).await.claims();
    let theirs = app.granted(json!({ "tenant": "g" })).await.claims();
    assert_ne!(ours["sub"], theirs["sub"]);
    // Inside one teamspace, the tenant makes another subject, which must not become a member that is there.
    let whose = (Some("id-of-acme"), "id-of-acme");
    refused(&app, json!({ "tenant": "a", "aud_tenant": "acme" }), "subject_conflict", whose).await;
}

/// ADM-07: the keys are the issuer's, asked for once for all who share it; none of them can make them be asked for anew.
#[tokio::test]
async fn the_keys_of_a_shared_issuer_are_asked_for_once() {
    let app = sharing().await;
    app.granted(json!({})).await;
    app.granted(json!({ "tenant": "g" })).await;
    assert_eq!(app.idp.jwks_requests(), 1);
    for scope in ["docs.read", ""] {
        app.save_provider(IdentityProvider { scope: scope.to_owned(), ..app.provider("globex") }).await;
        app.granted(json!({})).await;
    }
    app.configure(countersign::store::changes::Changed::Teamspace("id-of-globex".to_owned()), |c| {
        Ok(identity_providers::delete(c, "pins-g").map(drop)?)
    })
    .await;
    app.granted(json!({})).await;
    // The only one that is left asks anew when it is saved, as ever.
    app.change_provider(|provider| provider.updated_at += 1).await;
    app.granted(json!({})).await;
    assert!(app.idp.jwks_requests() <= 3, "{}", app.idp.jwks_requests());
}

/// SUB-09: of two who save the same issuer and tenant at once, one gets it, also without a tenant.
#[tokio::test]
async fn issuer_and_tenant_are_unique() {
    let app = TestApp::start().await;
    app.put_teamspace("globex").await;
    for tenant in [None, Some("t".to_owned())] {
        let make = |slug: &str| IdentityProvider {
            id: uuid::Uuid::new_v4().to_string(),
            teamspace_id: format!("id-of-{slug}"),
            issuer: "https://shared.example".to_owned(),
            tenant: tenant.clone(),
            ..app.provider("acme")
        };
        let save = |provider: IdentityProvider| {
            app.app.store.write(move |c| Ok::<_, StoreError>(identity_providers::put(c, &provider)?))
        };
        let (first, second) = tokio::join!(save(make("acme")), save(make("globex")));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    }
}

/// JAG-21, JAG-22: to an administrator of a teamspace that shares an issuer, an assertion for the other one leads
/// nowhere, just as one for nobody. An operator sees where it leads.
#[tokio::test]
async fn explain_tells_a_teamspace_nothing_of_another_with_its_issuer() {
    let app = sharing().await;
    let (acme, operator) = (admin(&app, Some("id-of-acme")).await, admin(&app, None).await);
    let ask = |changes: Value| json!({ "assertion": app.assertion(changes), "client_id": CLIENT });
    let theirs = explain(&app, &acme, "acme", ask(json!({ "tenant": "g" }))).await.json;
    let nobodys = explain(&app, &acme, "acme", ask(json!({ "tenant": "h" }))).await.json;
    assert_eq!(theirs["error"]["reason"], "tenant_mismatch");
    let told = |answer: &Value| answer.to_string().replace("\\\"g\\\"", "X").replace("\\\"h\\\"", "X");
    assert_eq!(told(&theirs), told(&nobodys));
    assert_eq!(explain(&app, &acme, "acme", ask(json!({}))).await.json["error"], Value::Null);
    let seen = explain(&app, &operator, "globex", ask(json!({ "tenant": "g" }))).await.json;
    assert_eq!(
        (&seen["token"]["teamspace"], &seen["identity_provider"]),
        (&json!("globex"), &json!("pins-g"))
    );
    assert!(theirs["identity_provider"].is_null());
}
