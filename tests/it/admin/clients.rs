//! Clients and their secrets.

use axum::http::Method;
use countersign::random::digest;
use serde_json::{Value, json};

use super::harness::Harness;
use crate::idp::{Key, b64};

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
    assert_eq!(
        (&made["client_secret"], &made["dpop_bound_access_tokens"]),
        (&json!("a-secret-of-16-chars"), &json!(false))
    );
    h.refuses(&h.operator, (Method::POST, "/clients"), Some(body), (409, "client_id_taken")).await;
    let path = "/clients/mcpclient-at-context7";
    let patch =
        json!({ "enabled": false, "groups": [], "token_endpoint_auth_method": "client_secret_basic" });
    let changed = h.operator.patch(path, patch).await.expect(200);
    assert_eq!((&changed["enabled"], &changed["groups"]), (&json!(false), &json!([])));
    assert_eq!(changed["client_name"], "C7");
    let changed = h.operator.patch(path, json!({ "dpop_bound_access_tokens": true })).await.expect(200);
    assert_eq!((&changed["dpop_bound_access_tokens"], &changed["enabled"]), (&json!(true), &json!(false)));
    assert!(h.app.snapshot().client("mcpclient-at-context7").unwrap().dpop_bound_access_tokens);
    let audit = h.operator.get("/audit?limit=1").await.expect(200);
    assert!(audit["items"][0].to_string().contains("dpop_bound_access_tokens"), "{audit}");
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

/// REG-01: no id looks like a metadata document's URL.
#[tokio::test]
async fn unacceptable_values_are_refused() {
    let h = Harness::start().await;
    h.operator.post("/clients", json!({ "client_id": "other" })).await.expect(201);
    let refused: [(&str, Value, &str); 17] = [
        ("client_id", json!(""), "client_id_invalid"),
        ("client_id", json!("a b"), "client_id_invalid"),
        ("client_id", json!("ä"), "client_id_invalid"),
        ("client_id", json!("a".repeat(201)), "client_id_invalid"),
        ("client_id", json!("HTTPS://client.example.com/metadata"), "client_id_invalid"),
        ("client_secret", json!("fifteen-chars.."), "client_secret_invalid"),
        ("client_secret", json!("x".repeat(257)), "client_secret_invalid"),
        ("token_endpoint_auth_method", json!("private_key_jwt"), "client_keys_missing"),
        ("token_endpoint_auth_method", json!("client_secret_jwt"), "auth_method_unsupported"),
        ("token_endpoint_auth_method", json!("tls_client_auth"), "auth_method_unsupported"),
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
            "client_id" | "client_secret" => "body_invalid",
            _ => code,
        };
        h.refuses(&h.operator, (Method::PATCH, "/clients/other"), Some(body), (422, code)).await;
    }
    let body = Some(json!({ "enabled": false }));
    h.refuses(&h.operator, (Method::PATCH, "/clients/absent"), body, (404, "not_found")).await;
}

/// CLI-07: an operator may let a client do without credentials; that is off for others, and ends its secrets.
#[tokio::test]
async fn a_public_client_from_beginning_to_end() {
    let h = Harness::start().await;
    let none = json!({ "client_id": "public", "token_endpoint_auth_method": "none" });
    let made = h.operator.post("/clients", none.clone()).await.expect(201);
    assert_eq!((made.get("client_secret"), &made["secrets"]), (None, &json!([])));
    assert_eq!((&made["jwks"], &made["jwks_uri"]), (&json!(null), &json!(null)));
    let (path, secrets) = ("/clients/public", "/clients/public/secrets");
    h.refuses(&h.operator, (Method::POST, secrets), None, (422, "client_secret_unsupported")).await;
    for (name, value, code) in [
        ("client_secret", json!("a-secret-of-16-chars"), "client_secret_unsupported"),
        ("jwks", json!({ "keys": [jwk()] }), "jwks_unsupported"),
        ("jwks_uri", json!("https://client.example.com/jwks"), "jwks_unsupported"),
    ] {
        let mut body = none.clone();
        (body["client_id"], body[name]) = (json!("other"), value);
        h.refuses(&h.operator, (Method::POST, "/clients"), Some(body), (422, code)).await;
    }
    let to_secret = json!({ "token_endpoint_auth_method": "client_secret_basic" });
    h.operator.patch(path, to_secret).await.expect(200);
    h.operator.call(Method::POST, secrets, None).await.expect(201);
    let back = json!({ "token_endpoint_auth_method": "none" });
    let changed = h.operator.patch(path, back).await.expect(200);
    assert_eq!(changed["secrets"], json!([]), "a secret does not outlive the change of the method");
    let row = h.operator.get("/audit").await.expect(200)["items"][0].clone();
    assert_eq!(row["new"]["token_endpoint_auth_method"], "none", "{row}");
}

/// A public key as a client registers it.
fn jwk() -> Value {
    Key::es256("k-1").jwk()
}

