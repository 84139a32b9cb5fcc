//! Who gets in, and how requests that nobody should send are answered.

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::json;

use super::harness::{Harness, NOW};

#[tokio::test]
async fn no_token_no_answer() {
    let h = Harness::start().await;
    for path in ["/teamspaces", "/policies", "/nothing"] {
        let answer = h.nobody().get(path).await;
        assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
        answer.problem(401, "unauthorized");
    }
    for value in ["Bearer unknown", "Bearer ", "Basic b3Bz", "unknown"] {
        let request = Request::builder().header(header::AUTHORIZATION, value).body(Body::empty()).unwrap();
        let answer = h.nobody().send("/teamspaces", request).await;
        assert!(answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer"));
        answer.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_token_lives_until_it_expires() {
    let h = Harness::start().await;
    let api = h.token("short", None, Some(NOW + 60)).await;
    api.get("/teamspaces").await.expect(200);
    h.clock.advance(60);
    api.get("/teamspaces").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_teamspace_token_sees_its_own_teamspace_only() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    h.teamspace("globex").await;
    let listed = acme.get("/teamspaces").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["slug"], "acme");
    for path in [
        "/teamspaces/globex",
        "/teamspaces/globex/identity-provider",
        "/teamspaces/globex/members",
        "/teamspaces/globex/sign-ins",
        "/teamspaces/absent",
    ] {
        acme.get(path).await.problem(404, "not_found");
    }
    let member = h.operator.post("/teamspaces/globex/members", json!({ "email": "a@globex.com" })).await;
    let id = member.expect(201)["id"].as_str().unwrap().to_owned();
    for (request, body) in [
        ((Method::DELETE, "/teamspaces/globex"), None),
        ((Method::PATCH, "/teamspaces/globex"), Some(json!({ "name": "x" }))),
        ((Method::DELETE, "/teamspaces/globex/identity-provider"), None),
        ((Method::POST, "/teamspaces/globex/members"), Some(json!({ "email": "b@globex.com" }))),
        ((Method::DELETE, &format!("/teamspaces/globex/members/{id}")), None),
        // The member of another teamspace, through one's own path.
        ((Method::DELETE, &format!("/teamspaces/acme/members/{id}")), None),
        ((Method::PATCH, &format!("/teamspaces/acme/members/{id}")), Some(json!({ "role": "owner" }))),
    ] {
        h.refuses(&acme, request, body, (404, "not_found")).await;
    }
}

#[tokio::test]
async fn what_is_the_operators_is_refused_to_a_teamspace() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let resource = json!({ "identifier": "https://mcp.example.com/mcp", "name": "Docs" });
    for (request, body) in [
        ((Method::POST, "/teamspaces"), Some(json!({ "slug": "x", "name": "x", "plan": "free" }))),
        ((Method::DELETE, "/teamspaces/acme"), None),
        ((Method::PATCH, "/teamspaces/acme"), Some(json!({ "plan": "free" }))),
        ((Method::PATCH, "/teamspaces/acme"), Some(json!({ "member_limit": null }))),
        ((Method::PATCH, "/teamspaces/acme"), Some(json!({ "slug": "b" }))),
        ((Method::PATCH, "/teamspaces/acme"), Some(json!({ "name": "b", "email_domains": [] }))),
        ((Method::POST, "/resources"), Some(resource)),
        ((Method::PATCH, "/resources/1"), Some(json!({ "name": "x" }))),
        ((Method::DELETE, "/resources/1"), None),
        ((Method::GET, "/clients"), None),
        ((Method::GET, "/clients/1"), None),
        ((Method::POST, "/clients"), Some(json!({}))),
        ((Method::POST, "/clients/1/secrets"), None),
        ((Method::GET, "/policies"), None),
        ((Method::GET, "/sign-ins"), None),
    ] {
        h.refuses(&acme, request, body, (403, "operator_only")).await;
    }
    acme.patch("/teamspaces/acme", json!({ "name": "Acme Inc." })).await.expect(200);
}

#[tokio::test]
async fn malformed_requests_are_problems_too() {
    let h = Harness::start().await;
    h.operator.get("/nothing").await.problem(404, "not_found");
    let answer = h.operator.delete("/teamspaces").await;
    assert!(answer.headers[header::ALLOW].to_str().unwrap().contains("POST"));
    answer.problem(405, "method_not_allowed");
    let post = |content_type: &str, body: String| {
        let request = Request::builder().method("POST").header(header::CONTENT_TYPE, content_type);
        h.operator.clone().send_owned("/teamspaces", request.body(Body::from(body)).unwrap())
    };
    post("text/plain", "{}".into()).await.problem(415, "content_type_unsupported");
    post("application/x-www-form-urlencoded", "slug=a".into()).await.problem(415, "content_type_unsupported");
    post("application/json", "{".into()).await.problem(400, "body_malformed");
    post("application/json", "{}".into()).await.problem(422, "body_invalid");
    post("application/json", format!("\"{}\"", "x".repeat(65 * 1024))).await.problem(413, "body_too_large");
    let with = |member: &str| format!(r#"{{"slug":"a","name":"A","plan":"pro",{member}}}"#);
    for member in [r#""surprise":1"#, r#""slug":"b""#, r#""plan":"gold""#] {
        post("application/json", with(member)).await.problem(422, "body_invalid");
    }
    // PostgreSQL has no text with this character: a fault of the request, not of the database.
    post("application/json", with(r#""member_limit":1,"name":"a\u0000b""#))
        .await
        .problem(422, "body_invalid");
    h.operator.get("/sign-ins?request_id=%00").await.problem(400, "query_invalid");
    h.operator.get("/policies/sets/%00").await.problem(400, "query_invalid");
    post("application/json; charset=utf-8", with(r#""email_domains":[]"#)).await.expect(201);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let h = Harness::start().await;
    for slug in ["a", "b", "c"] {
        h.teamspace(slug).await;
    }
    let first = h.operator.get("/teamspaces?limit=2").await.expect(200);
    assert_eq!(first["items"][1]["slug"], "b");
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = h.operator.get(&format!("/teamspaces?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((second["items"][0]["slug"].as_str(), second["next_cursor"].as_str()), (Some("c"), None));
    for (query, code) in [
        ("limit=0", "limit_invalid"),
        ("limit=201", "limit_invalid"),
        ("limit=x", "limit_invalid"),
        ("cursor=%25", "cursor_invalid"),
        ("surprise=1", "query_invalid"),
    ] {
        h.operator.get(&format!("/teamspaces?{query}")).await.problem(400, code);
        h.operator.get(&format!("/teamspaces/a/members?{query}")).await.problem(400, code);
    }
    // A cursor of another list is no row of this one.
    h.operator.get(&format!("/audit?cursor={cursor}")).await.problem(400, "cursor_invalid");
}

/// Nobody is told about an internal failure, and a change that could not be written is not there.
#[tokio::test]
async fn a_failing_database_is_a_503() {
    use diesel::connection::SimpleConnection as _;
    let h = Harness::start().await;
    h.database.connect().batch_execute("DROP TABLE admin_events").unwrap();
    let body = json!({ "slug": "acme", "name": "Acme", "plan": "pro" });
    let answer = h.operator.post("/teamspaces", body).await;
    assert_eq!(answer.headers[header::RETRY_AFTER], "5");
    let problem = answer.problem(503, "unavailable").to_string();
    assert!(!problem.contains("admin_events") && !problem.contains("SQL"), "{problem}");
    assert!(h.app.snapshot().teamspace_config("acme").is_none());
    h.app.reload().await.unwrap();
    h.operator.get("/teamspaces/acme").await.problem(404, "not_found");
}
