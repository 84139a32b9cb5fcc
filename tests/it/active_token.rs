//! Which access tokens are active: what `introspect` and `forward-auth` answer by.

use std::sync::Arc;

use countersign::active_token::{Inactive, active_token};
use countersign::model::revocation::{Revocation, RevocationCause};
use countersign::revocation::KnownToken;
use serde_json::json;

use crate::admin::effect::{change, start};
use crate::harness::{RESOURCE, START, TestApp};

/// What this process says about a token at the resource that it was issued for.
pub fn look(app: &TestApp, token: &str) -> Result<Arc<KnownToken>, Inactive> {
    let snapshot = app.app.snapshot();
    active_token(&app.app, token, snapshot.resource_named(RESOURCE).unwrap())
}

/// INT-02
#[tokio::test]
async fn a_token_is_active_until_it_expires() {
    let app = TestApp::start().await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    let known = look(&app, &token).unwrap();
    assert_eq!((known.token.issued_at, known.token.expires_at), (START, START + 3600));
    assert_eq!(known.token.identity_provider_id.as_deref(), Some(app.provider("acme").id.as_str()));
    app.clock.advance(3599);
    app.app.reload().await.unwrap();
    assert!(look(&app, &token).is_ok());
    app.clock.advance(1);
    assert_eq!(look(&app, &token).unwrap_err(), Inactive::Expired);
}

/// INT-02, PRS-05: other tokens, and ours with a single character changed.
#[tokio::test]
async fn only_our_own_signed_tokens_are_active() {
    let app = TestApp::start().await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    let (head, signature) = token.rsplit_once('.').unwrap();
    let flipped = format!("{head}.{}{}", if signature.starts_with('A') { "B" } else { "A" }, &signature[1..]);
    for other in ["", ".", "..", "a.b.c", head, &flipped, &app.assertion(json!({})), &"a".repeat(100_000)] {
        assert_eq!(look(&app, other).unwrap_err(), Inactive::NotOurs, "{other}");
    }
}

/// REV-08
#[tokio::test]
async fn a_suspended_members_token_is_revoked_and_stays_so() {
    let app = start().await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    let path = format!("/teamspaces/acme/members/{}", look(&app, &token).unwrap().token.member_id);
    change(&app, reqwest::Method::PATCH, &path, json!({ "status": "suspended" })).await;
    assert_eq!(look(&app, &token).unwrap_err(), Inactive::Revoked);
    app.clock.advance(2);
    change(&app, reqwest::Method::PATCH, &path, json!({ "status": "active" })).await;
    assert_eq!(look(&app, &token).unwrap_err(), Inactive::Revoked);
    let new = app.granted(json!({})).await.access_token().to_owned();
    assert!(look(&app, &new).is_ok());
}

/// REV-01
#[tokio::test]
async fn one_token_can_be_revoked_by_itself() {
    let app = TestApp::start().await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    let other = app.granted(json!({})).await.access_token().to_owned();
    let known = look(&app, &token).unwrap();
    let (id, cause) = ((known.token.token_id.as_str(), START), RevocationCause::RevokedByClient);
    let revocation =
        Revocation::of_token(id, &known.token.teamspace_id, Some(&known.resource_id), cause, START);
    app.app.revoke(vec![revocation]).await.unwrap();
    assert_eq!(look(&app, &token).unwrap_err(), Inactive::Revoked);
    assert!(look(&app, &other).is_ok());
}
