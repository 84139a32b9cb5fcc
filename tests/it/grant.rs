//! Step 8, what is granted: resource and scopes.

use countersign::model::member::Status;
use serde_json::{Value, json};

use crate::harness::{RESOURCE, TestApp, resource};
use crate::reload::Rules;

const OTHER: &str = "https://other.example.com/mcp";

async fn invalid(app: &TestApp, changes: Value, more: &[(&str, &str)], error: &str, reason: &str) {
    let (assertion, before) = (app.assertion(changes), app.written().await);
    let answer = app.exchange_with(&assertion, more).await;
    app.assert_refused(&answer, before, 400, error, reason).await;
}

async fn scope_of(app: &TestApp, changes: Value, more: &[(&str, &str)]) -> String {
    let answer = app.exchange_with(&app.assertion(changes), more).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let claims = answer.claims();
    let scope = answer.json["scope"].as_str().unwrap().to_owned();
    assert_eq!(claims["scope"].as_str().unwrap_or_default(), scope, "answer and token agree");
    scope
}

/// GRT-01: assertion ∩ request ∩ registered; and GRT-02: narrowing is told, nothing left is an error.
#[tokio::test]
async fn the_grant_is_within_assertion_request_and_registration() {
    let app = TestApp::start().await;
    let both = json!({ "scope": "docs.read docs.write" });
    assert_eq!(scope_of(&app, both.clone(), &[]).await, "docs.read docs.write");
    assert_eq!(scope_of(&app, both.clone(), &[("scope", "docs.write")]).await, "docs.write");
    assert_eq!(scope_of(&app, json!({}), &[("scope", "docs.read docs.write")]).await, "docs.read");
    assert_eq!(scope_of(&app, json!({}), &[("scope", "docs.read unheard.of")]).await, "docs.read");
    invalid(&app, json!({}), &[("scope", "docs.write")], "invalid_scope", "scope_not_authorized").await;
    invalid(&app, json!({}), &[("scope", "unheard.of")], "invalid_scope", "scope_unknown").await;
    // Present and empty: the identity provider authorized none.
    invalid(&app, json!({ "scope": "" }), &[("scope", "docs.read")], "invalid_scope", "scope_not_authorized")
        .await;
    assert_eq!(scope_of(&app, json!({ "scope": "" }), &[]).await, "");
}

/// GRT-03
#[tokio::test]
async fn a_scope_that_the_resource_does_not_have_is_a_fault_of_the_assertion() {
    let app = TestApp::start().await;
    app.refused(json!({ "scope": "docs.read docs.delete" }), "invalid_grant", "scope_unknown").await;
    app.change_resource(|r| r.scopes.clear()).await;
    assert_eq!(
        scope_of(&app, json!({ "scope": "docs.read anything:at-all" }), &[]).await,
        "docs.read anything:at-all"
    );
}

/// GRT-04: what Claude Code normally brings, an assertion without scope and resource.
#[tokio::test]
async fn an_assertion_without_scope_gets_the_setting_or_the_defaults_or_nothing() {
    let app = TestApp::start().await;
    let bare = json!({ "scope": null, "resource": null });
    assert_eq!(scope_of(&app, bare.clone(), &[]).await, "");
    app.change_resource(|r| r.default_scopes = vec!["docs.read".into()]).await;
    assert_eq!(scope_of(&app, bare.clone(), &[]).await, "docs.read");
    let row = app.last_sign_in().await;
    assert!(row.decisions.contains("scope.default"), "{row:?}");
    app.change_provider(|p| p.scope = "docs.write".into()).await;
    assert_eq!(scope_of(&app, bare.clone(), &[]).await, "docs.write");
    app.change_provider(|p| p.scope.clear()).await;
    invalid(&app, bare.clone(), &[("scope", "docs.write")], "invalid_scope", "scope_not_authorized").await;
    assert_eq!(scope_of(&app, bare, &[("scope", "docs.read")]).await, "docs.read");
    // An empty claim is not an absent one.
    assert_eq!(scope_of(&app, json!({ "scope": "" }), &[]).await, "");
}

