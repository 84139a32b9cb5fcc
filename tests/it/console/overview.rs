//! The Overview page.

use serde_json::json;

use super::visitor::{Visitor, has};
use crate::admin::harness::Harness;
use crate::harness::TestApp;
use crate::sign_in_counts::count;

/// The checklist follows what there is: nothing, then an issuer.
#[tokio::test]
async fn the_checklist_says_what_is_missing() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    let operator = Visitor::operator(&h.app).await;
    let page = operator.get("/t/acme").await.page(200);
    has(
        &page,
        &[
            "0 of 3",
            "Issuer saved",
            "First assertion seen",
            "First token",
            "First MCP call",
            "Not known here",
        ],
    );
    has(&page, &["Last assertion received: never", "None is configured", "No sign-in yet"]);
    assert!(!page.contains("Sign-ins per day"), "nothing to draw");
    let body = json!({ "provider": "oidc", "issuer": h.idp.issuer("good") });
    h.operator.put("/teamspaces/acme/identity-provider", body).await.expect(200);
    has(&operator.get("/t/acme").await.page(200), &["1 of 3", "Active", "Last assertion: never"]);
    h.operator.patch("/teamspaces/acme", json!({ "plan": "free" })).await.expect(200);
    has(&operator.get("/t/acme").await.page(200), &["not on the enterprise plan"]);
    h.teamspace("other").await;
    Visitor::by_link(&h.app, "other").await.get("/t/acme").await.page(404);
}

/// Refusals and grants are told, and tell the provider's state; a refusal of one person does not.
#[tokio::test]
async fn sign_ins_tell_the_state_of_the_provider() {
    let app = TestApp::start().await;
    let operator = Visitor::operator(&app.app).await;
    app.exchange(&app.assertion(json!({ "aud": "https://elsewhere.example.com" }))).await;
    count(&app).await;
    let page = operator.get("/t/acme").await.page(200);
    has(&page, &["2 of 3", "Failing", "Refused", "aud_mismatch"]);
    has(&page, &["Sign-ins per day", ": 1 refused</title>", "Sign-ins per day, in UTC"]);
    has(&operator.get("/t/acme/enterprise").await.page(200), &["Failing", "The last assertion was refused."]);
    app.granted(json!({})).await;
    count(&app).await;
    let page = operator.get("/t/acme").await.page(200);
    has(&page, &["Complete", "Active", "Granted"]);
    app.exchange(&app.assertion(json!({ "sub": "other", "email": null }))).await;
    count(&app).await;
    has(&operator.get("/t/acme").await.page(200), &["Active", "email_missing"]);
}
