//! Each reason for a refusal as the console tells it: what happened, which check failed, who can fix it and how.

use std::collections::HashSet;

use countersign::model::client::KeySource;
use countersign::model::kill_switch::{KillScope, KillSwitch};
use countersign::model::member::Status;
use countersign::model::member_link::LinkBy;
use countersign::model::teamspace::Plan;
use countersign::oauth::check::Check;
use countersign::oauth::reason::{About, Fixer, Reason};
use countersign::oauth::request::JWT_BEARER;
use countersign::store::changes::Changed;
use countersign::store::kill_switches;
use serde_json::{Value, json};

use super::activity::{record, row};
use super::visitor::{Visitor, has};
use crate::client_assertion::{exchange, jwks, put_signer, sign};
use crate::dpop;
use crate::files::with_shipped;
use crate::harness::{Answer, CLIENT, SECRET, START, TestApp, resource};
use crate::idp::Key;

/// Reasons that are shown for a row that the test writes, since provoking them takes more than a request.
const WRITTEN: [&str; 7] = [
    "rate_limited",
    "internal",
    "issuer_not_configured",
    "custom_authorization_server",
    "client_document_unusable",
    "client_public",
    "proof_nonce_needed",
];

/// Reasons that are given under settings of their own.
const SETTINGS: [&str; 13] = [
    "link_claim_unusable",
    "client_blocked",
    "grant_unsupported",
    "issuer_disabled",
    "issuer_unreachable",
    "scope_not_in_setting",
    "member_limit_reached",
    "email_domain_not_allowed",
    "plan_not_enterprise",
    "member_inactive",
    "session_revoked",
    "kill_switch",
    "proof_required",
];

/// Refuses one person with nothing but that it does, and cannot be evaluated for another.
const POLICIES: &str = r#"
@id("silent") @reason("policy_denied") @error("access_denied") @message("x")
forbid (principal, action == Action::"ProvisionMember", resource)
when { context.claims has email && context.claims.email == "silent@acme.com" };
@id("overflows") @reason("never_said") @error("access_denied") @message("x")
forbid (principal, action == Action::"AdmitMember", resource)
when { context.claims has auth_age && context.claims.auth_age.toMilliseconds() * 9223372036854775807 > 0 };
"#;

/// An assertion with these claims is refused for the reason.
fn claims_of(app: &TestApp, reason: &str) -> Option<Value> {
    Some(match reason {
        "issuer_unknown" => json!({ "iss": "https://other.example.com" }),
        "aud_mismatch" => json!({ "aud": format!("{}/", app.issuer()) }),
        "client_id_mismatch" => json!({ "client_id": "another" }),
        "expired" => json!({ "iat": START - 900, "exp": START - 600 }),
        "not_yet_valid" => json!({ "iat": START + 600, "exp": START + 900 }),
        "lifetime_too_long" => json!({ "exp": START + 200_000 }),
        "claim_missing" => json!({ "jti": null }),
        "claim_malformed" => json!({ "exp": "soon" }),
        "resource_missing" => json!({ "resource": null }),
        "resource_not_allowed" => json!({ "resource": "https://mcp.example.com/other" }),
        "scope_unknown" => json!({ "scope": "no.such" }),
        "tenant_mismatch" => json!({ "aud_tenant": "globex" }),
        "cnf_unsupported" => json!({ "cnf": { "jkt": "x" } }),
        "proof_missing" => json!({ "cnf": { "jkt": "C".repeat(42) + "A" } }),
        "authorization_details_malformed" => json!({ "authorization_details": [] }),
        "authorization_details_type_unknown" => json!({ "authorization_details": [{ "type": "x" }] }),
        "authorization_details_unfit" => json!({ "authorization_details": [{ "type": "mcp_tool" }] }),
        "authorization_details_elsewhere" => json!({ "authorization_details": [
            { "type": "mcp_tool", "tools": ["a"], "server": "https://other.example.com" }
        ] }),
        "email_missing" => json!({ "sub": "00u2", "email": null }),
        "email_unverified" => json!({ "sub": "00u2", "email": "lee@acme.com", "email_verified": false }),
        "subject_conflict" => json!({ "sub": "00u2" }),
        "policy_denied" => json!({ "sub": "00u3", "email": "silent@acme.com" }),
        "policy_error" => json!({ "auth_time": START - 60 }),
        _ => return None,
    })
}

