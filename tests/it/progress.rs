//! The decision log has everything that was known about a refused request by then: no more, and no less.

use countersign::store::sign_ins::SignIn;
use serde_json::{Value, json};

use crate::harness::{Answer, CLIENT, TestApp};

/// The names of what a row knows.
fn known(row: &SignIn) -> Vec<&'static str> {
    let texts = [
        ("client", &row.client_id),
        ("asked", &row.scopes_asked),
        ("issuer", &row.issuer),
        ("teamspace", row.teamspace_id.as_ref().unwrap_or(&String::new())),
        ("provider", &row.identity_provider_id),
        ("subject", &row.subject),
        ("email", &row.email),
        ("assertion", &row.assertion),
        ("resource", &row.resource),
        ("policies", &row.policy_set),
        ("decisions", &row.decisions),
        ("facts", &row.facts),
        ("member", &row.member_id),
        ("granted", &row.scopes_granted),
        ("token", &row.token_id),
    ]
    .map(|(name, text)| (!text.is_empty()).then_some(name));
    texts.into_iter().flatten().collect()
}

const CLAIMED: [&str; 3] = ["client", "issuer", "teamspace"];
const AUTHENTIC: [&str; 8] =
    ["client", "asked", "issuer", "teamspace", "provider", "subject", "email", "assertion"];

fn and(known: &[&'static str], more: &[&'static str]) -> Vec<&'static str> {
    known.iter().chain(more).copied().collect()
}

async fn assert_known(app: &TestApp, answer: Answer, reason: &str, expected: &[&str]) {
    assert!(answer.status >= 400, "{answer:?}");
    let row = app.last_sign_in().await;
    assert_eq!((row.reason.as_str(), known(&row).as_slice()), (reason, expected), "{row:?}");
}

/// Before the client is known, and before the signature is good.
#[tokio::test]
async fn a_row_holds_nothing_that_was_not_known() {
    let app = TestApp::start().await;
    let malformed = app.http.post(app.token_url()).body("x").send().await.unwrap();
    assert_known(&app, Answer::of(malformed).await, "request_malformed", &[]).await;
    let wrong = app.http.post(app.token_url()).basic_auth(CLIENT, Some("wrong"));
    let wrong = wrong.form(&[("grant_type", "x"), ("scope", "docs.read")]).send().await.unwrap();
    assert_known(&app, Answer::of(wrong).await, "client_auth_failed", &["client"]).await;
    let other_grant = app.post(&[("grant_type", "x"), ("scope", "docs.read")]).await;
    assert_known(&app, other_grant, "grant_unsupported", &["client"]).await;
    let malformed = app.exchange_with("x.y", &[("scope", "docs.read")]).await;
    assert_known(&app, malformed, "assertion_malformed", &["client", "asked"]).await;

    let ask = async |changes: Value| app.exchange(&app.assertion(changes)).await;
    let unknown = ask(json!({ "iss": "https://other.example.com" })).await;
    assert_known(&app, unknown, "issuer_unknown", &["client", "issuer"]).await;
    let near = ask(json!({ "iss": format!("{}/", app.idp.issuer) })).await;
    assert_known(&app, near, "issuer_unknown", &CLAIMED).await;
    let mut altered = app.assertion(json!({}));
    altered.replace_range(altered.len() - 6.., "AAAAAA");
    assert_known(&app, app.exchange(&altered).await, "signature_bad", &CLAIMED).await;
    assert_known(&app, ask(json!({ "jti": null })).await, "claim_missing", &CLAIMED).await;
}

/// Once the signature is good, and once policies have decided.
#[tokio::test]
async fn a_row_holds_all_that_was_known() {
    let app = TestApp::start().await;
    let ask = async |changes: Value| app.exchange(&app.assertion(changes)).await;
    let unselected = ask(json!({ "aud_tenant": "globex" })).await;
    let without_provider: Vec<&str> = AUTHENTIC.into_iter().filter(|name| *name != "provider").collect();
    assert_known(&app, unselected, "tenant_mismatch", &without_provider).await;
    assert_known(&app, ask(json!({ "aud": "https://other" })).await, "aud_mismatch", &AUTHENTIC).await;
    let nowhere = ask(json!({ "resource": "https://nowhere" })).await;
    assert_known(&app, nowhere, "resource_not_allowed", &AUTHENTIC).await;
    let unheard = ask(json!({ "scope": "unheard.of" })).await;
    assert_known(&app, unheard, "scope_unknown", &and(&AUTHENTIC, &["resource"])).await;

    let decided = and(&AUTHENTIC, &["resource", "policies", "decisions", "facts"]);
    let unverified = ask(json!({ "email_verified": false })).await;
    assert_known(&app, unverified, "email_unverified", &decided).await;
    let ended = ask(json!({ "session_expiry": 1 })).await;
    assert_known(&app, ended, "expired", &decided).await;
    let assertion = app.assertion(json!({}));
    assert_eq!(app.exchange(&assertion).await.status, 200);
    assert_eq!(known(&app.last_sign_in().await), and(&decided, &["member", "granted", "token"]));
    assert_known(&app, app.exchange(&assertion).await, "replayed", &decided).await;
    let other = ask(json!({ "sub": "another" })).await;
    assert_known(&app, other, "subject_conflict", &and(&AUTHENTIC, &["resource", "policies"])).await;
}
