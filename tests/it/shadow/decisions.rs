//! Nothing changes but what is recorded.

use countersign::model::teamspace::Plan;
use countersign::policy::reload::ReloadTrigger;
use countersign::store::sign_ins::SignIn;
use serde_json::{Value, json};

use super::{counts, differences, start};
use crate::harness::TestApp;
use crate::reload::{CLOSED, Rules, operator};
use crate::subject::futures_all;

#[tokio::test]
async fn without_a_directory_there_is_no_shadow() {
    let app = TestApp::start().await;
    assert!(app.app.shadow.is_none());
    app.granted(json!({})).await;
    app.app.follow_shadow(ReloadTrigger::Now).await;
    assert_eq!(operator(&app, "/policies").await.json["shadow"], Value::Null);
    assert_eq!(operator(&app, "/policies/shadow").await.status, 404);
}

#[tokio::test]
async fn a_set_that_agrees_is_counted_only() {
    let (rules, other) = (Rules::shipped(), Rules::shipped_and("// The same, but for this comment.\n"));
    let app = start(&rules, &other).await;
    app.granted(json!({})).await;
    app.refused(json!({ "resource": "https://else.example.com" }), "invalid_grant", "resource_not_allowed")
        .await;
    app.change_teamspace(|teamspace| teamspace.plan = Plan::Pro).await;
    app.refused(json!({}), "access_denied", "plan_not_enterprise").await;
    assert_eq!(counts(&app), (2, 0, 0), "what is refused before policies are asked is not compared");
    assert!(differences(&app).await.is_empty());
    let report = operator(&app, "/policies/shadow").await.json;
    assert_eq!((&report["evaluated"], &report["different"]), (&json!(2), &json!(0)), "{report}");
    assert_eq!(report["since"], "2026-11-22T12:00:00Z");
}

/// The last row, without what is random.
async fn last_row(app: &TestApp) -> SignIn {
    let mut row = app.last_sign_in().await;
    for random in [&mut row.request_id, &mut row.assertion, &mut row.token_id, &mut row.member_id] {
        random.clear();
    }
    for text in [&mut row.detail, &mut row.issuer, &mut row.facts] {
        *text = text.replace(app.issuer(), "us").replace(&app.idp.issuer, "idp");
    }
    row
}

/// Answers and the decision log are what they are without a shadow set, whatever it says.
#[tokio::test]
async fn nothing_changes_but_what_is_recorded() {
    let (rules, other) = (Rules::shipped(), Rules::shipped_and(CLOSED));
    let (tried, alone) = (start(&rules, &other).await, rules.start().await);
    let requests = [
        json!({}),
        json!({ "scope": "docs.read docs.write" }),
        json!({ "scope": "docs.unknown" }),
        json!({ "email": null, "sub": "00u2" }),
        json!({ "aud": "https://else.example.com" }),
    ];
    for changes in requests {
        let one = tried.exchange(&tried.assertion(changes.clone())).await;
        let two = alone.exchange(&alone.assertion(changes.clone())).await;
        assert_eq!(one.status, two.status);
        for member in ["scope", "error", "error_description", "expires_in", "token_type"] {
            assert_eq!(one.json[member], two.json[member], "{changes}");
        }
        assert_eq!(last_row(&tried).await, last_row(&alone).await, "{changes}");
    }
    assert_eq!(counts(&tried), (3, 3, 0));
}

/// A decision is compared when it has taken effect: not those that are made again because the facts changed, and
/// not for an assertion that was used before.
#[tokio::test(flavor = "multi_thread")]
async fn each_exchange_counts_once() {
    let app = start(&Rules::shipped(), &Rules::shipped_and(CLOSED)).await;
    let assertions: Vec<String> = (0..32).map(|_| app.assertion(json!({}))).collect();
    let answers = futures_all(assertions.iter().map(|assertion| app.exchange(assertion))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(counts(&app), (32, 32, 0));
    app.refused_assertion(&assertions[0], "invalid_grant", "replayed").await;
    assert_eq!(counts(&app), (32, 32, 0));
    assert_eq!(differences(&app).await.len(), 32);
}
