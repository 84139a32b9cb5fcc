//! Bound tokens where they are used.

use serde_json::json;

use super::{bound_token, thumbprint};
use crate::harness::{Answer, RESOURCE, TestApp};
use crate::idp::Key;
use crate::introspection::{SERVER, introspect, put_credentials};

/// INT-03, DPP-04: introspection says to which key a token is bound, and so that it is no bearer token.
#[tokio::test]
async fn introspection_says_which_key_a_token_is_bound_to() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    put_credentials(&app, RESOURCE, SERVER).await;
    let described = introspect(&app, &bound_token(&app, &key).await).await.json;
    assert_eq!(described["active"], true);
    assert_eq!(described["token_type"], "DPoP");
    assert_eq!(described["cnf"], json!({ "jkt": thumbprint(&key) }));
    let plain = introspect(&app, app.granted(json!({})).await.access_token()).await.json;
    assert_eq!((&plain["token_type"], plain.get("cnf")), (&json!("Bearer"), None));
}

/// DPP-08: a bound token alone is not enough.
#[tokio::test]
async fn forward_auth_refuses_a_bound_token_as_a_bearer_token() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    let id = app.app.snapshot().resource_named(RESOURCE).unwrap().id.clone();
    let url = format!("{}/forward-auth/{id}", app.issuer());
    let ask =
        async |token: &str| Answer::of(app.http.get(&url).bearer_auth(token).send().await.unwrap()).await;
    let answer = ask(&bound_token(&app, &key).await).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{answer:?}");
    assert_eq!(answer.header("x-auth-subject"), "");
    assert_eq!(ask(app.granted(json!({})).await.access_token()).await.status, 200);
}
