//! The table of reasons: complete, and told everywhere as it is.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use countersign::oauth::check::Check;
use countersign::oauth::code::ErrorCode;
use countersign::oauth::reason::{About, Reason};
use countersign::store::sign_ins::SignIn;
use serde_json::{Value, json};

use crate::docs::assert_generated;
use crate::explain::admin;
use crate::harness::{Answer, TestApp};

/// Panics unless the table has the code for the reason. Policies may give any reason with a code of their own.
pub fn assert_told(error: &str, row: &SignIn) {
    let about = Reason::of_policy(row.reason.clone()).about();
    let is_told = about.codes.iter().any(|code| code.wire().0 == error);
    let is_of_policy = !row.decisions.is_empty() && ErrorCode::from_policy(error).is_some();
    assert!(is_told || is_of_policy, "the table of reasons does not have {error} for {}", row.reason);
}

fn code(code: &ErrorCode) -> String {
    match code.wire() {
        (name, 400) => format!("`{name}`"),
        (name, status) => format!("{status} `{name}`"),
    }
}

fn row(about: &About) -> String {
    let list = |parts: Vec<String>| if parts.is_empty() { "–".to_owned() } else { parts.join(", ") };
    let checks = about.checks.iter().map(|check| format!("`{}`", check.as_str())).collect();
    let who = about.fixers.iter().map(|fixer| fixer.as_str().replace('_', " ")).collect();
    let meaning = about.meaning;
    let (checks, codes, who) = (list(checks), list(about.codes.iter().map(code).collect()), list(who));
    format!("| `{}` | {codes} | {checks} | {meaning} | {who} | {} |", about.reason, about.what_to_do)
}

/// The text of `docs/reference/reasons.md`.
fn document() -> String {
    let mut text = "# Reasons\n\n\
         Why a request at the token endpoint was refused: `reason` of a row in the decision log, of `policy explain` and of the\n\
         metrics. Codes without a status are sent with 400. The check is the one that `policy explain` names; a reason \
         without one\nis about no assertion.\n\n\
         Generated from `src/oauth/reason.rs`. Do not edit: a test compares it.\n\n\
         | Reason | On the wire | Check | What happened | Who can fix it | What to do |\n\
         | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for about in Reason::TABLE {
        writeln!(text, "{}", row(about)).unwrap();
    }
    text.push_str(
        "\nPolicies add reasons of their own with `@reason` and `@otherwise`: their message says what to do. Those of\n\
         [policies/examples](../../policies/examples) are among them, if you use these. A policy may also give a reason of \
         this table,\nwith another code.\n\n\
         A teamspace administrator has an operator's admin token or one of that teamspace (`admin-token create \
         --teamspace acme`).\n",
    );
    text
}

#[test]
fn the_document_is_generated() {
    assert_generated("docs/reference/reasons.md", &document());
}

#[test]
fn every_row_says_who_can_fix_it_and_how() {
    let mut seen = BTreeSet::new();
    for about in Reason::TABLE {
        assert!(seen.insert(about.reason), "{} has two rows", about.reason);
        assert!(!about.codes.is_empty() && !about.fixers.is_empty(), "{}", about.reason);
        assert!(about.checks.is_sorted(), "{}: checks in their order", about.reason);
        let sentence = about.what_to_do;
        assert!(
            sentence.ends_with('.') && !sentence.contains(". ") && sentence.starts_with(char::is_uppercase)
        );
    }
    assert!(Check::ALL.is_sorted());
    let told: BTreeSet<&Check> = Reason::TABLE.iter().flat_map(|about| about.checks).collect();
    assert_eq!(told, Check::ALL.iter().collect(), "some reason tells of every check");
}

/// The reasons that administrators meet without policies of their own are explained.
#[test]
fn reasons_of_the_shipped_policies_have_rows() {
    let rows: BTreeSet<&str> = Reason::TABLE.iter().map(|about| about.reason).collect();
    for file in ["issuer", "members", "grants"] {
        let text = std::fs::read_to_string(format!("policies/{file}.cedar")).unwrap();
        let given = text.lines().filter_map(|line| {
            let given = line.strip_prefix("@reason(\"").or_else(|| line.strip_prefix("@otherwise(\""))?;
            given.strip_suffix("\")")
        });
        let given: Vec<&str> = given.collect();
        assert!(!given.is_empty());
        for reason in given {
            assert!(rows.contains(reason), "{file}.cedar: {reason}");
        }
    }
}

/// The admin API tells the table, and what is explained has its row.
#[tokio::test]
async fn the_api_tells_the_table() {
    let app = TestApp::start().await;
    let token = admin(&app, Some("id-of-acme")).await;
    let http = crate::harness::http();
    let url = format!("{}/api/v1/reasons", app.issuer());
    let answer = Answer::of(http.get(&url).bearer_auth(&token).send().await.unwrap()).await;
    let items = answer.json["items"].as_array().unwrap();
    assert_eq!(items.len(), Reason::TABLE.len());
    let expired = items.iter().find(|item| item["reason"] == "expired").unwrap();
    assert_eq!(expired["checks"], json!(["times", "single_use", "token"]));
    assert_eq!(expired["codes"], json!(["invalid_grant"]));
    assert_eq!(http.get(&url).send().await.unwrap().status(), 401);

    let body = json!({ "assertion": app.assertion(json!({ "aud": "https://other" })), "client_id": crate::harness::CLIENT });
    let explained = crate::explain::explain(&app, &token, "acme", body).await;
    let about = Reason::AUD_MISMATCH.about();
    assert_eq!(explained.json["error"]["what_to_do"], about.what_to_do);
    assert_eq!(explained.json["error"]["who"], json!(["identity_provider_administrator"]));
    assert_eq!(explained.json["error"]["reason"], Value::from(about.reason));
}
