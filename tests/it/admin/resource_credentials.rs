//! The credentials of resources.

use axum::http::Method;
use countersign::random::digest;
use serde_json::{Value, json};

use super::harness::Harness;

async fn start() -> (Harness, String) {
    let h = Harness::start().await;
    let body = json!({ "identifier": "https://mcp.example.com/mcp", "name": "Docs" });
    let made = h.operator.post("/resources", body).await.expect(201);
    let path = format!("/resources/{}/credentials", made["id"].as_str().unwrap());
    (h, path)
}

async fn create(h: &Harness, path: &str) -> Value {
    h.operator.call(Method::POST, path, None).await.expect(201)
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[tokio::test]
async fn credentials_show_their_secret_once() {
    let (h, path) = start().await;
    let made = create(&h, &path).await;
    let (id, secret) = (text(&made, "client_id"), text(&made, "client_secret"));
    let is_url_safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    assert!(id.starts_with("resource-") && id.chars().all(is_url_safe) && secret.chars().all(is_url_safe));
    assert!(secret.len() >= 43);
    let known = h.app.snapshot().resource_by_credential(id).unwrap().credentials[0].clone();
    assert_eq!(known.secret_digest(), Some(digest(secret).as_str()));
    let listed = h.operator.get(&path).await.expect(200);
    let expected = json!([{ "client_id": id, "auth_method": "client_secret_basic", "jwks": null, "jwks_uri": null,
        "created_at": made["created_at"] }]);
    assert_eq!((&listed["items"], &listed["next_cursor"]), (&expected, &Value::Null));
    for shown in [
        listed.to_string(),
        h.operator.get("/resources").await.expect(200).to_string(),
        h.operator.get("/audit").await.expect(200).to_string(),
    ] {
        assert!(!shown.contains(secret) && !shown.contains(&digest(secret)), "{shown}");
    }
}

#[tokio::test]
async fn a_few_live_beside_each_other_and_each_is_deleted_by_itself() {
    let (h, path) = start().await;
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(text(&create(&h, &path).await, "client_id").to_owned());
    }
    h.refuses(&h.operator, (Method::POST, &path), None, (409, "too_many_credentials")).await;
    h.operator.delete(&format!("{path}/{}", made[1])).await.expect(204);
    let listed = h.operator.get(&path).await.expect(200);
    let ids = listed["items"].as_array().unwrap().iter().map(|one| text(one, "client_id"));
    let mut left: Vec<&str> = ids.collect();
    left.sort_unstable();
    let mut expected: Vec<&str> = vec![&made[0], &made[2], &made[3]];
    expected.sort_unstable();
    assert_eq!(left, expected);
    assert!(h.app.snapshot().resource_by_credential(&made[1]).is_none());
    let gone = format!("{path}/{}", made[1]);
    h.refuses(&h.operator, (Method::DELETE, &gone), None, (404, "not_found")).await;
    create(&h, &path).await;
}

/// Both ids are names at authentication, and one must not pass for the other.
#[tokio::test]
async fn credentials_have_no_clients_id() {
    let (h, path) = start().await;
    let made = create(&h, &path).await;
    let body = Some(json!({ "client_id": made["client_id"] }));
    h.refuses(&h.operator, (Method::POST, "/clients"), body, (409, "client_id_taken")).await;
}

#[tokio::test]
async fn others_credentials_are_out_of_reach() {
    let (h, path) = start().await;
    let made = create(&h, &path).await;
    let body = json!({ "identifier": "https://other.example.com/mcp", "name": "Other" });
    let other = h.operator.post("/resources", body).await.expect(201);
    let wrong = format!("/resources/{}/credentials/{}", text(&other, "id"), text(&made, "client_id"));
    h.refuses(&h.operator, (Method::DELETE, &wrong), None, (404, "not_found")).await;
    for method in [Method::GET, Method::POST] {
        h.refuses(&h.operator, (method, "/resources/nothing/credentials"), None, (404, "not_found")).await;
    }
    let acme = h.teamspace("acme").await;
    let own = format!("{path}/{}", text(&made, "client_id"));
    for (method, path) in [(Method::GET, &path), (Method::POST, &path), (Method::DELETE, &own)] {
        h.refuses(&acme, (method, path), None, (403, "operator_only")).await;
    }
}

/// The audit log says which credentials came and went.
#[tokio::test]
async fn the_audit_log_has_each_change() {
    let (h, path) = start().await;
    let made = create(&h, &path).await;
    let id = text(&made, "client_id");
    h.operator.delete(&format!("{path}/{id}")).await.expect(204);
    let audit = h.operator.get("/audit?limit=2").await.expect(200);
    let actions: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|row| text(row, "action")).collect();
    assert_eq!(actions, ["resource.credentials.delete", "resource.credentials.create"]);
    assert!(audit["items"][0]["old"].to_string().contains(id), "{audit}");
    assert!(audit["items"][1]["new"].to_string().contains(id), "{audit}");
}

/// Whoever removes a resource removes its credentials.
#[tokio::test]
async fn credentials_go_with_their_resource() {
    let (h, path) = start().await;
    let made = create(&h, &path).await;
    h.operator.delete(path.strip_suffix("/credentials").unwrap()).await.expect(204);
    assert!(h.app.snapshot().resource_by_credential(text(&made, "client_id")).is_none());
    h.operator.get(&path).await.problem(404, "not_found");
}
