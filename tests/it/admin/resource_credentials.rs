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

/// INT-01: an operator may choose the id and the secret; a secret or keys take the place of what there was.
#[tokio::test]
async fn credentials_with_a_chosen_id_change_how_they_are_proved() {
    let (h, path) = start().await;
    let (secret, next) = ("a-secret-of-ones-own", "another-secret-of-ones-own");
    let made =
        h.operator.post(&path, json!({ "client_id": "docs", "client_secret": secret })).await.expect(201);
    assert_eq!((text(&made, "client_id"), text(&made, "client_secret")), ("docs", secret));
    let (own, check) = (format!("{path}/docs"), format!("{path}/docs/secret/check"));
    let is_current = async |secret: &str| {
        let report = h.operator.post(&check, json!({ "client_secret": secret })).await.expect(200);
        report["is_current"].as_bool().unwrap()
    };
    let change = async |body: Value| h.operator.call(Method::PATCH, &own, Some(body)).await.expect(200);
    assert!(is_current(secret).await && !is_current(next).await);
    // Nothing is given, so nothing changes.
    for same in [json!({}), json!({ "jwks": null, "jwks_uri": null, "client_secret": null })] {
        assert_eq!(change(same).await["auth_method"], "client_secret_basic");
        assert!(is_current(secret).await);
    }
    assert!(change(json!({ "client_secret": next })).await.get("client_secret").is_none());
    assert!(is_current(next).await && !is_current(secret).await);
    let keys = change(json!({ "jwks_uri": "https://mcp.example.com/keys" })).await;
    let told = (text(&keys, "auth_method"), text(&keys, "jwks_uri"), text(&keys, "created_at"));
    assert_eq!(told, ("private_key_jwt", "https://mcp.example.com/keys", text(&made, "created_at")));
    assert!(!is_current(next).await);
    change(json!({ "jwks_uri": null, "client_secret": next })).await;
    assert!(is_current(next).await);
    let audit = h.operator.get("/audit?limit=4").await.expect(200);
    let rows = audit["items"].as_array().unwrap();
    assert!(rows[..3].iter().all(|row| row["action"] == "resource.credentials.update"), "{audit}");
    assert!(
        rows[2]["new"].to_string().contains("has_new_secret") && !audit.to_string().contains(next),
        "{audit}"
    );
    assert_eq!(rows[3]["action"], "resource.credentials.create");
}

#[tokio::test]
async fn ids_secrets_and_keys_that_cannot_be_are_refused() {
    let (h, path) = start().await;
    h.operator.post("/clients", json!({ "client_id": "robot" })).await.expect(201);
    let uri = "https://mcp.example.com/keys";
    h.operator.post(&path, json!({ "client_id": "keys", "jwks_uri": uri })).await.expect(201);
    let private = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "AAAA", "d": "AAAA" }] });
    let proofs = [
        (json!({ "client_secret": "too short" }), "client_secret_invalid"),
        (json!({ "client_secret": "long-enough-for-one", "jwks_uri": uri }), "client_secret_unsupported"),
        (json!({ "jwks": private, "jwks_uri": uri }), "client_keys_missing"),
        (json!({ "jwks": private }), "jwks_invalid"),
        (json!({ "jwks_uri": "http://mcp.example.com/keys" }), "jwks_uri_invalid"),
    ];
    let own = format!("{path}/keys");
    for (body, code) in proofs {
        h.refuses(&h.operator, (Method::POST, &path), Some(body.clone()), (422, code)).await;
        h.refuses(&h.operator, (Method::PATCH, &own), Some(body), (422, code)).await;
    }
    let cleared = Some(json!({ "jwks_uri": null }));
    h.refuses(&h.operator, (Method::PATCH, &own), cleared, (422, "client_keys_missing")).await;
    for (id, refusal) in [
        ("a b", (422, "client_id_invalid")),
        ("https://mcp.example.com/id", (422, "client_id_invalid")),
        ("robot", (409, "client_id_taken")),
        ("keys", (409, "client_id_taken")),
    ] {
        h.refuses(&h.operator, (Method::POST, &path), Some(json!({ "client_id": id })), refusal).await;
    }
    let secret = Some(json!({ "client_secret": "long-enough-for-one" }));
    let (absent, acme) = (format!("{path}/absent"), h.teamspace("acme").await);
    for (method, path) in [(Method::PATCH, absent.clone()), (Method::POST, format!("{absent}/secret/check"))]
    {
        h.refuses(&h.operator, (method, &path), secret.clone(), (404, "not_found")).await;
    }
    for (method, path) in [(Method::PATCH, own.clone()), (Method::POST, format!("{own}/secret/check"))] {
        h.refuses(&acme, (method, &path), secret.clone(), (403, "operator_only")).await;
    }
}
