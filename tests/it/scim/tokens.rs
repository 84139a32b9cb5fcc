//! SCIM tokens: who may have them, and what they open.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Scim, okta, send, token_of};
use crate::admin::effect::change;
use crate::harness::Answer;

const TOKENS: &str = "/teamspaces/acme/scim-tokens";

/// Wrong, foreign, expired and deleted tokens, and teamspaces that do not exist, get one answer at every path.
#[tokio::test]
async fn without_a_good_token_there_is_one_answer_for_everything() {
    let scim = Scim::start().await;
    scim.app.put_teamspace("globex").await;
    let foreign = token_of(&scim.app, "globex").await;
    let id = scim.add("dana@acme.com").await;
    let short = json!({ "name": "short", "valid_for": "1h" });
    let expiring = change(&scim.app, Method::POST, TOKENS, short).await.json["token"].clone();
    let expiring = expiring.as_str().unwrap();
    let base = scim.app.issuer().to_owned();
    let get = async |token: &str, path: &str| {
        send(&scim.app.http, token, (Method::GET, &format!("{base}/t{path}")), None).await
    };
    assert_eq!(get(expiring, "/acme/scim/v2/Users").await.status, 200);
    scim.app.clock.advance(3600);
    let mut answers = Vec::new();
    for token in [expiring, &foreign, "csi_x", "an-operators-token-0123456789"] {
        for path in ["", "/", "/Users", "/Nothing", "/ServiceProviderConfig", &format!("/Users/{id}")] {
            answers.push(get(token, &format!("/acme/scim/v2{path}")).await);
        }
    }
    answers.push(get(&scim.token, "/globex/scim/v2/Users").await);
    answers.push(get(&scim.token, "/nobody/scim/v2/Users").await);
    answers.push(get(&scim.token, "/%FF/scim/v2/Users").await);
    answers.push(Answer::of(scim.app.http.get(scim.url("/Users")).send().await.unwrap()).await);
    let wrong_method = (Method::PATCH, &*format!("{base}/t/acme/scim/v2/Users"));
    answers.push(send(&scim.app.http, "x", wrong_method, Some(&json!({}))).await);
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (401, &answers[0].body));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let listed = change(&scim.app, Method::GET, TOKENS, json!({})).await.json;
    let own = listed["items"][0]["id"].as_str().unwrap().to_owned();
    assert!(
        listed["items"][0]["last_used_at"].is_string() && !listed.to_string().contains("csi_"),
        "{listed}"
    );
    change(&scim.app, Method::DELETE, &format!("{TOKENS}/{own}"), json!({})).await;
    assert_eq!(get(&scim.token, "/acme/scim/v2/Users").await.body, answers[0].body);
}

/// A token of one teamspace reaches nobody of another, not even by an id.
#[tokio::test]
async fn another_teamspaces_people_do_not_exist() {
    let scim = Scim::start().await;
    scim.app.put_teamspace("globex").await;
    let foreign = token_of(&scim.app, "globex").await;
    let id = scim.add("dana@acme.com").await;
    let url = format!("{}/t/globex/scim/v2/Users/{id}", scim.app.issuer());
    let body = okta::user("dana@acme.com");
    for (method, body) in [(Method::GET, None), (Method::PUT, Some(&body)), (Method::DELETE, None)] {
        assert_eq!(send(&scim.app.http, &foreign, (method, &url), body).await.status, 404);
    }
    assert_eq!(scim.status("dana@acme.com").await, "invited");
}

#[tokio::test]
async fn a_teamspace_has_a_few_tokens_which_are_shown_once() {
    let scim = Scim::start().await;
    let post = async |body: Value| {
        let url = format!("{}/api/v1{TOKENS}", scim.app.issuer());
        let request = scim.app.http.post(url).bearer_auth("an-operators-token-0123456789").json(&body);
        Answer::of(request.send().await.unwrap()).await
    };
    for (body, code) in [
        (json!({ "name": "" }), "name_invalid"),
        (json!({ "name": "x", "valid_for": "59m" }), "valid_for_invalid"),
        (json!({ "name": "x", "valid_for": "1831d" }), "valid_for_invalid"),
        (json!({ "name": "x", "valid_for": "soon" }), "body_invalid"),
    ] {
        let answer = post(body).await;
        assert_eq!((answer.status, answer.json["code"].as_str().unwrap()), (422, code));
    }
    for name in ["b", "c", "d", "e"] {
        assert_eq!(post(json!({ "name": name })).await.status, 201);
        let again = post(json!({ "name": name })).await;
        assert_eq!((again.status, again.json["code"].as_str().unwrap()), (409, "name_taken"));
    }
    let sixth = post(json!({ "name": "sixth" })).await;
    assert_eq!((sixth.status, sixth.json["code"].as_str().unwrap()), (409, "too_many_scim_tokens"));
    let stored = scim.app.texts("SELECT token_digest FROM scim_tokens").await;
    assert!(!stored.contains(&scim.token));
    let actions: Vec<Value> = scim.audited().await.into_iter().map(|row| row["action"].clone()).collect();
    assert_eq!(actions, vec![json!("scim_token.create"); 5]);
}
