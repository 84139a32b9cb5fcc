//! Clients and their secrets.

use axum::http::Method;
use countersign::random::digest;
use serde_json::{Value, json};

use super::harness::Harness;

fn digests(h: &Harness, id: &str) -> Vec<String> {
    h.app.snapshot().client(id).unwrap().secrets.iter().map(|s| s.secret_digest.clone()).collect()
}

#[tokio::test]
async fn a_generated_client_shows_its_secret_once() {
    let h = Harness::start().await;
    let made = h.operator.post("/clients", json!({ "client_name": "Assistant" })).await.expect(201);
    let (id, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
    let is_url_safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    assert!(id.chars().all(is_url_safe) && secret.chars().all(is_url_safe) && secret.len() >= 43);
    assert_eq!(made["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(made["grant_types"], json!(["urn:ietf:params:oauth:grant-type:jwt-bearer"]));
    assert_eq!(digests(&h, id), [digest(secret)]);
    let shown = h.operator.get(&format!("/clients/{id}")).await.expect(200);
    assert!(shown["secrets"][0]["id"].is_string() && shown["secrets"][0]["created_at"].is_string());
    for text in
        [shown, h.operator.get("/clients").await.expect(200), h.operator.get("/audit").await.expect(200)]
    {
        let text = text.to_string();
        assert!(!text.contains(secret) && !text.contains(&digest(secret)), "{text}");
    }
}

/// REG-01, SUB-10
#[tokio::test]
async fn a_given_client_from_beginning_to_end() {
    let h = Harness::start().await;
    let body = json!({ "client_id": "mcpclient-at-context7", "client_name": "C7", "groups": ["assistants"],
        "token_endpoint_auth_method": "client_secret_post", "client_secret": "a-secret-of-16-chars",
        "jwks": null, "jwks_uri": null });
    let made = h.operator.post("/clients", body.clone()).await.expect(201);
    assert_eq!(made["client_secret"], "a-secret-of-16-chars");
    h.refuses(&h.operator, (Method::POST, "/clients"), Some(body), (409, "client_id_taken")).await;
    let path = "/clients/mcpclient-at-context7";
    let patch =
        json!({ "enabled": false, "groups": [], "token_endpoint_auth_method": "client_secret_basic" });
    let changed = h.operator.patch(path, patch).await.expect(200);
    assert_eq!((&changed["enabled"], &changed["groups"]), (&json!(false), &json!([])));
    assert_eq!(changed["client_name"], "C7");
    assert!(!h.app.snapshot().client("mcpclient-at-context7").unwrap().enabled);
    h.operator.delete(path).await.expect(204);
    h.operator.get(path).await.problem(404, "not_found");
}

#[tokio::test]
async fn an_id_may_hold_every_printable_character() {
    let h = Harness::start().await;
    h.operator.post("/clients", json!({ "client_id": "a/b:c?d#e%" })).await.expect(201);
    let path = "/clients/a%2Fb:c%3Fd%23e%25";
    assert_eq!(h.operator.get(path).await.expect(200)["client_id"], "a/b:c?d#e%");
    h.operator.delete(path).await.expect(204);
    h.operator.get("/clients/%ff").await.problem(404, "not_found");
}

#[tokio::test]
async fn at_most_two_secrets_live() {
    let h = Harness::start().await;
    let made = h.operator.post("/clients", json!({ "client_id": "c" })).await.expect(201);
    let mut secrets = vec![made["client_secret"].as_str().unwrap().to_owned()];
    for body in [None, None, Some(json!({ "client_secret": "given-by-operator" }))] {
        let added = h.operator.call(Method::POST, "/clients/c/secrets", body).await.expect(201);
        assert!(added["id"].is_string());
        secrets.push(added["client_secret"].as_str().unwrap().to_owned());
        let newest: Vec<String> = secrets.iter().rev().take(2).rev().map(|s| digest(s)).collect();
        assert_eq!(digests(&h, "c"), newest);
    }
    assert_eq!(secrets[3], "given-by-operator");
    let shown = h.operator.get("/clients/c").await.expect(200);
    let oldest = format!("/clients/c/secrets/{}", shown["secrets"][0]["id"].as_str().unwrap());
    h.operator.delete(&oldest).await.expect(204);
    assert_eq!(digests(&h, "c"), [digest("given-by-operator")]);
    for (secret, is_current) in [("given-by-operator", true), (&*secrets[2], false), ("", false)] {
        let given = json!({ "client_secret": secret });
        let told = h.operator.post("/clients/c/secrets/check", given.clone()).await.expect(200);
        assert_eq!(told, json!({ "is_current": is_current }));
        h.operator.post("/clients/d/secrets/check", given).await.problem(404, "not_found");
    }
    h.operator.delete(&oldest).await.problem(404, "not_found");
    let short = Some(json!({ "client_secret": "short" }));
    let request = (Method::POST, "/clients/c/secrets");
    h.refuses(&h.operator, request, short, (422, "client_secret_invalid")).await;
    h.refuses(&h.operator, (Method::POST, "/clients/d/secrets"), None, (404, "not_found")).await;
}

/// CLI-07, REG-01: there are no public clients, and no id looks like a metadata document's URL.
#[tokio::test]
async fn unacceptable_values_are_refused() {
    let h = Harness::start().await;
    h.operator.post("/clients", json!({ "client_id": "other" })).await.expect(201);
    let refused: [(&str, Value, &str); 16] = [
        ("client_id", json!(""), "client_id_invalid"),
        ("client_id", json!("a b"), "client_id_invalid"),
        ("client_id", json!("ä"), "client_id_invalid"),
        ("client_id", json!("a".repeat(201)), "client_id_invalid"),
        ("client_id", json!("HTTPS://client.example.com/metadata"), "client_id_invalid"),
        ("client_secret", json!("fifteen-chars.."), "client_secret_invalid"),
        ("client_secret", json!("x".repeat(257)), "client_secret_invalid"),
        ("token_endpoint_auth_method", json!("private_key_jwt"), "auth_method_unsupported"),
        ("token_endpoint_auth_method", json!("none"), "auth_method_unsupported"),
        ("jwks", json!({ "keys": [] }), "jwks_unsupported"),
        ("jwks_uri", json!("https://client.example.com/jwks"), "jwks_unsupported"),
        ("client_name", json!(""), "name_invalid"),
        ("groups", json!(["a", "a"]), "groups_invalid"),
        ("groups", json!([""]), "groups_invalid"),
        ("grant_types", json!(["a b"]), "grant_types_invalid"),
        ("redirect_uris", json!([]), "body_invalid"),
    ];
    for (name, value, code) in refused {
        let body = json!({ name: value });
        h.refuses(&h.operator, (Method::POST, "/clients"), Some(body.clone()), (422, code)).await;
        let code = match name {
            "client_id" | "client_secret" | "jwks" | "jwks_uri" => "body_invalid",
            _ => code,
        };
        h.refuses(&h.operator, (Method::PATCH, "/clients/other"), Some(body), (422, code)).await;
    }
    let body = Some(json!({ "enabled": false }));
    h.refuses(&h.operator, (Method::PATCH, "/clients/absent"), body, (404, "not_found")).await;
}
