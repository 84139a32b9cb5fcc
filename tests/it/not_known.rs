//! A claim that is there and cannot be taken whole: it refuses where a policy reads it, and never counts as absent.

use countersign::exchange::claims::read_groups;
use countersign::model::member::Status;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::files::with_shipped;
use crate::harness::{START, TestApp};

/// Keeps a group out of one teamspace.
const BLOCKED: &str = r#"
    @id("acme.blocked") @reason("blocked") @error("access_denied") @message("Blocked.")
    forbid (principal in Group::"acme/blocked", action in Action::"member", resource);"#;

async fn fresh_app_with(rule: &str) -> TestApp {
    // Read at the start; nothing looks at the directory afterwards.
    let dir = with_shipped(&[("team.cedar", rule)]);
    let policies = dir.path().to_owned();
    TestApp::start_with(move |config| config.policy_dir = Some(policies)).await
}

/// With Dana as a member.
async fn app_with(rule: &str) -> TestApp {
    let app = fresh_app_with(rule).await;
    app.granted(json!({ "groups": [] })).await;
    app
}

/// The same claims, null among them.
fn assertion(app: &TestApp, changes: Value) -> String {
    let mut claims = app.claims();
    claims.extend(changes.as_object().unwrap().clone());
    app.idp.key.assertion(&claims)
}

fn many(number: usize) -> Vec<String> {
    (1..number).map(|i| format!("g{i}")).chain(["blocked".to_owned()]).collect()
}

/// Unusable claims, each with a word from the log about it.
fn unreadable() -> Vec<(Value, &'static str)> {
    let elsewhere = json!({ "_claim_names": { "groups": "src1" }, "_claim_sources": { "src1": { "endpoint": "https://x.example" } } });
    let mut both = elsewhere.clone();
    both["groups"] = json!(["staff"]);
    vec![
        (json!({ "groups": {} }), "got an object"),
        (json!({ "groups": { "blocked": true } }), "got an object"),
        (json!({ "groups": [["blocked"]] }), "got an array with an array in it"),
        (json!({ "groups": ["staff", { "name": "blocked" }] }), "got an array with an object in it"),
        (json!({ "groups": ["staff", 7] }), "got an array with a number in it"),
        (json!({ "groups": ["staff", null] }), "got an array with null in it"),
        (json!({ "groups": 7 }), "got a number"),
        (json!({ "groups": true }), "got true or false"),
        (json!({ "groups": "" }), "got an empty name"),
        (json!({ "groups": ["staff", ""] }), "got an empty name"),
        (json!({ "groups": ["a\u{0}b"] }), "got a name with a control character"),
        (json!({ "groups": ["x".repeat(1025)] }), "got a name of 1025 bytes"),
        (json!({ "groups": many(1001) }), "got an array of 1001"),
        (elsewhere, "got a reference in _claim_names"),
        (both, "got a reference in _claim_names"),
        (json!({ "hasgroups": true }), "got hasgroups"),
        (json!({ "hasgroups": "true" }), "got hasgroups"),
    ]
}

#[tokio::test]
async fn a_keep_out_rule_is_not_switched_off_by_how_groups_are_written() {
    let app = app_with(BLOCKED).await;
    for groups in [json!("blocked"), json!(["blocked"]), json!(["staff", "blocked"]), json!(many(1000))] {
        app.refused(json!({ "groups": groups }), "access_denied", "blocked").await;
    }
    for (claims, told) in unreadable() {
        app.refused_assertion(&assertion(&app, claims.clone()), "invalid_grant", "claim_malformed").await;
        let row = app.last_sign_in().await;
        assert!(
            row.detail.starts_with("groups must be ") && row.detail.contains(told),
            "{claims} {}",
            row.detail
        );
        assert!(row.detail.len() < 200 && !row.detail.contains("blocked"), "{}", row.detail);
    }
    // Other names, however they are spelt.
    for groups in [json!("a,blocked"), json!(["Blocked"]), json!(["staff"]), json!([]), json!(null)] {
        assert_eq!(app.exchange(&assertion(&app, json!({ "groups": groups }))).await.status, 200);
        assert_eq!(app.last_sign_in().await.detail, "");
    }
    assert_eq!(app.exchange(&assertion(&app, json!({ "hasgroups": false }))).await.status, 200);
}

