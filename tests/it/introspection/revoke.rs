//! `POST /oauth2/revoke`.

use reqwest::Method;
use serde_json::json;

use super::{assert_unauthorized, introspect, send, start, url};
use crate::db::number;
use crate::harness::{Answer, CLIENT, SECRET, TestApp, client};

async fn revoke_as(app: &TestApp, (id, secret): (&str, &str), token: &str) -> Answer {
    let request = app.http.post(url(app, "revoke")).basic_auth(id, Some(secret));
    send(request.form(&[("token", token)])).await
}

async fn revoke(app: &TestApp, token: &str) -> Answer {
    revoke_as(app, (CLIENT, SECRET), token).await
}

#[track_caller]
fn assert_done(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

fn revocations(app: &TestApp) -> i64 {
    number(&app.database.url, "(SELECT count(*) FROM revocations)")
}

/// REV-01: the token is inactive when the answer comes; other tokens live on, and a repetition writes nothing.
#[tokio::test]
async fn a_client_revokes_its_own_token_once() {
    let app = start().await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    let other = app.granted(json!({})).await.access_token().to_owned();
    assert_eq!(introspect(&app, &token).await.json["active"], true);
    assert_done(&revoke(&app, &token).await);
    assert_eq!(introspect(&app, &token).await.json, json!({ "active": false }));
    assert_eq!(introspect(&app, &other).await.json["active"], true);
    for _ in 0..5 {
        assert_done(&revoke(&app, &token).await);
    }
    assert_eq!(revocations(&app), 1);
    let row = "(SELECT count(*) FROM revocations WHERE kind = 'token' AND cause = 'revoked_by_client' \
        AND request_id <> '' AND teamspace_id = 'id-of-acme')";
    assert_eq!(number(&app.database.url, row), 1);
}

/// REV-01: what is not an active token of the client is answered as a revoked one, and nothing is written.
#[tokio::test]
async fn other_tokens_are_answered_alike_and_stay_as_they_are() {
    let app = start().await;
    app.put_client(client("other", &[SECRET])).await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    assert_done(&revoke_as(&app, ("other", SECRET), &token).await);
    assert_eq!(introspect(&app, &token).await.json["active"], true, "it is another client's");
    for unknown in ["x", "a.b.c", &token[..token.len() - 3], &app.assertion(json!({})), &"a".repeat(40_000)] {
        assert_done(&revoke(&app, unknown).await);
    }
    app.clock.advance(3600);
    assert_done(&revoke(&app, &token).await);
    assert_eq!(revocations(&app), 0);
}

/// REV-01: the client authenticates as at the token endpoint, and within the same limit.
#[tokio::test]
async fn only_clients_revoke() {
    let app = TestApp::start_with(|config| config.rate_limit.failed_authentications_per_minute = 3).await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    assert_unauthorized(&send(app.http.post(url(&app, "revoke")).form(&[("token", &token)])).await);
    assert_unauthorized(&revoke_as(&app, ("nobody", SECRET), &token).await);
    let form = [("token", token.as_str()), ("client_id", CLIENT), ("client_secret", SECRET)];
    let both = app.http.post(url(&app, "revoke")).basic_auth(CLIENT, Some(SECRET)).form(&form);
    assert_eq!(send(both).await.json["error"], "invalid_request");
    for _ in 0..3 {
        assert_unauthorized(&revoke_as(&app, (CLIENT, "wrong"), &token).await);
    }
    assert_eq!(revoke(&app, &token).await.status, 429);
    assert_eq!(revocations(&app), 0);
}

/// REV-01
#[tokio::test]
async fn other_requests_are_refused() {
    let app = start().await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let request = app.http.request(method, url(&app, "revoke")).basic_auth(CLIENT, Some(SECRET));
        let answer = send(request).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "{answer:?}");
    }
    let post = || app.http.post(url(&app, "revoke")).basic_auth(CLIENT, Some(SECRET));
    let form = "application/x-www-form-urlencoded";
    for (request, status) in [
        (post().json(&json!({ "token": "a.b.c" })), 400),
        (post().header("content-type", form).body("token=a&token=b"), 400),
        (post().form(&[("token_type_hint", "access_token")]), 400),
        (post().form(&[("token", "a".repeat(70_000))]), 413),
    ] {
        let answer = send(request).await;
        assert_eq!(
            (answer.status, answer.json["error"].as_str()),
            (status, Some("invalid_request")),
            "{answer:?}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

/// REV-01: a form works as well, also for a client that registered Basic.
#[tokio::test]
async fn the_secret_may_be_in_the_form() {
    let app = start().await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    let form = [("token", token.as_str()), ("client_id", CLIENT), ("client_secret", SECRET)];
    assert_done(&send(app.http.post(url(&app, "revoke")).form(&form)).await);
    assert_eq!(introspect(&app, &token).await.json, json!({ "active": false }));
}
