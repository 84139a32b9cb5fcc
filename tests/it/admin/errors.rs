//! The table of errors.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::Method;
use countersign::web::api::CODES;
use serde_json::json;

use super::harness::Harness;

/// The text of every test of this binary.
fn tests(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: std::path::PathBuf| match path.is_dir() {
        true => tests(&path),
        false => std::fs::read_to_string(path).unwrap(),
    };
    entries.map(text).collect()
}

/// A code has one status, and a test that expects it; but for those that no single request brings about.
#[test]
fn each_code_of_the_table_has_one_status_and_a_test() {
    let tests = tests(Path::new("tests/it"));
    let mut statuses = BTreeMap::new();
    for (status, code) in CODES {
        let known = *statuses.entry(code).or_insert(status);
        assert_eq!(known, status, "{code}");
        let expected = tests.contains(&format!("\"{code}\""));
        assert!(
            expected || ["issuer_invalid", "key_signs", "changed_meanwhile"].contains(code),
            "no test expects {code}"
        );
    }
    assert!(statuses.len() > 30, "{statuses:?}");
}

/// A list of what an object would have is not that object.
#[tokio::test]
async fn a_list_is_not_taken_for_an_object() {
    let h = Harness::start().await;
    h.operator.post("/clients", json!({ "client_id": "mcp" })).await;
    let scopes = |scope: serde_json::Value| json!({ "identifier": "https://a.example/mcp", "name": "A", "scopes": [scope] });
    for (method, path, body) in [
        (Method::PATCH, "/clients/mcp", json!([])),
        (Method::POST, "/clients/mcp/secrets", json!([])),
        (Method::POST, "/teamspaces", json!(["acme", "Acme", "enterprise"])),
        (Method::POST, "/resources", scopes(json!(["docs.read"]))),
    ] {
        h.operator.call(method, path, Some(body)).await.problem(422, "body_invalid");
    }
    let scope = scopes(json!({ "name": "docs.read" }));
    assert_eq!(h.operator.call(Method::POST, "/resources", Some(scope)).await.status, 201);
}

/// A mistake in a body or a query is told with the field and what was expected, in plain words.
#[tokio::test]
async fn a_mistake_names_the_field_and_what_was_expected() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    let with = |member: &str| format!(r#"{{"slug":"b","name":"B","plan":"pro",{member}}}"#);
    for (path, body, detail) in [
        ("/teamspaces", "{}".to_owned(), "`slug` is missing."),
        ("/teamspaces", r#"{"slug":"b","name":"B"}"#.to_owned(), "`plan` is missing."),
        (
            "/teamspaces",
            with(r#""emial_domains":[]"#),
            "`emial_domains` is unknown; did you mean `email_domains`?",
        ),
        ("/clients/x/secrets", r#"{"colour":1}"#.to_owned(), "`colour` is unknown; expected client_secret."),
        ("/teamspaces", with(r#""slug":"c""#), "`slug` is there twice."),
        (
            "/teamspaces",
            with(r#""member_limit":"x""#),
            "`member_limit` must be a whole number; found the string \"x\".",
        ),
        (
            "/teamspaces",
            with(r#""member_limit":1.5"#),
            "`member_limit` must be a whole number; found the number 1.5.",
        ),
        (
            "/teamspaces",
            with(r#""email_domains":"acme.com""#),
            "`email_domains` must be a list; found the string \"acme.com\".",
        ),
        (
            "/teamspaces",
            with(r#""email_domains":["a.com",3]"#),
            "`email_domains[1]` must be a string; found the number 3.",
        ),
        (
            "/teamspaces",
            r#"{"slug":"b","name":"B","plan":"gold"}"#.to_owned(),
            "`plan` must be free, pro or enterprise; found \"gold\".",
        ),
        (
            "/teamspaces",
            r#"{"slug":"b","name":"B","plan":7}"#.to_owned(),
            "`plan` has a value of the wrong type.",
        ),
        ("/teamspaces", "\"b\"".to_owned(), "The body must be an object; found the string \"b\"."),
        (
            "/resources",
            r#"{"identifier":"https://a.example","name":"A","scopes":[{"name":"a","descripton":"A"}]}"#
                .to_owned(),
            "`scopes[0].descripton` is unknown; did you mean `description`?",
        ),
    ] {
        let request =
            axum::http::Request::builder().method("POST").header("content-type", "application/json");
        let sent = h.operator.send(path, request.body(axum::body::Body::from(body.clone())).unwrap()).await;
        assert_eq!(sent.problem(422, "body_invalid")["detail"], detail, "{body}");
    }
    let cleared = h.operator.patch("/teamspaces/acme", json!({ "name": null })).await;
    assert_eq!(cleared.problem(422, "body_invalid")["detail"], "`name` must be a string; found null.");
    let unknown = h.operator.get("/sign-ins?surprise=1").await.problem(400, "query_invalid");
    let detail = unknown["detail"].as_str().unwrap();
    assert!(detail.starts_with("`surprise` is unknown; expected "), "{detail}");
    let force = h.operator.patch("/teamspaces/acme?force=perhaps", json!({ "slug": "b" })).await;
    assert_eq!(force.problem(400, "query_invalid")["detail"], "`force` must be true or false.");
}