#[tokio::test]
async fn where_no_policy_reads_the_groups_the_row_says_that_they_are_not_known() {
    let app = TestApp::start().await;
    for (claims, told) in unreadable() {
        let answer = app.exchange(&assertion(&app, claims.clone())).await;
        assert_eq!(answer.status, 200, "{claims} {answer:?}");
        let row = app.last_sign_in().await;
        assert_eq!((row.outcome.as_str(), row.reason.as_str()), ("granted", ""));
        assert!(row.detail.starts_with("not known, and not needed: groups must be "), "{}", row.detail);
        assert!(row.detail.contains(told), "{}", row.detail);
    }
}

/// Only where it can be read: another teamspace's rule, one about a scope that nobody asks for, and one that this
/// sign-in does not reach decide nothing about it.
#[tokio::test]
async fn only_what_a_sign_in_can_meet_counts() {
    let forbid = |head: &str, condition: &str| {
        format!(
            "@id(\"f\") @reason(\"r\") @error(\"access_denied\") @message(\"m\") forbid ({head}) {condition};"
        )
    };
    let malformed = || json!({ "groups": { "a": 1 } });
    let anybody = "principal is User, action, resource";
    for (head, condition) in [
        ("principal in Group::\"globex/blocked\", action, resource", ""),
        (
            "principal is User, action, resource in Teamspace::\"globex\"",
            "unless { context.claims has groups }",
        ),
        (
            "principal is User, action == Action::\"GrantScope\", resource == Scope::\"docs.write\"",
            "unless { principal in Group::\"acme/editors\" }",
        ),
        (
            "principal is User, action == Action::\"ProvisionMember\", resource",
            "when { principal in Group::\"acme/staff\" }",
        ),
        (
            "principal is User, action == Action::\"AdmitMember\", resource",
            "when { context.linking && principal in Group::\"acme/x\" }",
        ),
        (
            "principal is User, action == Action::\"AdmitMember\", resource",
            "when { context.linking } unless { context.claims has groups }",
        ),
    ] {
        let app = app_with(&forbid(head, condition)).await;
        let answer = app.exchange(&app.assertion(malformed())).await;
        assert_eq!(answer.status, 200, "{head} {condition} {answer:?}");
    }
    for (head, condition) in [
        ("principal in Group::\"acme/blocked\", action, resource", ""),
        (anybody, "when { principal in [Group::\"acme/blocked\"] }"),
        (
            "principal is User, action in Action::\"grant\", resource",
            "when { principal is User in Group::\"acme/x\" }",
        ),
        (
            "principal is User, action == Action::\"GrantScope\", resource == Scope::\"docs.read\"",
            "when { principal in Group::\"acme/x\" }",
        ),
        (
            "principal is User, action == Action::\"AdmitMember\", resource",
            "when { !context.linking && principal in Group::\"acme/x\" }",
        ),
        (
            "principal is User, action == Action::\"AdmitMember\", resource",
            "when { context.claims has groups && context.weekday == 9 }",
        ),
    ] {
        let app = app_with(&forbid(head, condition)).await;
        app.refused(malformed(), "invalid_grant", "claim_malformed").await;
    }
}

#[tokio::test]
async fn no_claim_is_not_no_group() {
    let rule = r#"@id("told") @reason("groups_needed") @error("access_denied") @message("m")
        forbid (principal is User, action in Action::"member", resource) unless { context.claims has groups };"#;
    let app = fresh_app_with(rule).await;
    app.refused(json!({}), "access_denied", "groups_needed").await;
    app.granted(json!({ "groups": [] })).await;
    app.granted(json!({ "groups": ["staff"] })).await;
    app.refused(json!({}), "access_denied", "groups_needed").await;
}

/// The groups claim has the name that the identity provider's settings say.
#[tokio::test]
async fn another_name_of_the_claim_is_read_alike() {
    let app = app_with(BLOCKED).await;
    app.change_provider(|p| p.groups_claim = "https://acme.com/\"teams\"".into()).await;
    app.refused(json!({ "https://acme.com/\"teams\"": "blocked" }), "access_denied", "blocked").await;
    app.refused(json!({ "https://acme.com/\"teams\"": {} }), "invalid_grant", "claim_malformed").await;
    let detail = app.last_sign_in().await.detail;
    assert!(detail.starts_with("\"https://acme.com/\\\"teams\\\"\" must be"), "{detail}");
    app.granted(json!({ "groups": {} })).await;
}

