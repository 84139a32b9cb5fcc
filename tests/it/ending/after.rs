//! What comes after: who must sign in again, how long revocations are kept, and databases that are restored or gone.

use std::sync::Arc;

use countersign::active_token::{Inactive, active_token};
use countersign::app::App;
use reqwest::Method;
use serde_json::json;

use super::pair::{Pair, is_active};
use crate::admin::effect::{change, start};
use crate::commands::{countersign, text};
use crate::harness::{CLIENT, RESOURCE, START, TestApp, TestClock};

async fn another(app: &TestApp) -> Arc<App> {
    App::start(app.app.config.clone(), Arc::new(app.clock.clone())).await.unwrap()
}

/// A member who was suspended for a while comes back with the sign-in at the identity provider that they had. After
/// "end sessions" only a new one counts.
#[tokio::test]
async fn only_ended_sessions_need_a_new_sign_in() {
    let app = start().await;
    let old = json!({ "auth_time": START - 60 });
    let id = app.granted(old.clone()).await.claims()["sub"].as_str().unwrap().to_owned();
    let path = format!("/teamspaces/acme/members/{id}");
    change(&app, Method::PATCH, &path, json!({ "status": "suspended" })).await;
    app.clock.advance(60);
    app.refused(old.clone(), "access_denied", "member_inactive").await;
    change(&app, Method::PATCH, &path, json!({ "status": "active" })).await;
    let token = app.granted(old.clone()).await.access_token().to_owned();
    assert!(is_active(&app.app, &token));
    change(&app, Method::POST, &format!("{path}/end-sessions"), json!({})).await;
    assert!(!is_active(&app.app, &token));
    app.clock.advance(60);
    app.refused(old, "invalid_grant", "session_revoked").await;
    app.app.reload().await.unwrap();
    let token = app.granted(json!({ "auth_time": START + 119 })).await.access_token().to_owned();
    assert!(is_active(&app.app, &token));
}

/// A revocation is forgotten when no token can be left that it concerns: here, and in a process that starts then.
#[tokio::test]
async fn old_revocations_are_forgotten() {
    let app = start().await;
    change(&app, Method::POST, "/kill-switch", json!({ "scope": "all", "reason": "a test" })).await;
    assert_eq!((app.app.revoked.count(), another(&app).await.revoked.count()), (1, 1));
    app.clock.advance(3600);
    app.app.prune().await.unwrap();
    assert_eq!(app.app.revoked.count(), 1, "the clocks of processes may differ");
    app.clock.advance(301);
    app.app.prune().await.unwrap();
    assert_eq!((app.app.revoked.count(), another(&app).await.revoked.count()), (0, 0));
}

/// A database that is restored does not know what was revoked since its backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_ends_all_tokens() {
    let app = start().await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    assert!(is_active(&app.app, &token));
    let url = [("COUNTERSIGN_DATABASE_URL", app.database.url.as_str())];
    let out = countersign(app.dir.path(), &["db", "mark-restored"], &url);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let restored = another(&app).await;
    assert!(!is_active(&restored, &token));
    app.app.reload().await.unwrap();
    assert!(!is_active(&app.app, &token));
    app.clock.advance(32);
    app.app.reload().await.unwrap();
    let new = app.granted(json!({})).await.access_token().to_owned();
    restored.reload().await.unwrap();
    assert!(is_active(&app.app, &new) && is_active(&restored, &new));
}

/// A process whose database is gone does not know which tokens are revoked, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_without_a_database_nobody_knows() {
    let app = start().await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    let path = app.database.url.strip_prefix("sqlite://").unwrap();
    let away = format!("{path}.away");
    std::fs::rename(path, &away).unwrap();
    let look = || {
        let snapshot = app.app.snapshot();
        active_token(&app.app, &token, snapshot.resource_named(RESOURCE).unwrap()).map(drop)
    };
    assert!(app.app.reload().await.is_err());
    assert!(look().is_ok(), "for a while, what is known will do");
    app.clock.advance(6);
    assert_eq!(look(), Err(Inactive::NotKnowable));
    std::fs::rename(&away, path).unwrap();
    app.app.reload().await.unwrap();
    assert!(look().is_ok());
}

/// Clocks differ, and a change may wait for the writes of exchanges that began after it: the tokens that are recorded when
/// it is written end with it, whatever their time of issue.
#[tokio::test]
async fn tokens_of_a_process_whose_clock_is_ahead_end_too() {
    let ahead = TestClock::at(START + 20);
    let pair = Pair::with_clock(start().await, ahead.clone()).await;
    let app = &pair.app;
    let early = pair.exchange_at_other().await;
    let id = early.claims()["sub"].as_str().unwrap().to_owned();
    app.granted(json!({})).await;
    let last = app.member("dana@acme.com").await.unwrap().last_sign_in_at;
    assert_eq!(last, Some(START + 20), "an earlier time does not replace a later one");
    let member = format!("/teamspaces/acme/members/{id}");
    let client = format!("/clients/{CLIENT}");
    let ways = [
        (&member, json!({ "status": "suspended" }), json!({ "status": "active" })),
        (&client, json!({ "enabled": false }), json!({ "enabled": true })),
    ];
    for (path, out, back) in ways {
        let token = pair.exchange_at_other().await.access_token().to_owned();
        app.app.reload().await.unwrap();
        assert!(is_active(&app.app, &token), "{path}");
        change(app, Method::PATCH, path, out).await;
        assert!(!is_active(&app.app, &token), "{path}");
        change(app, Method::PATCH, path, back).await;
        assert!(!is_active(&app.app, &token), "{path}");
        app.clock.advance(30);
        ahead.advance(30);
    }
}