fn with_keys(jwks: &Value) -> Value {
    json!({ "client_id": "signer", "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks })
}

/// CLI-03: a client with keys has no secret; they change as a whole, and it can be given a secret again.
#[tokio::test]
async fn a_client_with_keys_from_beginning_to_end() {
    let h = Harness::start().await;
    let jwks = json!({ "keys": [jwk()] });
    let made = h.operator.post("/clients", with_keys(&jwks)).await.expect(201);
    assert_eq!(made.get("client_secret"), None);
    assert_eq!((&made["jwks"], &made["jwks_uri"], &made["secrets"]), (&jwks, &json!(null), &json!([])));
    let path = "/clients/signer";
    let secrets = "/clients/signer/secrets";
    h.refuses(&h.operator, (Method::POST, secrets), None, (422, "client_secret_unsupported")).await;

    let uri = "https://client.example.com/jwks.json";
    let changed = h.operator.patch(path, json!({ "jwks_uri": uri })).await.expect(200);
    assert_eq!(
        (&changed["jwks"], &changed["jwks_uri"]),
        (&json!(null), &json!(uri)),
        "one takes the other's place"
    );
    let changed = h.operator.patch(path, json!({ "jwks": null, "enabled": true })).await.expect(200);
    assert_eq!(changed["jwks_uri"], uri);
    let none = Some(json!({ "jwks_uri": null }));
    h.refuses(&h.operator, (Method::PATCH, path), none, (422, "client_keys_missing")).await;
    let both = Some(json!({ "jwks_uri": uri, "jwks": jwks }));
    h.refuses(&h.operator, (Method::PATCH, path), both, (422, "client_keys_missing")).await;
    let renamed = h.operator.patch(path, json!({ "client_name": "S" })).await.expect(200);
    assert_eq!(renamed["jwks_uri"], uri, "what is not named stays");

    let to_secret = json!({ "token_endpoint_auth_method": "client_secret_post" });
    let changed = h.operator.patch(path, to_secret).await.expect(200);
    assert_eq!((&changed["jwks"], &changed["jwks_uri"]), (&json!(null), &json!(null)));
    h.operator.call(Method::POST, secrets, None).await.expect(201);
    let back = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks });
    let changed = h.operator.patch(path, back).await.expect(200);
    assert_eq!(changed["secrets"], json!([]), "a secret does not outlive the change of the method");
    let rows = h.operator.get("/audit").await.expect(200);
    let row = &rows["items"][0];
    assert_eq!((&row["action"], &row["new"]["jwks"]), (&json!("client.update"), &jwks), "{row}");
}

/// CLI-03: a key set is checked when it is saved; what is wrong is said in a sentence.
#[tokio::test]
async fn keys_that_cannot_be_used_are_refused() {
    let h = Harness::start().await;
    let with = |name: &str, value: Value| {
        let mut key = jwk();
        key[name] = value;
        json!({ "keys": [key] })
    };
    let rsa = Key::rsa("r", 0).jwk();
    let small = json!({ "kty": "RSA", "e": "AQAB", "n": b64([0xff_u8; 128]) });
    for (jwks, said) in [
        (json!({}), "`keys` alone"),
        (json!([]), "`keys` alone"),
        (json!("{}"), "`keys` alone"),
        (json!({ "keys": [] }), "`keys` alone"),
        (json!({ "keys": {} }), "`keys` alone"),
        (json!({ "keys": [jwk()], "more": 1 }), "`keys` alone"),
        (json!({ "keys": vec![rsa.clone(); 21] }), "`keys` alone"),
        (json!({ "keys": [rsa, rsa] }), "two keys have the kid"),
        (json!({ "keys": ["k"] }), "key 1 is not a JSON object"),
        (with("d", json!("AAAA")), "is a private key"),
        (json!({ "keys": [{ "kty": "RSA", "n": "AQAB", "e": "AQAB", "p": "AQAB" }] }), "is a private key"),
        (json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }), "is of another kind than"),
        (
            json!({ "keys": [{ "kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA" }] }),
            "is of another kind than",
        ),
        (json!({ "keys": [small] }), "expected 2048 to 8192"),
        (with("use", json!("enc")), "is not for verifying"),
        (with("key_ops", json!(["sign"])), "is not for verifying"),
        (with("alg", json!("HS256")), "has an `alg`"),
        (with("x", json!("AAAA")), "curve"),
        (with("x", json!(null)), "no text"),
        (with("more", json!({ "a": 1 })), "no text"),
        (with("x5c", json!(["A".repeat(17_000)])), "longer than 16384 bytes"),
    ] {
        let problem = (422, "jwks_invalid");
        let refused =
            h.refuses(&h.operator, (Method::POST, "/clients"), Some(with_keys(&jwks)), problem).await;
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(said), "{jwks}: {detail}");
    }
    for uri in [
        "http://client.example.com/k",
        "ftp://x",
        "",
        "https://u:p@client.example.com/k",
        "https://10.0.0.1/k",
        "https://client.example.com:8443/k",
        "https://client.example.com/k#f",
    ] {
        let body = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri });
        h.refuses(&h.operator, (Method::POST, "/clients"), Some(body), (422, "jwks_uri_invalid")).await;
    }
    for (more, code) in [
        (json!({ "jwks": null }), "client_keys_missing"),
        (json!({ "client_secret": "a-secret-of-16-chars" }), "client_secret_unsupported"),
        (json!({ "token_endpoint_auth_method": "client_secret_basic" }), "jwks_unsupported"),
        (json!({ "token_endpoint_auth_method": "client_secret_jwt" }), "auth_method_unsupported"),
    ] {
        let mut body = with_keys(&json!({ "keys": [jwk()] }));
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        h.refuses(&h.operator, (Method::POST, "/clients"), Some(body), (422, code)).await;
    }
    let plain = with("ext", json!(true));
    h.operator.post("/clients", with_keys(&plain)).await.expect(201);
}
