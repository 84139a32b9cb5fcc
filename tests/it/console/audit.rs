//! The Audit page.

use serde_json::json;

use super::visitor::{Visitor, has};
use crate::admin::harness::Harness;

/// Who changed what, from what to what: with what was there and what is there, and markup as text.
#[tokio::test]
async fn changes_are_shown_with_the_values_before_and_after() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    h.operator.patch("/teamspaces/acme", json!({ "name": "<b>Acme</b>" })).await.expect(200);
    let operator = Visitor::operator(&h.app).await;
    let page = operator.get("/audit").await.page(200);
    has(&page, &["teamspace.update", "<ins>&#60;b&#62;Acme&#60;/b&#62;</ins>", "API token", "Decision log"]);
    assert!(!page.contains("<b>Acme</b>"), "{page}");
    let found = operator.get("/audit?action=teamspace&object=acme").await.page(200);
    has(&found, &["teamspace.update"]);
    let none = operator.get("/audit?actor=nobody").await.page(200);
    has(&none, &["No change matches"]);
    has(&operator.get("/audit?from=yesterday").await.page(200), &["Nothing was searched for."]);
}

/// A cell that a spreadsheet would take for a formula is a text.
#[tokio::test]
async fn the_export_has_the_rows_of_the_search() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    h.operator.patch("/teamspaces/acme", json!({ "name": "=1+1" })).await.expect(200);
    let operator = Visitor::operator(&h.app).await;
    let csv = operator.get("/audit/export?action=teamspace.update&format=csv").await.page(200);
    assert!(csv.starts_with("time,actor,actor_kind,"), "{csv}");
    assert_eq!(csv.lines().count(), 2, "{csv}");
    let json = operator.get("/audit/export?action=teamspace.update&format=json").await.page(200);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["items"][0]["new"]["name"], "=1+1");
    assert_eq!(json["truncated"], false);
}

/// Files of both logs take the places of what is heavy: beyond a few at once, somebody is asked to wait.
#[tokio::test]
async fn few_files_are_made_at_once() {
    let h = Harness::start().await;
    let operator = Visitor::operator(&h.app).await;
    let mut places = Vec::new();
    while let Ok(place) = h.app.admin_budgets.enter_heavy_as_operator(operator.session_id()) {
        places.push(place);
    }
    for path in ["/audit/export?format=csv", "/activity/export?format=csv"] {
        assert_eq!(operator.get(path).await.status, 429, "{path}");
    }
    drop(places);
    for path in ["/audit/export?format=csv", "/activity/export?format=csv"] {
        assert_eq!(operator.get(path).await.status, 200, "{path}");
    }
}

/// A set-up link shows what its teamspace is set up with, and not who did what.
#[tokio::test]
async fn a_set_up_link_sees_no_audit_log() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    let visitor = Visitor::by_link(&h.app, "acme").await;
    for path in ["/audit", "/audit/export?format=csv"] {
        assert_eq!(visitor.get(path).await.status, 403, "{path}");
    }
}
