//! Kill switches: what they need, what they leave alone, and who may throw them.

use axum::http::Method;
use serde_json::{Value, json};

use super::pair::{Pair, is_active};
use crate::admin::effect::{change, start};
use crate::admin::harness::Harness;
use crate::harness::{CLIENT, SECRET, TestApp, client};

const PATH: &str = "/kill-switch";

async fn actions(h: &Harness) -> Vec<Value> {
    let audit = h.operator.get("/audit?action=kill_switch").await.expect(200);
    audit["items"].as_array().unwrap().clone()
}

async fn revocations(h: &Harness) -> usize {
    let rows = h.app.store.read(|c| countersign::store::revocations::page(c, None, 0, 100)).await.unwrap();
    rows.items.len()
}

#[tokio::test]
async fn a_switch_is_thrown_once_listed_lifted_and_audited() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    let body = json!({ "scope": "teamspace", "id": "acme", "reason": " a policy error " });
    let thrown = h.operator.post(PATH, body.clone()).await.expect(201);
    assert_eq!((&thrown["object"], &thrown["reason"]), (&json!("acme"), &json!("a policy error")));
    let again = json!({ "scope": "teamspace", "id": "acme", "reason": "another" });
    assert_eq!(h.operator.post(PATH, again).await.expect(200), thrown, "it stays as it is");
    let listed = h.operator.get(PATH).await.expect(200);
    assert_eq!(listed["items"], json!([thrown]));
    assert_eq!(revocations(&h).await, 1);
    let one = format!("{PATH}/{}", thrown["id"].as_str().unwrap());
    h.operator.delete(&one).await.expect(204);
    assert_eq!(h.operator.get(PATH).await.expect(200)["items"], json!([]));
    h.operator.delete(&one).await.problem(404, "not_found");
    let audited = actions(&h).await;
    let words: Vec<_> = audited.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(words, ["kill_switch.delete", "kill_switch.create"]);
    assert_eq!(audited[1]["new"]["reason"], "a policy error", "{audited:?}");
}

#[tokio::test]
async fn what_it_stops_must_exist_and_a_reason_is_needed() {
    let h = Harness::start().await;
    for (scope, id) in [
        ("all", json!("acme")),
        ("teamspace", json!("nobody")),
        ("issuer", json!("https://nobody.example.com")),
        ("client", json!("nobody")),
        ("resource", json!("https://nobody.example.com/mcp")),
        ("client", Value::Null),
        ("client", json!("")),
    ] {
        let body = json!({ "scope": scope, "id": id, "reason": "a test" });
        let problem =
            h.refuses(&h.operator, (Method::POST, PATH), Some(body), (422, "kill_target_invalid")).await;
        assert!(problem["detail"].as_str().unwrap().contains(scope), "{problem}");
    }
    for reason in ["", " ", "two\nlines", &"x".repeat(201)] {
        let body = json!({ "scope": "all", "reason": reason });
        h.refuses(&h.operator, (Method::POST, PATH), Some(body), (422, "reason_invalid")).await;
    }
    for body in
        [json!({ "scope": "world", "reason": "x" }), json!({ "scope": "all" }), json!({ "reason": "x" })]
    {
        h.refuses(&h.operator, (Method::POST, PATH), Some(body), (422, "body_invalid")).await;
    }
    assert_eq!((actions(&h).await.len(), revocations(&h).await), (0, 0));
}

async fn throw(app: &TestApp, scope: &str, id: &str) {
    change(app, Method::POST, PATH, json!({ "scope": scope, "id": id, "reason": "a test" })).await;
}

/// A switch stops what it names and nothing else, and says nothing to those who did not authenticate.
#[tokio::test]
async fn a_switch_stops_only_what_it_names() {
    let app = start().await;
    app.put_client(client("another", &[SECRET])).await;
    app.put_teamspace("globex").await;
    throw(&app, "client", "another").await;
    throw(&app, "teamspace", "globex").await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    assert!(is_active(&app.app, &token));
    throw(&app, "client", CLIENT).await;
    app.refused(json!({}), "access_denied", "kill_switch").await;
    assert!(!is_active(&app.app, &token));
    let detail = app.last_sign_in().await.detail;
    assert_eq!(detail, "a kill switch is on, of scope client");
    // A wrong assertion, and a wrong secret, get the answers that they always get.
    app.refused(json!({ "aud": "https://other.example.com" }), "invalid_grant", "aud_mismatch").await;
    let assertion = app.assertion(json!({}));
    let form = [("grant_type", countersign::oauth::request::JWT_BEARER), ("assertion", &assertion)];
    let request = app.http.post(app.token_url()).basic_auth(CLIENT, Some("wrong-secret-of-the-client"));
    let answer = crate::harness::Answer::of(request.form(&form).send().await.unwrap()).await;
    assert_eq!((answer.status, &answer.json["error"]), (401, &json!("invalid_client")));
}

/// A sign-in that was decided under the configuration before is not written: the other process has not heard of the
/// switch when it is asked.
#[tokio::test(flavor = "multi_thread")]
async fn no_grant_is_written_that_was_decided_before() {
    let pair = Pair::start().await;
    pair.active_token().await;
    throw(&pair.app, "client", CLIENT).await;
    let before = pair.app.written().await;
    let refused = pair.exchange_at_other().await;
    pair.app.assert_refused(&refused, before, 400, "access_denied", "kill_switch").await;
}

/// An explanation names the check, and the console's Activity tells of it.
#[tokio::test]
async fn an_explanation_knows_the_switch() {
    let app = start().await;
    throw(&app, "issuer", &app.idp.issuer.clone()).await;
    let asked = json!({ "assertion": app.assertion(json!({})), "client_id": CLIENT });
    let explained = change(&app, Method::POST, "/teamspaces/acme/explain", asked).await.json;
    assert_eq!(explained["error"]["reason"], "kill_switch", "{explained}");
    let failed = explained["checks"].as_array().unwrap().iter().find(|check| check["outcome"] == "failed");
    assert_eq!(failed.unwrap()["check"], "kill_switch");
    assert!(!explained.to_string().contains("a test"), "the reason is the operators': {explained}");
}

/// Tokens that a process issued whose clock is ahead stay inactive after the switch is lifted.
#[tokio::test]
async fn lifting_a_switch_brings_no_token_back() {
    let app = start().await;
    app.clock.advance(5);
    let token = app.granted(json!({})).await.access_token().to_owned();
    // The process that throws the switch is behind by five seconds.
    app.clock.set(crate::harness::START);
    let body = json!({ "scope": "client", "id": CLIENT, "reason": "a test" });
    let thrown = change(&app, Method::POST, PATH, body).await.json;
    assert!(!is_active(&app.app, &token));
    app.clock.advance(60);
    let one = format!("{PATH}/{}", thrown["id"].as_str().unwrap());
    change(&app, Method::DELETE, &one, json!({})).await;
    assert!(!is_active(&app.app, &token));
    let new = app.granted(json!({})).await.access_token().to_owned();
    assert!(is_active(&app.app, &new), "in the second in which it was lifted, too");
}
