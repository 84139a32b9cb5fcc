//! What each proxy lets through, what it answers otherwise, and what the service and the server get to see.

use std::time::{Duration, Instant};

use serde_json::json;

use super::proxy::Running;
use super::{Stage, assert_only_ours, seen};
use crate::harness::{Answer, CLIENT, SECRET};

fn metadata_url(of: &Running) -> String {
    of.url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
}

/// The challenge that Countersign gives, unchanged.
fn assert_challenge(answer: &Answer, of: &Running, error: Option<&str>) {
    let error = error.map(|error| format!(", error=\"{error}\"")).unwrap_or_default();
    let metadata = metadata_url(of);
    let expected = format!("Bearer resource_metadata=\"{metadata}\"{error}, scope=\"docs.read\"");
    let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, [&expected], "{:?}: {answer:?}", of.proxy);
}

/// The challenge leads to the metadata, at the proxy's own host.
async fn without_a_token_it_says_where_to_get_one(stage: &Stage, at: &Running) {
    let answer = stage.refused(at, &[], 401).await;
    assert_challenge(&answer, at, None);
    let document = Answer::of(stage.http.get(metadata_url(at)).send().await.unwrap()).await;
    assert_eq!(document.json["resource"], json!(at.url), "{:?}: {document:?}", at.proxy);
    assert_eq!(document.json["authorization_servers"], json!([stage.app.issuer()]));
}

async fn other_tokens_are_refused(stage: &Stage, at: &Running, expired: &str) {
    let other = stage.app.granted(json!({})).await.access_token().to_owned();
    let id_jag = stage.app.assertion(json!({ "resource": at.url }));
    for (what, token) in [("expired", expired), ("of another resource", &other), ("an ID-JAG", &id_jag)] {
        let token = format!("Bearer {}", token.trim_start_matches("Bearer "));
        let answer = stage.refused(at, &[("authorization", &token)], 401).await;
        assert!(answer.header("www-authenticate").contains("invalid_token"), "{what}: {answer:?}");
        assert_challenge(&answer, at, Some("invalid_token"));
    }
    let token = stage.bearer(at, "docs.write").await;
    let answer = stage.refused(at, &[("authorization", &token)], 403).await;
    assert_challenge(&answer, at, Some("insufficient_scope"));
    let answer = stage.refused(at, &[("authorization", "Bearer ==")], 400).await;
    assert_challenge(&answer, at, Some("invalid_request"));
    // nginx refuses two by itself.
    let token = stage.bearer(at, "docs.read").await;
    stage.refused(at, &[("authorization", &token), ("authorization", &token)], 400).await;
}

/// Every spelling that some server takes for one of our headers, and the removal of ours by `Connection`.
async fn nobody_speaks_for_others(stage: &Stage, at: &Running) {
    let token = stage.bearer(at, "docs.read").await;
    let answer = stage
        .call(
            at,
            &[
                ("authorization", &token),
                ("connection", "x-auth-subject, mcp-name, x-auth-teamspace"),
                ("X-Auth-Subject", "somebody"),
                ("X-AUTH-SUBJECT", "somebody else"),
                ("X_Auth_Subject", "somebody"),
                ("X-Auth_Email", "somebody@example.com"),
                ("X.Auth.Teamspace", "globex"),
                ("x-auth-client-id", ""),
                ("X-Resource-Authorization", "Basic eDp5"),
                ("X_Resource_Authorization", "Basic eDp5"),
                ("Mcp-Method", "tools/call"),
                ("Mcp-Name", "whoami"),
                ("Mcp_Name", "delete"),
            ],
        )
        .await;
    assert_eq!(answer.status, 200, "{:?}: {answer:?}", at.proxy);
    let seen = seen(&answer);
    let expected =
        [("x-auth-email", "dana@acme.com"), ("x-auth-client-id", CLIENT), ("x-auth-teamspace", "acme")];
    assert_only_ours(&seen, &expected, &format!("{:?}", at.proxy));
    assert!(seen.get("mcp_name").is_none(), "{:?}: {seen}", at.proxy);
    let question = stage.relay.last_about(&at.resource_id);
    assert!(question.body.is_empty(), "{:?} sends the body", at.proxy);
    assert_eq!(question.header("authorization"), token);
    assert_eq!(question.header("mcp-method"), "tools/call");
}

/// Otherwise a policy would decide about one tool, and the server would run another.
async fn what_is_asked_about_is_what_the_server_gets(stage: &Stage, at: &Running) {
    let token = stage.bearer(at, "docs.read").await;
    let repeated = [("Mcp-Name", "whoami"), ("Mcp-Name", "delete")];
    for names in [&repeated[..1], &repeated, &[("Connection", "mcp-name"), repeated[0]], &[]] {
        let answer = stage.call(at, &[&[("authorization", token.as_str())][..], names].concat()).await;
        let values = seen(&answer)["mcp-name"].as_array().cloned().unwrap_or_default();
        let values: Vec<&str> = values.iter().map(|value| value.as_str().unwrap()).collect();
        let question = stage.relay.last_about(&at.resource_id);
        assert_eq!(
            question.header("mcp-name").replace(", ", ","),
            values.join(","),
            "{:?}: {names:?}",
            at.proxy
        );
    }
}

async fn a_token_that_ends_is_refused_within_a_second(stage: &Stage, at: &Running) {
    let bearer = stage.bearer(at, "docs.read").await;
    let headers = [("authorization", bearer.as_str())];
    assert_eq!(stage.call(at, &headers).await.status, 200);
    let form = [("token", bearer.trim_start_matches("Bearer "))];
    let url = format!("{}/oauth2/revoke", stage.app.issuer());
    let revoked = stage.app.http.post(url).basic_auth(CLIENT, Some(SECRET)).form(&form).send().await.unwrap();
    let started = Instant::now();
    assert_eq!(revoked.status(), 200);
    let answer = stage.refused(at, &headers, 401).await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_challenge(&answer, at, Some("invalid_token"));
}

/// PRS-01, PRS-02, PRS-03, PRS-04, PRS-05, PRS-06, PRS-08
#[tokio::test(flavor = "multi_thread")]
async fn each_proxy_lets_through_what_countersign_permits_and_nothing_else() {
    let mut stage = Stage::start().await;
    let mut expired = Vec::new();
    for running in &stage.proxies {
        expired.push(stage.bearer(running, "docs.read").await);
    }
    stage.app.clock.advance(3600);
    stage.app.app.reload().await.unwrap();
    for (running, expired) in stage.proxies.iter().zip(&expired) {
        without_a_token_it_says_where_to_get_one(&stage, running).await;
        other_tokens_are_refused(&stage, running, expired).await;
        nobody_speaks_for_others(&stage, running).await;
        what_is_asked_about_is_what_the_server_gets(&stage, running).await;
        a_token_that_ends_is_refused_within_a_second(&stage, running).await;
    }
    let mut good = Vec::new();
    for running in &stage.proxies {
        good.push(stage.bearer(running, "docs.read").await);
    }
    // The database has not answered for a while; then the service is not there.
    stage.app.clock.advance(60);
    for _ in 0..2 {
        for (running, token) in stage.proxies.iter().zip(&good) {
            let answer = stage.refused(running, &[("authorization", token)], 503).await;
            assert_eq!(answer.header("www-authenticate"), "", "{:?}: {answer:?}", running.proxy);
        }
        stage.relay.stop();
    }
}