/// A request that is refused for the reason, whatever the settings are.
async fn request_of(app: &TestApp, reason: &str) -> Option<Answer> {
    let signed = |key: &Key, name: &str, value: &str| {
        let mut header = key.header();
        header[name] = json!(value);
        key.sign(&header.to_string(), &Value::Object(app.claims()).to_string())
    };
    let idp = &app.idp.key;
    Some(match reason {
        "request_malformed" => app.post(&[("grant_type", JWT_BEARER)]).await,
        "client_unknown" => from_client(app, ("nobody", SECRET)).await,
        "client_auth_failed" => from_client(app, (CLIENT, "a-wrong-secret-of-the-client")).await,
        "client_assertion_replayed" => {
            let key = Key::es256("k");
            put_signer(app, KeySource::Registered(jwks(&[&key]).to_string())).await;
            let assertion = sign(app, &key, json!({}));
            exchange(app, &assertion).await;
            exchange(app, &assertion).await
        }
        "account_unknown" => {
            app.change_provider(|provider| provider.link_by = Some(LinkBy::Account)).await;
            let claims =
                json!({ "sub": "00u7", "email": "sam@acme.com", "aud_tenant": "acme", "aud_sub": "nobody" });
            let answer = app.exchange(&app.assertion(claims)).await;
            app.change_provider(|provider| provider.link_by = None).await;
            answer
        }
        "client_keys_unreachable" => {
            put_signer(app, KeySource::Fetched("https://10.0.0.1/keys".to_owned())).await;
            exchange(app, &sign(app, &Key::es256("k"), json!({}))).await
        }
        "assertion_malformed" => app.exchange("not.signed").await,
        "detail_not_authorized" => {
            let tools = |name: &str| json!([{ "type": "mcp_tool", "tools": [name] }]);
            let assertion = app.assertion(json!({ "authorization_details": tools("a") }));
            let beyond = tools("b").to_string();
            app.exchange_with(&assertion, &[("authorization_details", &beyond)]).await
        }
        "typ_wrong" => app.exchange(&signed(idp, "typ", "JWT")).await,
        "alg_not_allowed" => app.exchange(&signed(idp, "alg", "HS256")).await,
        "kid_unknown" => app.exchange(&signed(idp, "kid", "another")).await,
        "signature_bad" => app.exchange(&signed(&Key::rsa("idp-1", 1), "kid", "idp-1")).await,
        "proof_invalid" => dpop::exchange(app, &app.assertion(json!({})), &["x"]).await,
        "proof_mismatch" => {
            let bound = app.assertion(json!({ "cnf": { "jkt": "C".repeat(42) + "A" } }));
            dpop::exchange(app, &bound, &[&dpop::proof(app, &Key::es256("k"))]).await
        }
        "proof_replayed" => {
            let proof = dpop::proof(app, &Key::es256("k"));
            dpop::exchange(app, &app.assertion(json!({})), &[&proof]).await;
            dpop::exchange(app, &app.assertion(json!({})), &[&proof]).await
        }
        "scope_not_authorized" => {
            app.exchange_with(&app.assertion(json!({})), &[("scope", "docs.write")]).await
        }
        "replayed" => {
            let assertion = app.assertion(json!({}));
            app.exchange(&assertion).await;
            app.exchange(&assertion).await
        }
        reason => app.exchange(&app.assertion(claims_of(app, reason)?)).await,
    })
}

async fn from_client(app: &TestApp, (id, secret): (&str, &str)) -> Answer {
    let assertion = app.assertion(json!({}));
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    let request = app.http.post(app.token_url()).basic_auth(id, Some(secret)).form(&form);
    Answer::of(request.send().await.unwrap()).await
}

/// Settings under which an ordinary request is refused for the reason.
async fn change_settings(app: &TestApp, reason: &str) {
    match reason {
        "client_blocked" => app.change_client(|client| client.enabled = false).await,
        "grant_unsupported" => app.change_client(|client| client.grant_types.clear()).await,
        "issuer_disabled" => app.change_provider(|provider| provider.enabled = false).await,
        "issuer_unreachable" => app.idp.change(|idp| idp.status = axum::http::StatusCode::BAD_GATEWAY),
        "scope_not_in_setting" => app.change_provider(|provider| provider.scope = "docs.read".into()).await,
        "member_limit_reached" => app.change_teamspace(|teamspace| teamspace.member_limit = Some(0)).await,
        "email_domain_not_allowed" => {
            app.change_teamspace(|teamspace| teamspace.email_domains = vec!["acme.example".into()]).await;
        }
        "plan_not_enterprise" => app.change_teamspace(|teamspace| teamspace.plan = Plan::Pro).await,
        "link_claim_unusable" => {
            app.change_provider(|provider| provider.link_by = Some(LinkBy::Claim("number".to_owned()))).await;
        }
        "member_inactive" => {
            app.put_member("dana@acme.com", Status::Suspended).await;
        }
        "proof_required" => app.change_client(|client| client.dpop_bound_access_tokens = true).await,
        "kill_switch" => {
            let client = (KillScope::Client, CLIENT.to_owned());
            let switches = Changed::KillSwitches;
            app.configure(switches, |c| Ok(kill_switches::insert(c, &switch(client)).map(drop)?)).await;
        }
        "session_revoked" => {
            app.granted(json!({})).await;
            app.change_member("dana@acme.com", |member| member.sessions_ended_at = Some(START)).await;
        }
        _ => panic!("say in tests/it/console/refusals.rs how {reason} is provoked"),
    }
}

