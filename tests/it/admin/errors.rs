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
