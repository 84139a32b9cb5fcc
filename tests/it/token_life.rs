//! The life of a token: issued, looked at, ended.

use countersign::revocation::LookedAtBy;
use reqwest::Method;
use serde_json::{Value, json};

use crate::active_token::look;
use crate::admin::effect::{change, start};
use crate::harness::{Answer, START, TestApp};

async fn life(app: &TestApp, granted: &Answer) -> Value {
    let path = format!("/sign-ins/{}/token", granted.header("x-request-id"));
    change(app, Method::GET, &path, json!(null)).await.json
}

#[tokio::test]
async fn activity_tells_when_a_token_was_issued_looked_at_and_ended() {
    let app = start().await;
    let granted = app.granted(json!({})).await;
    let fresh = life(&app, &granted).await;
    assert_eq!((&fresh["active"], &fresh["introspections"]), (&json!(true), &json!(0)));
    assert_eq!((&fresh["last_used_at"], &fresh["ended_at"]), (&Value::Null, &Value::Null));

    let known = look(&app, granted.access_token()).unwrap();
    for _ in 0..3 {
        app.app.token_uses.count(&known, LookedAtBy::Introspection, START + 5);
    }
    app.app.token_uses.flush(&app.app.store).await.unwrap();
    app.app.token_uses.count(&known, LookedAtBy::ForwardAuth, START + 70);
    app.app.token_uses.flush(&app.app.store).await.unwrap();
    let used = life(&app, &granted).await;
    assert_eq!((&used["introspections"], &used["forward_auths"]), (&json!(3), &json!(1)));
    assert!(used["first_used_at"].as_str() < used["last_used_at"].as_str(), "{used}");

    app.clock.advance(100);
    let path = format!("/teamspaces/acme/members/{}", known.token.member_id);
    change(&app, Method::PATCH, &path, json!({ "status": "suspended" })).await;
    app.clock.advance(100);
    change(&app, Method::DELETE, &path, json!({})).await;
    let ended = life(&app, &granted).await;
    assert_eq!((&ended["active"], &ended["ended_by"]), (&json!(false), &json!("member_suspended")));
    assert!(ended["ended_at"].as_str() > used["last_used_at"].as_str());
}

#[tokio::test]
async fn a_token_that_expired_was_not_ended_by_what_came_later() {
    let app = start().await;
    let granted = app.granted(json!({})).await;
    let member = look(&app, granted.access_token()).unwrap().token.member_id.clone();
    app.clock.advance(3600);
    assert_eq!(life(&app, &granted).await["active"], json!(false));
    let path = format!("/teamspaces/acme/members/{member}");
    change(&app, Method::PATCH, &path, json!({ "status": "suspended" })).await;
    assert_eq!(life(&app, &granted).await["ended_by"], Value::Null);
}

/// A refused request has no token, and neither has one that nobody made.
#[tokio::test]
async fn a_request_without_a_token_has_no_life_of_one() {
    let app = start().await;
    let refused = app.exchange("a.b.c").await;
    for id in [refused.header("x-request-id"), "r-nobody"] {
        let url = format!("{}/api/v1/sign-ins/{id}/token", app.issuer());
        let answer = app.http.get(url).bearer_auth("an-operators-token-0123456789").send().await.unwrap();
        assert_eq!(answer.status(), 404);
    }
}