fn switch((scope, object): (KillScope, String)) -> KillSwitch {
    let (id, reason, created_by) = ("switch".to_owned(), "leaked".to_owned(), "ops".to_owned());
    KillSwitch { id, scope, object, reason, created_by, created_at: START }
}

/// A request that is refused for the reason, or a row of one: the request's id.
async fn refused(app: &TestApp, reason: &str) -> String {
    if WRITTEN.contains(&reason) {
        return record(app, row(app, reason)).await;
    }
    if request_of(app, reason).await.is_none() {
        change_settings(app, reason).await;
        let scope = if reason == "scope_not_in_setting" { "docs.write" } else { "docs.read" };
        app.exchange_with(&app.assertion(json!({})), &[("scope", scope)]).await;
    }
    let refused = app.last_sign_in().await;
    assert_eq!(refused.reason, reason, "{refused:?}");
    refused.request_id
}

async fn start() -> (TestApp, tempfile::TempDir) {
    let policies = with_shipped(&[("own.cedar", POLICIES)]);
    let dir = policies.path().to_owned();
    let app = TestApp::start_with(|config| config.policy_dir = Some(dir)).await;
    app.put_resource(resource("https://mcp.example.com/second", &[])).await;
    (app, policies)
}

fn words(fixer: Fixer) -> &'static str {
    match fixer {
        Fixer::ClientDeveloper => "develops or configures the client",
        Fixer::IdentityProviderAdministrator => "administrator of the identity provider",
        Fixer::TeamspaceAdministrator => "administrator of the teamspace",
        Fixer::Operator => "an operator of this service",
        Fixer::PolicyAuthor => "writes the policies",
        Fixer::SecurityTeam => "the security team",
        Fixer::Person => "the person who signs in",
        Fixer::Nobody => "passes by itself",
    }
}

/// Asserts that a page tells a reason: with the check that failed, and with the way to the page on which it is fixed.
async fn assert_told(operator: &Visitor, page: &str, about: &About) {
    has(page, &["Sign-in refused", about.reason, "Who can fix it:", "Every check, in order"]);
    let (_, fix) = page.split_once("Who can fix it:").unwrap();
    let (fix, _) = fix.split_once("</p>").unwrap();
    for fixer in about.fixers {
        assert!(fix.contains(words(*fixer)), "{}: {fix}", about.reason);
    }
    let (_, how) = fix.split_once(". ").unwrap();
    assert!(how.len() > 12 && !how.contains("policy's message"), "{}: {how}", about.reason);
    if let Some((_, link)) = how.split_once("href=\"/console") {
        operator.get(link.split('"').next().unwrap()).await.page(200);
    }
    let list = page.split("<ol class=\"checks\">").nth(1).unwrap();
    let classes = list.split("<li class=\"").skip(1).filter_map(|item| item.split('"').next());
    let failed: Vec<Check> =
        classes.zip(Check::ALL).filter(|(class, _)| *class == "failed").map(|(_, check)| check).collect();
    match about.checks {
        // No assertion was looked at.
        [] => assert!(failed.len() <= 1, "{}: {failed:?}", about.reason),
        checks => assert!(
            failed.len() == 1 && checks.contains(&failed[0]),
            "{}: {failed:?}, expected one of {checks:?}",
            about.reason
        ),
    }
}

/// All that the table has: by a real request where one can make it.
#[tokio::test(flavor = "multi_thread")]
async fn every_reason_is_shown_with_its_check_and_its_fix() {
    let mut sentences = HashSet::new();
    let (shared, _policies) = start().await;
    shared.granted(json!({})).await;
    for about in Reason::TABLE {
        let own = if SETTINGS.contains(&about.reason) { Some(start().await) } else { None };
        let app = own.as_ref().map_or(&shared, |(app, _)| app);
        let id = refused(app, about.reason).await;
        let operator = Visitor::operator_named(&app.app, "ops@example.com").await;
        let page = operator.get(&format!("/activity/{id}")).await.page(200);
        assert_told(&operator, &page, about).await;
        let sentence = page.split("<strong>").nth(1).and_then(|rest| rest.split("</strong>").next()).unwrap();
        assert!(sentences.insert(sentence.to_owned()), "{sentence} is said of two reasons");
    }
}

/// A reason of a deployment's own policy.
#[tokio::test(flavor = "multi_thread")]
async fn a_reason_that_is_in_no_table_is_shown_as_a_policys_own() {
    let app = TestApp::start().await;
    let visitor = Visitor::by_link(&app.app, "acme").await;
    let id = record(&app, row(&app, "weekend_only")).await;
    let page = visitor.get(&format!("/t/acme/activity/{id}")).await.page(200);
    has(&page, &["A policy of this deployment refuses it.", "weekend_only", "whoever writes the policies"]);
}