/// GRT-05: the teamspace's setting is granted as listed.
#[tokio::test]
async fn the_teamspaces_setting_replaces_what_passes_through() {
    let app = TestApp::start().await;
    app.change_provider(|p| p.scope = "docs.read  docs.write".into()).await;
    assert_eq!(scope_of(&app, json!({}), &[]).await, "docs.read docs.write");
    assert_eq!(scope_of(&app, json!({}), &[("scope", "docs.write")]).await, "docs.write");
    app.change_provider(|p| p.scope = "docs.read".into()).await;
    assert_eq!(scope_of(&app, json!({ "scope": "docs.read docs.write" }), &[]).await, "docs.read");
    assert!(app.last_sign_in().await.decisions.contains("scope_not_in_setting"));
    invalid(&app, json!({}), &[("scope", "docs.write")], "invalid_scope", "scope_not_in_setting").await;
    // A setting may list scopes of several servers; those of others are left out.
    app.change_provider(|p| p.scope = "docs.read mail.send".into()).await;
    assert_eq!(scope_of(&app, json!({}), &[]).await, "docs.read");
}

/// GRT-05 with the ready policy that caps the setting at what the identity provider authorized.
#[tokio::test]
async fn the_capping_policy_caps_the_setting() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["issuer", "members", "grants"] {
        std::fs::copy(format!("policies/{name}.cedar"), dir.path().join(format!("{name}.cedar"))).unwrap();
    }
    std::fs::copy("policies/examples/cap-scope-setting.cedar", dir.path().join("cap.cedar")).unwrap();
    let policies = dir.path().to_owned();
    let app = TestApp::start_with(move |config| config.policy_dir = Some(policies)).await;
    app.change_provider(|p| p.scope = "docs.read docs.write".into()).await;
    assert_eq!(scope_of(&app, json!({}), &[]).await, "docs.read");
    assert_eq!(scope_of(&app, json!({ "scope": null }), &[]).await, "");
    invalid(&app, json!({ "scope": "" }), &[("scope", "docs.read")], "invalid_scope", "scope_not_authorized")
        .await;
}

/// GRT-06
#[tokio::test]
async fn identity_provider_scopes_are_never_granted() {
    let app = TestApp::start().await;
    let wide = json!({ "scope": "openid docs.read offline_access" });
    assert_eq!(scope_of(&app, wide, &[]).await, "docs.read");
    app.change_resource(|r| r.scopes.clear()).await;
    assert_eq!(scope_of(&app, json!({ "scope": "openid offline_access profile" }), &[]).await, "profile");
    assert_eq!(scope_of(&app, json!({ "scope": "openid offline_access" }), &[]).await, "");
}

/// GRT-07
#[tokio::test]
async fn the_request_chooses_among_the_assertions_resources() {
    let app = TestApp::start().await;
    app.put_resource(resource(OTHER, &["docs.read"])).await;
    let both = json!({ "resource": [RESOURCE, OTHER] });
    let chosen = app.exchange_with(&app.assertion(both.clone()), &[("resource", OTHER)]).await;
    assert_eq!((&chosen.json["resource"], &chosen.claims()["aud"]), (&json!(OTHER), &json!(OTHER)));
    invalid(&app, both.clone(), &[], "invalid_target", "resource_missing").await;
    invalid(
        &app,
        both,
        &[("resource", RESOURCE), ("resource", OTHER)],
        "invalid_target",
        "resource_not_allowed",
    )
    .await;
    invalid(&app, json!({}), &[("resource", OTHER)], "invalid_target", "resource_not_allowed").await;
    invalid(
        &app,
        json!({}),
        &[("resource", "https://foreign.example")],
        "invalid_target",
        "resource_not_allowed",
    )
    .await;
    invalid(&app, json!({}), &[("resource", "no uri")], "invalid_target", "resource_not_allowed").await;
    // JAG-16: one good and one foreign resource in the assertion
    let mixed = json!({ "resource": [RESOURCE, "https://foreign.example/"] });
    app.refused(mixed, "invalid_grant", "resource_not_allowed").await;
    app.refused(json!({ "resource": "https://foreign.example/" }), "invalid_grant", "resource_not_allowed")
        .await;
}

