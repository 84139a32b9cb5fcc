//! The guides of identity providers in `examples`: assertions that look as they tell, and the mistakes that they name.

use countersign::clock::Clock as _;
use countersign::model::identity_provider::Provider;
use countersign::oauth::reason::Reason;
use serde_json::{Map, Value, json};

use crate::harness::{RESOURCE, TestApp};

/// `acme` with an identity provider whose issuer has a path, a scope setting, and keys that are published like this.
async fn app_with(provider: Provider, path: &'static str, keys: impl FnOnce(Value) -> Value) -> TestApp {
    let app = TestApp::start().await;
    app.change_teamspace(|teamspace| teamspace.email_domains = vec!["acme.com".to_owned()]).await;
    app.change_provider(move |saved| {
        (saved.provider, saved.scope) = (provider, "docs.read".to_owned());
        saved.issuer.push_str(path);
    })
    .await;
    let (jwks, issuer) = (json!({ "keys": keys(app.idp.key.jwk()) }), app.provider("acme").issuer);
    app.idp.change(|behaviour| (behaviour.jwks, behaviour.metadata_issuer) = (jwks, issuer));
    app
}

/// The claims of an assertion, some of them replaced.
fn claims(app: &TestApp, usual: &Value, changes: &Value) -> Map<String, Value> {
    let mut all = usual.as_object().unwrap().clone();
    all.extend(changes.as_object().unwrap().clone());
    all.entry("iss").or_insert(json!(app.provider("acme").issuer));
    app.claims_with(Value::Object(all))
}

/// The usual assertion is granted; each mistake is refused with its reason.
async fn assert_guide(app: &TestApp, usual: Value, mistakes: &[(Value, &str, &str)]) {
    let answer = app.exchange(&app.idp.key.assertion(&claims(app, &usual, &json!({})))).await;
    assert_eq!((answer.status, &answer.json["scope"]), (200, &json!("docs.read")), "{answer:?}");
    for (changes, error, reason) in mistakes {
        let assertion = app.idp.key.assertion(&claims(app, &usual, changes));
        app.refused_assertion(&assertion, error, reason).await;
    }
    for typ in ["JWT", "at+jwt", "Bearer"] {
        let mut header = app.idp.key.header();
        header["typ"] = json!(typ);
        let payload = Value::Object(claims(app, &usual, &json!({}))).to_string();
        app.refused_assertion(&app.idp.key.sign(&header.to_string(), &payload), "invalid_grant", "typ_wrong")
            .await;
    }
}

/// JAG-02: keys with certificates and without `alg`, no `email_verified`, groups as ids.
#[tokio::test]
async fn assertions_like_those_of_entra_get_in_and_its_mistakes_have_their_reasons() {
    let with_certificate = |mut jwk: Value| {
        (jwk["x5c"], jwk["x5t"]) = (json!(["MIIC/zCCAeegAwIBAgIJ"]), jwk["kid"].clone());
        json!([jwk])
    };
    let app = app_with(Provider::Entra, "/11111111-2222-3333-4444-555555555555/v2.0", with_certificate).await;
    let usual = json!({ "scope": null, "tid": "11111111-2222-3333-4444-555555555555", "ver": "2.0",
        "oid": "0a1b2c3d-0000-0000-0000-000000000000", "preferred_username": "dana@acme.com", "uti": "x",
        "nbf": app.clock.now(), "groups": ["0a1b2c3d-1111-1111-1111-111111111111"] });
    let stranger = |email: Value| json!({ "sub": "another", "email": email });
    let mistakes = [
        (json!({ "aud": "api://11111111-0000-0000-0000-000000000000" }), "invalid_grant", "aud_mismatch"),
        (
            json!({ "client_id": "22222222-0000-0000-0000-000000000000" }),
            "invalid_grant",
            "client_id_mismatch",
        ),
        (stranger(Value::Null), "invalid_grant", "email_missing"),
        (stranger(json!("guest@elsewhere.example")), "access_denied", "email_domain_not_allowed"),
        (json!({ "sub": "of-another-app-registration" }), "invalid_grant", "subject_conflict"),
        (json!({ "exp": app.clock.now() + 3600 }), "invalid_grant", "lifetime_too_long"),
    ];
    assert_guide(&app, usual, &mistakes).await;
}

