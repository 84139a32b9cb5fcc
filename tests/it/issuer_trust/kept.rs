//! Keys survive a restart while their issuer is down, for a bounded time.

use super::{break_down, recover, restart, restart_with, stored};
use crate::harness::TestApp;
use crate::idp::Key;

/// The default `jwks.max_age` and `jwks.max_stale`, in seconds.
const MAX_AGE: i64 = 600;
const MAX_STALE: i64 = 3600;

/// ADM-07: a restart while the issuer is down. The time counts from the fetch, not from the restart.
#[tokio::test]
async fn keys_survive_a_restart_for_a_while() {
    let app = TestApp::start().await;
    app.granted(serde_json::json!({})).await;
    break_down(&app.idp);
    app.clock.advance(100);
    restart(&app).await.granted(&app, &app.idp.key).await;
    app.clock.advance(MAX_AGE + MAX_STALE - 101);
    let last = restart(&app).await;
    last.granted(&app, &app.idp.key).await;
    app.clock.advance(1);
    last.unreachable(&app, &app.idp.key).await;
    restart(&app).await.unreachable(&app, &app.idp.key).await;
    recover(&app.idp);
    app.clock.advance(30);
    last.granted(&app, &app.idp.key).await;
}

/// ADM-07: a fetch that found nothing new counts too.
#[tokio::test]
async fn the_time_counts_from_the_last_fetch() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        app.granted(serde_json::json!({})).await;
        app.clock.advance(MAX_AGE);
    }
    break_down(&app.idp);
    app.clock.advance(MAX_STALE - 1);
    restart(&app).await.granted(&app, &app.idp.key).await;
    app.clock.advance(1);
    restart(&app).await.unreachable(&app, &app.idp.key).await;
}

/// The keys are written when they change; else only their time, when the old one no longer covers them.
#[tokio::test]
async fn keys_are_not_written_with_each_fetch() {
    let app = TestApp::start().await;
    app.granted(serde_json::json!({})).await;
    let first = stored(&app).await.unwrap();
    assert_eq!((first.jwks_uri.as_str(), first.max_age), (app.idp.jwks_uri().as_str(), MAX_AGE));
    app.clock.advance(30);
    app.refused_assertion(&Key::es256("unknown").assertion(&app.claims()), "invalid_grant", "kid_unknown")
        .await;
    assert_eq!(app.idp.jwks_requests(), 2);
    assert_eq!(stored(&app).await.unwrap(), first);
    app.clock.advance(MAX_AGE);
    app.granted(serde_json::json!({})).await;
    let later = stored(&app).await.unwrap();
    assert_eq!((later.fetched_at, &later.keys), (first.fetched_at + 30 + MAX_AGE, &first.keys));
    // Nothing that verifying does not need: neither private members nor what the issuer says besides.
    assert!(!later.keys.contains("\"use\"") && later.keys.contains("\"kid\""), "{}", later.keys);
}

/// ADM-07: a key that was removed does not come back with a restart, and the one that replaced it is there.
#[tokio::test]
async fn a_removed_key_stays_out_after_a_restart() {
    let app = TestApp::start().await;
    let (old, new) = (app.idp.key.clone(), Key::es256("idp-2"));
    app.granted(serde_json::json!({})).await;
    app.idp.publish(&[&new]);
    app.clock.advance(MAX_AGE);
    app.refused_assertion(&old.assertion(&app.claims()), "invalid_grant", "kid_unknown").await;
    break_down(&app.idp);
    let restarted = restart(&app).await;
    restarted.refused(&app, &old, "kid_unknown").await;
    restarted.granted(&app, &new).await;
}