/// GRT-08
#[tokio::test]
async fn without_a_resource_claim_the_request_or_the_only_one_counts() {
    let app = TestApp::start().await;
    let bare = json!({ "resource": null });
    assert_eq!(app.granted(bare.clone()).await.claims()["aud"], json!(RESOURCE));
    app.put_resource(resource(OTHER, &["docs.read"])).await;
    invalid(&app, bare.clone(), &[], "invalid_target", "resource_missing").await;
    let chosen = app.exchange_with(&app.assertion(bare.clone()), &[("resource", OTHER)]).await;
    assert_eq!(chosen.claims()["aud"], json!(OTHER));
    invalid(
        &app,
        bare.clone(),
        &[("resource", "https://foreign.example/")],
        "invalid_target",
        "resource_not_allowed",
    )
    .await;
    // A server that is offered to other teamspaces only is none of the choices.
    app.change_resource(|r| r.teamspaces = Some(vec!["globex".into()])).await;
    assert_eq!(app.granted(bare.clone()).await.claims()["aud"], json!(OTHER));
    invalid(&app, bare, &[("resource", RESOURCE)], "invalid_target", "resource_not_allowed").await;
    app.refused(json!({}), "invalid_grant", "resource_not_allowed").await;
}

/// GRT-09
#[tokio::test]
async fn resources_are_compared_after_syntax_normalization_only() {
    let app = TestApp::start().await;
    for same in
        ["https://MCP.example.com/mcp", "https://mcp.example.com:443/mcp", "HTTPS://mcp.example.com/mcp"]
    {
        let answer = app.granted(json!({ "resource": same })).await;
        assert_eq!(answer.claims()["aud"], json!(RESOURCE), "the registered form is what is granted");
    }
    for other in [
        "https://mcp.example.com/mcp/",
        "https://mcp.example.com/MCP",
        "https://mcp.example.com/mcp?x=1",
        "https://mcp.example.com:444/mcp",
        "http://mcp.example.com/mcp",
    ] {
        app.refused(json!({ "resource": other }), "invalid_grant", "resource_not_allowed").await;
    }
    app.put_resource(resource("https://bare.example.com", &[])).await;
    for same in ["https://bare.example.com", "https://bare.example.com/", "https://BARE.example.com:443/"] {
        let answer = app.granted(json!({ "resource": same, "scope": null })).await;
        assert_eq!(answer.claims()["aud"], json!("https://bare.example.com"));
    }
}

/// GRT-11: a scope's name means something within its resource only.
#[tokio::test]
async fn scopes_are_resolved_within_their_resource() {
    let app = TestApp::start().await;
    app.put_resource(resource(OTHER, &["docs.read"])).await;
    let both = json!({ "resource": [RESOURCE, OTHER], "scope": "docs.read" });
    for target in [RESOURCE, OTHER] {
        let answer = app.exchange_with(&app.assertion(both.clone()), &[("resource", target)]).await;
        assert_eq!((&answer.claims()["aud"], &answer.json["scope"]), (&json!(target), &json!("docs.read")));
    }
    let foreign = json!({ "resource": OTHER, "scope": "docs.write" });
    app.refused(foreign, "invalid_grant", "scope_unknown").await;
}

/// A policy of a security team: the reason and message that it names reach the log and the client.
#[tokio::test]
async fn a_teams_policy_decides_with_its_own_reason() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["issuer", "members", "grants"] {
        std::fs::copy(format!("policies/{name}.cedar"), dir.path().join(format!("{name}.cedar"))).unwrap();
    }
    let rule = r#"
        @id("acme.write-needs-group") @reason("group_required") @error("invalid_scope") @message("Editors only.")
        forbid (principal, action == Action::"GrantScope", resource in Teamspace::"acme")
        when { resource == Scope::"docs.write" } unless { principal in Group::"acme/editors" };
        @id("client.blocked") @reason("client_blocked") @error("access_denied") @message("Blocked \"client\" é.")
        forbid (principal, action in [Action::"TrustIssuer", Action::"member", Action::"grant"], resource)
        when { context.client in ClientGroup::"blocked" };"#;
    std::fs::write(dir.path().join("team.cedar"), rule).unwrap();
    let policies = dir.path().to_owned();
    let app = TestApp::start_with(move |config| config.policy_dir = Some(policies)).await;
    let both = json!({ "scope": "docs.read docs.write" });
    assert_eq!(scope_of(&app, both.clone(), &[]).await, "docs.read");
    assert!(app.last_sign_in().await.decisions.contains("group_required"));
    let editor = json!({ "scope": "docs.read docs.write", "groups": ["editors"] });
    assert_eq!(scope_of(&app, editor, &[]).await, "docs.read docs.write");
    app.refused(json!({ "scope": "docs.write" }), "invalid_scope", "group_required").await;
    app.change_client(|client| client.groups = vec!["blocked".into()]).await;
    let answer = app.refused(both, "access_denied", "client_blocked").await;
    // RFC 6749 §5.2: printable ASCII without quotes
    assert_eq!(answer.json["error_description"], "Blocked 'client' '.");
}