/// Every claim that may be left out may be null.
#[tokio::test]
async fn null_is_absent() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    for name in [
        "nbf",
        "scope",
        "resource",
        "email",
        "email_verified",
        "tenant",
        "aud_tenant",
        "aud_sub",
        "auth_time",
        "acr",
        "amr",
        "act",
        "session_expiry",
        "groups",
        "cnf",
        "authorization_details",
        "_claim_names",
        "hasgroups",
    ] {
        let answer = app.exchange(&assertion(&app, json!({ name: null }))).await;
        assert_eq!(answer.status, 200, "{name} {answer:?}");
    }
    assert_eq!(
        app.exchange(&assertion(&app, json!({ "act": { "sub": "a", "act": null } }))).await.status,
        200
    );
    for name in ["sub", "aud", "client_id", "jti", "exp", "iat"] {
        app.refused_assertion(&assertion(&app, json!({ name: null })), "invalid_grant", "claim_missing")
            .await;
    }
}

const BAD_EMAILS: [&str; 6] =
    ["", "victim(x)@corp.example", "\"dana\"@acme.com", "dana@acme", "a@b@acme.com", "dänä@acme.com"];

/// Who is known by the subject comes in whatever the email looks like; for a first sign-in it must be a plain one.
#[tokio::test]
async fn a_known_member_needs_no_email() {
    let app = TestApp::start().await;
    for email in
        BAD_EMAILS.map(Value::from).into_iter().chain([json!(7), json!(["dana@acme.com"]), json!({})])
    {
        app.refused(json!({ "email": email }), "invalid_grant", "claim_malformed").await;
        let detail = app.last_sign_in().await.detail;
        assert!(detail.starts_with("email must be a plain email address; got a"), "{detail}");
        assert!(!detail.contains("acme") && !detail.contains("corp"), "{detail}");
    }
    let own = app.granted(json!({})).await.claims()["sub"].clone();
    for email in BAD_EMAILS.map(Value::from).into_iter().chain([json!(null), json!(7), json!({})]) {
        let answer = app.exchange(&assertion(&app, json!({ "email": email, "email_verified": "yes" }))).await;
        assert_eq!(answer.status, 200, "{email} {answer:?}");
        assert_eq!(answer.claims()["sub"], own);
        assert!(app.last_sign_in().await.detail.contains("email_verified must be true or false"));
    }
    let row = app.last_sign_in().await;
    assert!(row.email.is_empty(), "{row:?}");
    // One person never becomes another, neither by an email nor by an account.
    app.granted(json!({ "sub": "00u2", "email": "other@acme.com" })).await;
    app.refused(json!({ "email": "other@acme.com" }), "invalid_grant", "subject_conflict").await;
    app.refused(json!({ "sub": "00u3", "email": "" }), "invalid_grant", "claim_malformed").await;
    app.refused(json!({ "sub": "00u3", "aud_sub": own }), "invalid_grant", "subject_conflict").await;
    app.refused(json!({ "sub": "00u3", "email": null }), "invalid_grant", "email_missing").await;
}

/// At a first sign-in, with or without an invitation, the shipped policies ask whether the email is verified.
#[tokio::test]
async fn email_verified_must_be_readable_where_it_is_asked_for() {
    let app = TestApp::start().await;
    app.put_member("dana@acme.com", Status::Invited).await;
    app.refused(json!({ "email_verified": "false" }), "invalid_grant", "claim_malformed").await;
    app.refused(
        json!({ "sub": "x", "email": "x@acme.com", "email_verified": 0 }),
        "invalid_grant",
        "claim_malformed",
    )
    .await;
    app.granted(json!({})).await;
    app.granted(json!({ "email_verified": "false" })).await;
}

/// A rule about the email of members reads it of every member.
#[tokio::test]
async fn an_email_that_a_policy_reads_must_be_readable() {
    let rule = r#"@id("c") @reason("contractor") @error("access_denied") @message("m")
        forbid (principal is User, action == Action::"GrantResource", resource)
        when { context.claims has email_domain && context.claims.email_domain == "contractors.example" };"#;
    let app = app_with(rule).await;
    app.refused(json!({ "email": "kim(x)@contractors.example" }), "invalid_grant", "claim_malformed").await;
    app.granted(json!({ "email": null })).await;
}

/// Whoever is a contractor stays one when the assertion says nothing of the email.
#[tokio::test]
async fn policies_see_the_stored_members_domain() {
    let rule = std::fs::read_to_string("policies/examples/contractors.cedar").unwrap();
    let app = fresh_app_with(&rule).await;
    app.put_member("kim@contractors.example", Status::Invited).await;
    let both = json!({ "email": "kim@contractors.example", "scope": "docs.read docs.write" });
    assert_eq!(app.granted(both).await.json["scope"], "docs.read");
    for email in [json!(null), json!(""), json!("kim(x)@acme.com"), json!("kim.new@acme.com")] {
        let changes = json!({ "email": email, "scope": "docs.read docs.write" });
        let answer = app.exchange(&assertion(&app, changes)).await;
        assert_eq!(answer.json["scope"], "docs.read", "{email} {answer:?}");
    }
    app.refused(
        json!({ "sub": "2", "email": "x@contractors.example" }),
        "access_denied",
        "invitation_required",
    )
    .await;
    let staff = app.granted(json!({ "sub": "3", "scope": "docs.read docs.write" })).await;
    assert_eq!(staff.json["scope"], "docs.read docs.write");
}

