//! The assertions: what is in them, and that Countersign takes them.

use serde_json::{Value, json};

use super::{DevIdp, countersign, read, save};
use crate::harness::{CLIENT, RESOURCE};
use crate::process::free_port;

fn keys(claims: &Value) -> Vec<&str> {
    claims.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Okta's documented ID-JAG, and the claims of the others beside it.
#[tokio::test(flavor = "multi_thread")]
async fn assertions_look_like_the_products_and_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    for (like, provider, lifetime, others) in [
        ("okta", "okta", 300, &[][..]),
        ("entra", "entra", 3600, &["oid", "preferred_username", "tid", "ver"]),
        ("keycloak", "oidc", 300, &["acr", "auth_time", "email_verified", "preferred_username", "sid"]),
    ] {
        let app = countersign(port, "http").await;
        let idp = DevIdp::start_at(dir.path(), port, app.issuer(), &["--like", like]);
        let saved = save(&app, &idp.issuer, provider).await;
        assert_eq!(saved.status, 200, "{like}: {saved:?}");
        let form = [("person", "dana"), ("resource", RESOURCE), ("scope", "docs.read")];
        let taken = idp.post("/id-jag", &form).await;
        assert_eq!((taken.status, taken.header("cache-control")), (200, "no-store"), "{taken:?}");
        let (header, claims) = read(taken.body.trim_end());
        assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("oauth-id-jag+jwt")));
        let mut expected = vec![
            "aud",
            "client_id",
            "email",
            "exp",
            "groups",
            "iat",
            "iss",
            "jti",
            "resource",
            "scope",
            "sub",
        ];
        expected.extend(others);
        expected.sort_unstable();
        let mut found = keys(&claims);
        found.sort_unstable();
        assert_eq!(found, expected, "{like}");
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), lifetime);
        assert_eq!(
            (claims["client_id"].as_str(), claims["aud"].as_str()),
            (Some(CLIENT), Some(app.issuer()))
        );
        let answer = app.exchange(taken.body.trim_end()).await;
        assert_eq!(answer.status, 200, "{like}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subjects_and_groups_are_written_as_the_product_writes_them() {
    let dir = tempfile::tempdir().unwrap();
    for (like, subject, group) in
        [("okta", 20, "engineering"), ("entra", 43, ""), ("keycloak", 36, "/engineering")]
    {
        let idp = DevIdp::start(dir.path(), "http://127.0.0.1:8080", &["--like", like]);
        let (_, claims) = read(&idp.id_jag("dana").await);
        assert_eq!(claims["sub"].as_str().unwrap().len(), subject, "{claims}");
        assert!(group.is_empty() || claims["groups"] == json!([group]), "{claims}");
        assert!(claims.get("resource").is_none() && claims.get("scope").is_none(), "{claims}");
        let (_, again) = read(&idp.id_jag("dana").await);
        assert_eq!(claims["sub"], again["sub"]);
        assert_ne!(claims["jti"], again["jti"]);
    }
}