/// While the issuer answers, it is asked after a restart: stored keys are not taken for fresh ones.
#[tokio::test]
async fn an_issuer_that_answers_is_asked_after_a_restart() {
    let app = TestApp::start().await;
    let (old, new) = (app.idp.key.clone(), Key::es256("idp-2"));
    app.granted(serde_json::json!({})).await;
    app.idp.publish(&[&new]);
    let restarted = restart(&app).await;
    restarted.refused(&app, &old, "kid_unknown").await;
    // And after stored keys were used, as soon as it answers again.
    break_down(&app.idp);
    let another = restart(&app).await;
    another.granted(&app, &new).await;
    recover(&app.idp);
    let third = Key::es256("idp-3");
    app.idp.publish(&[&third]);
    app.clock.advance(30);
    another.refused(&app, &new, "kid_unknown").await;
    another.granted(&app, &third).await;
}

/// Replicas share what any of them has fetched last.
#[tokio::test]
async fn a_running_process_takes_the_newer_keys_of_another() {
    let app = TestApp::start().await;
    let (old, new) = (app.idp.key.clone(), Key::es256("idp-2"));
    app.granted(serde_json::json!({})).await;
    app.idp.publish(&[&new]);
    app.clock.advance(300);
    restart(&app).await.granted(&app, &new).await;
    break_down(&app.idp);
    app.clock.advance(300);
    app.refused_assertion(&old.assertion(&app.claims()), "invalid_grant", "kid_unknown").await;
    assert_eq!(app.exchange(&new.assertion(&app.claims())).await.status, 200);
}

/// ADM-09: stored keys are good for exactly the configuration that they were fetched under.
#[tokio::test]
async fn saving_a_provider_forgets_its_stored_keys() {
    let app = TestApp::start().await;
    app.granted(serde_json::json!({})).await;
    assert!(stored(&app).await.is_some());
    let elsewhere = format!("{}/oauth2/jwks", app.idp.issuer);
    app.change_provider(move |provider| provider.jwks_uri = elsewhere).await;
    assert_eq!(stored(&app).await, None);
    app.granted(serde_json::json!({})).await;
    assert!(stored(&app).await.unwrap().jwks_uri.ends_with("/oauth2/jwks"));
    // Even if such a row were left.
    app.database.execute("UPDATE issuer_keys SET jwks_uri = 'https://elsewhere.example/keys'");
    break_down(&app.idp);
    restart(&app).await.unreachable(&app, &app.idp.key).await;
}

/// Stored keys that cannot be believed are not used, and the next fetch replaces them.
#[tokio::test]
async fn damaged_and_future_keys_are_not_used() {
    let app = TestApp::start().await;
    app.granted(serde_json::json!({})).await;
    for damage in [
        "keys = '{'",
        "keys = '{}'",
        "keys = '{\"keys\":[{\"kty\":\"oct\",\"k\":\"eA\"}]}'",
        "fetched_at = fetched_at + 86400",
    ] {
        app.database.execute(&format!("UPDATE issuer_keys SET {damage}"));
        break_down(&app.idp);
        restart(&app).await.unreachable(&app, &app.idp.key).await;
        recover(&app.idp);
        restart(&app).await.granted(&app, &app.idp.key).await;
        let found = stored(&app).await.unwrap();
        assert_eq!(found.fetched_at, app.app.clock.now(), "{damage}");
        assert!(found.keys.contains("idp-1"), "{damage}: {}", found.keys);
        app.clock.advance(30);
    }
}

/// ADM-05: where an issuer may not be asked any more, its stored keys are not used either.
#[tokio::test]
async fn stored_keys_of_an_origin_that_is_not_excused_any_more_are_not_used() {
    let app = TestApp::start().await;
    app.granted(serde_json::json!({})).await;
    let restarted = restart_with(&app, |config| config.fetch.private_origins.clear()).await;
    restarted.unreachable(&app, &app.idp.key).await;
}

/// A longer life of keys in the configuration of before does not outlive it.
#[tokio::test]
async fn a_shorter_life_counts_after_a_restart() {
    let app = TestApp::start().await;
    app.granted(serde_json::json!({})).await;
    break_down(&app.idp);
    app.clock.advance(120);
    let restarted = restart_with(&app, |config| {
        config.jwks.max_age = "1m".parse().unwrap();
        config.jwks.max_stale = "1m".parse().unwrap();
    });
    restarted.await.unreachable(&app, &app.idp.key).await;
}