/// A setting replaces what the assertion says of scopes, whatever that is.
#[tokio::test]
async fn what_a_setting_replaces_need_not_be_readable() {
    let app = TestApp::start().await;
    let claims =
        [json!("docs.read docs.write admin"), json!("admin"), json!(["docs.read"]), json!(7), json!("a\tb")];
    app.change_provider(|p| p.scope = "docs.read".into()).await;
    for scope in &claims {
        assert_eq!(app.granted(json!({ "scope": scope })).await.json["scope"], "docs.read", "{scope}");
    }
    let row = app.last_sign_in().await;
    assert!(row.detail.starts_with("not known, and not needed: scope must be one string"), "{row:?}");
    app.change_provider(|p| p.scope.clear()).await;
    for (scope, reason) in claims.iter().zip(["scope_unknown", "scope_unknown", "claim_malformed"]) {
        app.refused(json!({ "scope": scope }), "invalid_grant", reason).await;
    }
    // Nor is one used that the request does not ask for.
    let wide = app.assertion(json!({ "scope": "docs.read admin" }));
    let answer = app.exchange_with(&wide, &[("scope", "docs.read")]).await;
    assert_eq!((answer.status, &answer.json["scope"]), (200, &json!("docs.read")));
    let wide = app.assertion(json!({ "scope": "docs.read admin" }));
    assert_eq!(
        app.exchange_with(&wide, &[("scope", "docs.read admin")]).await.json["error"],
        "invalid_grant"
    );
}

/// A policy that compares the setting with the claim reads the claim.
#[tokio::test]
async fn the_capping_policy_needs_the_scope_claim() {
    let rule = std::fs::read_to_string("policies/examples/cap-scope-setting.cedar").unwrap();
    let app = app_with(&rule).await;
    app.change_provider(|p| p.scope = "docs.read docs.write".into()).await;
    app.refused(json!({ "scope": ["docs.read"] }), "invalid_grant", "claim_malformed").await;
    assert_eq!(app.granted(json!({ "scope": "docs.read admin" })).await.json["scope"], "docs.read");
    assert_eq!(app.granted(json!({ "scope": null })).await.json["scope"], "");
}

/// Unusable claims that go into the token, or decide by themselves, refuse as before.
#[tokio::test]
async fn what_the_token_says_must_be_readable() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    for (name, value) in [
        ("amr", json!("mfa")),
        ("acr", json!(1)),
        ("auth_time", json!((START - 60).to_string())),
        ("act", json!("x")),
        ("session_expiry", json!("x")),
        ("tenant", json!({})),
        ("aud_sub", json!([])),
        ("resource", json!({})),
        ("amr", json!(["pwd", 7])),
    ] {
        app.refused(json!({ name: value }), "invalid_grant", "claim_malformed").await;
    }
    let elsewhere = json!({ "_claim_names": { "acr": "s" }, "_claim_sources": {} });
    app.refused(elsewhere, "invalid_grant", "claim_malformed").await;
    app.refused(json!({ "_claim_names": "groups" }), "invalid_grant", "claim_malformed").await;
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,5}".prop_map(Value::from),
        "[a-z]{1,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec("[a-z]{1,5}", 0..4).prop_map(Value::from),
            proptest::collection::hash_map("[a-z]{1,3}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// All of it, or nothing: no group is ever left out.
    #[test]
    fn groups_are_taken_whole_or_not_at_all(value in any_json(), claim in "[a-z]{1,8}") {
        let payload = Map::from_iter([(claim.clone(), value.clone())]);
        match read_groups(&payload, &claim) {
            Ok(Some(groups)) => {
                let whole = json!(groups);
                prop_assert!(value == whole || json!([value]) == whole, "{value} {groups:?}");
            }
            Ok(None) => prop_assert!(false, "{value} counts as no claim"),
            Err(fault) => prop_assert!(fault.to_string().len() < 200),
        }
        prop_assert!(read_groups(&Map::new(), &claim).unwrap().is_none());
    }
}
