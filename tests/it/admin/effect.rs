//! A change is in force for the next request, over the real router.

use countersign::random::digest;
use countersign::store::StoreError;
use countersign::store::admin_tokens::{self, AdminToken};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, CLIENT, START, TestApp};

const TOKEN: &str = "an-operators-token-0123456789";

/// An app with an operator's token.
pub async fn start() -> TestApp {
    with_operator(TestApp::start().await).await
}

/// The same app with an operator's token.
pub async fn with_operator(app: TestApp) -> TestApp {
    let token = AdminToken {
        id: "ops".into(),
        name: "ops".into(),
        token_digest: digest(TOKEN),
        teamspace_id: None,
        created_at: START,
        expires_at: None,
    };
    let insert = move |c: &mut countersign::store::AnyConnection| {
        Ok::<_, StoreError>(admin_tokens::insert(c, &token)?)
    };
    app.app.store.write(insert).await.unwrap();
    app
}

/// Changes something as the operator.
pub async fn change(app: &TestApp, method: Method, path: &str, body: Value) -> Answer {
    let url = format!("{}/api/v1{path}", app.issuer());
    let request = app.http.request(method, url).bearer_auth(TOKEN).json(&body);
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert!((200..300).contains(&answer.status), "{answer:?}");
    assert!(!answer.header("x-request-id").is_empty());
    answer
}

/// ADM-09, REV-08: on the next request, keys in the cache or not.
#[tokio::test]
async fn a_provider_that_is_switched_off_is_not_believed() {
    let app = start().await;
    app.granted(json!({})).await;
    let path = "/teamspaces/acme/identity-provider";
    change(&app, Method::PATCH, path, json!({ "enabled": false })).await;
    app.refused(json!({}), "invalid_grant", "issuer_disabled").await;
    change(&app, Method::PATCH, path, json!({ "enabled": true })).await;
    app.granted(json!({})).await;
    change(&app, Method::DELETE, path, json!({})).await;
    app.refused(json!({}), "invalid_grant", "issuer_unknown").await;
}

/// REV-08
#[tokio::test]
async fn a_suspended_or_removed_member_stays_out_until_brought_back() {
    let app = start().await;
    let id = app.granted(json!({})).await.claims()["sub"].as_str().unwrap().to_owned();
    let path = format!("/teamspaces/acme/members/{id}");
    change(&app, Method::PATCH, &path, json!({ "status": "suspended" })).await;
    app.refused(json!({}), "access_denied", "member_inactive").await;
    change(&app, Method::PATCH, &path, json!({ "status": "active" })).await;
    app.granted(json!({})).await;
    change(&app, Method::DELETE, &path, json!({})).await;
    app.refused(json!({}), "access_denied", "member_inactive").await;
    let again = json!({ "email": "dana@acme.com" });
    change(&app, Method::POST, "/teamspaces/acme/members", again).await;
    assert_eq!(app.granted(json!({})).await.claims()["sub"], id);
}

#[tokio::test]
async fn ended_sessions_need_a_new_sign_in() {
    let app = start().await;
    let id = app.granted(json!({})).await.claims()["sub"].as_str().unwrap().to_owned();
    change(&app, Method::POST, &format!("/teamspaces/acme/members/{id}/end-sessions"), json!({})).await;
    // The provider's clock may be ahead, by 30 seconds at the most.
    app.clock.advance(30);
    app.refused(json!({}), "invalid_grant", "session_revoked").await;
    app.clock.advance(1);
    app.granted(json!({})).await;
}

/// REV-08
#[tokio::test]
async fn a_disabled_client_and_a_withdrawn_secret_are_refused() {
    let app = start().await;
    app.granted(json!({})).await;
    let client = format!("/clients/{CLIENT}");
    change(&app, Method::PATCH, &client, json!({ "enabled": false })).await;
    assert_eq!(app.exchange(&app.assertion(json!({}))).await.status, 401);
    change(&app, Method::PATCH, &client, json!({ "enabled": true })).await;
    // The second secret leaves the first alive, the third drops it.
    app.clock.advance(1);
    change(&app, Method::POST, &format!("{client}/secrets"), json!({})).await;
    app.granted(json!({})).await;
    change(&app, Method::POST, &format!("{client}/secrets"), json!({})).await;
    assert_eq!(app.exchange(&app.assertion(json!({}))).await.status, 401);
}

#[tokio::test]
async fn a_lost_plan_ends_trust() {
    let app = start().await;
    app.granted(json!({})).await;
    change(&app, Method::PATCH, "/teamspaces/acme", json!({ "plan": "pro" })).await;
    app.refused(json!({}), "access_denied", "plan_not_enterprise").await;
}

/// Rule 9: a member of a teamspace whose identity provider has changed is bound anew only when an
/// administrator unlinks the old subject.
#[tokio::test]
async fn an_unlinked_member_is_bound_to_the_next_subject() {
    let app = start().await;
    let id = app.granted(json!({})).await.claims()["sub"].as_str().unwrap().to_owned();
    app.refused(json!({ "sub": "00u9new" }), "invalid_grant", "subject_conflict").await;
    let path = format!("/teamspaces/acme/members/{id}");
    let shown = change(&app, Method::PATCH, &path, json!({ "identities": [] })).await;
    assert_eq!((&shown.json["identities"], &shown.json["status"]), (&json!([]), &json!("active")));
    let unverified = json!({ "sub": "00u9new", "email_verified": false });
    app.refused(unverified, "invalid_grant", "email_unverified").await;
    assert_eq!(app.granted(json!({ "sub": "00u9new" })).await.claims()["sub"], json!(id));
    app.refused(json!({}), "invalid_grant", "subject_conflict").await;
    let url = format!("{}/api/v1{path}", app.issuer());
    let request = app.http.patch(url).bearer_auth(TOKEN).json(&json!({ "identities": [{ "subject": "x" }] }));
    assert_eq!(Answer::of(request.send().await.unwrap()).await.status, 422);
}