/// Rule 18: a policy that errs is a denial, not a skipped rule.
/// A policy refuses the requested scopes and says why, and so does the wire.
#[tokio::test]
async fn the_message_of_a_refused_scope_reaches_the_client() {
    let rules = Rules::shipped_and(
        r#"@id("no-write") @reason("no_write") @error("access_denied") @message("Nobody writes on Sundays.")
        forbid (principal, action == Action::"GrantScope", resource)
        when { ["docs.write", "docs.delete"].contains(resource.name) };
        @id("no-delete") @reason("no_delete") @error("invalid_scope") @message("Nothing is deleted.")
        forbid (principal, action == Action::"GrantScope", resource == Scope::"docs.delete");
        @id("mute") @otherwise("mute")
        permit (principal, action == Action::"GrantScope", resource == Scope::"docs.write")
        when { context.weekday == 9 };"#,
    );
    let app = rules.start().await;
    let scopes = ["docs.read", "docs.write", "docs.delete"];
    app.change_resource(move |r| r.scopes = resource(RESOURCE, &scopes).scopes).await;
    let all = json!({ "scope": "docs.read docs.write docs.delete openid" });
    let none = ("invalid_scope", "None of the requested scopes can be granted.");
    let message = ("access_denied", "Nobody writes on Sundays.");
    for (claims, asked, (error, text), reason) in [
        (all.clone(), Some("docs.write"), message, "no_write"),
        (all.clone(), Some("docs.write openid"), message, "no_write"),
        (json!({ "scope": "docs.write" }), None, message, "no_write"),
        (all.clone(), Some("docs.delete"), ("invalid_scope", "Nothing is deleted."), "no_delete"),
        // The policy that refuses both.
        (all.clone(), Some("docs.write docs.delete"), message, "no_write"),
        // One of them is refused by no policy.
        (json!({ "scope": "docs.write" }), Some("docs.write docs.delete"), none, "no_write"),
        (json!({}), Some("docs.write"), none, "scope_not_authorized"),
    ] {
        let more: Vec<_> = asked.map(|asked| ("scope", asked)).into_iter().collect();
        let (assertion, before) = (app.assertion(claims), app.written().await);
        let answer = app.exchange_with(&assertion, &more).await;
        app.assert_refused(&answer, before, 400, error, reason).await;
        assert_eq!(answer.json["error_description"], text, "{asked:?}");
    }
    assert_eq!(scope_of(&app, all, &[]).await, "docs.read", "a scope less is no error");
}

#[tokio::test]
async fn a_policy_that_errs_denies() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["issuer", "members", "grants"] {
        std::fs::copy(format!("policies/{name}.cedar"), dir.path().join(format!("{name}.cedar"))).unwrap();
    }
    let rule = r#"
        @id("overflows") @reason("never_said") @error("access_denied") @message("x")
        forbid (principal, action == Action::"AdmitMember", resource)
        when { context.claims has auth_age && context.claims.auth_age.toMilliseconds() * 9223372036854775807 > 0 };"#;
    std::fs::write(dir.path().join("team.cedar"), rule).unwrap();
    let policies = dir.path().to_owned();
    let app = TestApp::start_with(move |config| config.policy_dir = Some(policies)).await;
    app.granted(json!({})).await;
    let erring = json!({ "auth_time": crate::harness::START - 60 });
    app.refused(erring, "access_denied", "policy_error").await;
    assert!(app.last_sign_in().await.decisions.contains("overflows"));
    assert_eq!(app.member("dana@acme.com").await.unwrap().status, Status::Active);
}

/// GRT-08: a teamspace that wants the claim gets it with a ready policy.
#[tokio::test]
async fn a_policy_can_require_the_resource_claim() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["issuer", "members", "grants", "examples/resource-required", "examples/reserve-issuers"] {
        let target = dir.path().join(format!("{}.cedar", name.replace('/', "-")));
        std::fs::copy(format!("policies/{name}.cedar"), target).unwrap();
    }
    let policies = dir.path().to_owned();
    let app = TestApp::start_with(move |config| config.policy_dir = Some(policies)).await;
    invalid(
        &app,
        json!({ "resource": null }),
        &[("resource", RESOURCE)],
        "invalid_grant",
        "resource_missing",
    )
    .await;
    app.granted(json!({})).await;
}