/// JAG-02: an encryption key in the set, groups as paths, `email_verified` and `azp`.
#[tokio::test]
async fn assertions_like_those_of_keycloak_get_in_and_its_mistakes_have_their_reasons() {
    let with_encryption_key = |mut jwk: Value| {
        jwk["alg"] = json!("RS256");
        let mut encryption = jwk.clone();
        (encryption["kid"], encryption["use"]) = (json!("enc-1"), json!("enc"));
        encryption["alg"] = json!("RSA-OAEP");
        json!([encryption, jwk])
    };
    let app = app_with(Provider::Oidc, "/realms/acme", with_encryption_key).await;
    let usual = json!({ "scope": null, "email_verified": true, "azp": "mcp-client", "sid": "s", "acr": "1",
        "preferred_username": "dana", "groups": ["/docs-editors"] });
    let own = app.issuer().to_owned();
    let mistakes = [
        (json!({ "iss": "http://keycloak.internal:8080/realms/acme" }), "invalid_grant", "issuer_unknown"),
        (json!({ "aud": "mcp-client" }), "invalid_grant", "aud_mismatch"),
        (json!({ "aud": [own, "account"] }), "invalid_grant", "aud_mismatch"),
        (json!({ "client_id": null }), "invalid_grant", "claim_missing"),
        (
            json!({ "sub": "x", "email": "x@acme.com", "email_verified": false }),
            "invalid_grant",
            "email_unverified",
        ),
    ];
    assert_guide(&app, usual.clone(), &mistakes).await;
    for alg in ["HS256", "HS512", "PS512"] {
        let mut header = app.idp.key.header();
        header["alg"] = json!(alg);
        let payload = Value::Object(claims(&app, &usual, &json!({}))).to_string();
        let assertion = app.idp.key.sign(&header.to_string(), &payload);
        app.refused_assertion(&assertion, "invalid_grant", "alg_not_allowed").await;
    }
    app.change_provider(|provider| provider.scope = String::new()).await;
    let scopes = claims(&app, &usual, &json!({ "scope": "openid email profile" }));
    app.refused_assertion(&app.idp.key.assertion(&scopes), "invalid_grant", "scope_unknown").await;
}

/// JAG-02: an issuer with a path of its own for each organization, and no scope.
#[tokio::test]
async fn assertions_like_claudes_get_in_and_its_mistakes_have_their_reasons() {
    let app = app_with(Provider::Claude, "/issuers/org-1", |jwk| json!([jwk])).await;
    let other_organization = format!("{}/issuers/org-2", app.idp.issuer);
    let mistakes = [
        (json!({ "iss": other_organization }), "invalid_grant", "issuer_unknown"),
        (json!({ "client_id": "claude" }), "invalid_grant", "client_id_mismatch"),
        (json!({ "resource": format!("{RESOURCE}/") }), "invalid_grant", "resource_not_allowed"),
        (json!({ "sub": "x", "email": "dana@private.example" }), "access_denied", "email_domain_not_allowed"),
        (json!({ "sub": "at-another-issuer" }), "invalid_grant", "subject_conflict"),
    ];
    assert_guide(&app, json!({ "scope": null }), &mistakes).await;
}

#[test]
fn the_guides_name_only_reasons_that_there_are() {
    // What saving an identity provider answers.
    let on_saving = [
        "metadata",
        "org_authorization_server",
        "custom_authorization_server",
        "issuer_taken",
        "issuer_unavailable",
    ];
    for guide in ["okta", "entra", "keycloak", "claude-issued"] {
        let text = std::fs::read_to_string(format!("examples/{guide}.md")).unwrap();
        let (_, section) = text.split_once("Mistakes and their reasons").unwrap();
        let rows = section.lines().take_while(|line| !line.starts_with("## "));
        let cells = rows.filter_map(|row| row.strip_suffix('|')?.rsplit('|').next());
        let codes: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
        assert!(codes.len() > 7, "{guide}: {codes:?}");
        for code in codes {
            let is_reason = Reason::TABLE.iter().any(|about| about.reason == code);
            assert!(is_reason || on_saving.contains(&code), "{guide}.md: {code}");
        }
    }
}
