//! Resources and clients whose tokens must be bound to a key.

use serde_json::{Value, json};

use super::at_mcp_servers::{METHOD, URI, ask, assert_wants_proof, proof_for};
use super::{exchange, proof, refused, thumbprint};
use crate::explain::{admin, explain};
use crate::harness::{CLIENT, RESOURCE, TestApp};
use crate::idp::Key;
use crate::introspection::{SERVER, introspect, put_credentials};

const REQUIRED: (&str, &str) = ("invalid_grant", "proof_required");

/// DPP-05, JAG-15: either setting alone refuses a request without a proof, which burns nothing.
#[tokio::test]
async fn a_resource_or_a_client_may_demand_a_proof() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    let assertion = app.assertion(json!({}));
    app.change_resource(|resource| resource.dpop_bound_access_tokens = true).await;
    assert_eq!(refused(&app, &assertion, &[], REQUIRED).await, "dpop_bound_access_tokens of the resource");
    // What the assertion itself demands is told first, and a bad proof before both.
    let named = app.assertion(json!({ "cnf": { "jkt": thumbprint(&key) } }));
    refused(&app, &named, &[], ("invalid_grant", "proof_missing")).await;
    refused(&app, &assertion, &["x"], ("invalid_dpop_proof", "proof_invalid")).await;
    assert_eq!(exchange(&app, &assertion, &[&proof(&app, &key)]).await.json["token_type"], "DPoP");

    let assertion = app.assertion(json!({}));
    app.change_resource(|resource| resource.dpop_bound_access_tokens = false).await;
    app.change_client(|client| client.dpop_bound_access_tokens = true).await;
    assert_eq!(refused(&app, &assertion, &[], REQUIRED).await, "dpop_bound_access_tokens of the client");
    assert_eq!(exchange(&app, &assertion, &[&proof(&app, &key)]).await.json["token_type"], "DPoP");
    app.change_client(|client| client.dpop_bound_access_tokens = false).await;
    assert_eq!(app.granted(json!({})).await.json["token_type"], "Bearer");
}

/// DPP-05, DPP-08, PRS-01: what is about the resource says so, and bearer tokens of before pass no longer.
#[tokio::test]
async fn a_resource_that_demands_bound_tokens_says_so_and_takes_no_others() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    put_credentials(&app, RESOURCE, SERVER).await;
    let plain = app.granted(json!({})).await.access_token().to_owned();
    let as_bearer = format!("Bearer {plain}");
    let metadata = async || {
        let id = app.app.snapshot().resource_named(RESOURCE).unwrap().id.clone();
        app.get(&format!("/resources/{id}/protected-resource-metadata")).await.json
    };
    assert_eq!(metadata().await.get("dpop_bound_access_tokens_required"), None);
    assert_eq!(ask(&app, &[("authorization", &as_bearer)]).await.status, 200);

    app.change_resource(|resource| resource.dpop_bound_access_tokens = true).await;
    assert_eq!(metadata().await["dpop_bound_access_tokens_required"], true);
    assert_wants_proof(&ask(&app, &[("authorization", &as_bearer)]).await, "invalid_token");
    let proof = proof_for(&app, &key, &plain, json!({}));
    let as_bound = format!("DPoP {plain}");
    let answer = ask(&app, &[("authorization", &as_bound), ("dpop", &proof), METHOD, URI]).await;
    assert_wants_proof(&answer, "invalid_token");
    // The first challenge says it, before there is a token.
    let challenge = ask(&app, &[]).await.header("www-authenticate").to_owned();
    assert!(
        challenge.starts_with("DPoP resource_metadata=\"") && challenge.contains("algs=\""),
        "{challenge}"
    );
    // A server that introspects sees what kind of token it is.
    assert_eq!(introspect(&app, &plain).await.json["token_type"], "Bearer");

    let bound = super::bound_token(&app, &key).await;
    let proof = proof_for(&app, &key, &bound, json!({}));
    let as_bound = format!("DPoP {bound}");
    assert_eq!(ask(&app, &[("authorization", &as_bound), ("dpop", &proof), METHOD, URI]).await.status, 200);
}

/// DPP-05, ERR-04: an explanation says it as well, and takes the asker's word for a proof.
#[tokio::test]
async fn an_explanation_is_told_whether_the_client_proves_a_key() {
    let app = TestApp::start().await;
    app.change_resource(|resource| resource.dpop_bound_access_tokens = true).await;
    let token = admin(&app, None).await;
    let ask = async |claims: Value, key_bound: bool| {
        let body = json!({ "assertion": app.assertion(claims), "client_id": CLIENT, "key_bound": key_bound });
        explain(&app, &token, "acme", body).await.json
    };
    let refused = ask(json!({}), false).await;
    assert_eq!(refused["error"]["reason"], "proof_required");
    let failed = |checked: &&Value| checked["outcome"] == "failed";
    assert_eq!(refused["checks"].as_array().unwrap().iter().find(failed).unwrap()["check"], "proof");
    assert_eq!(
        ask(json!({}), true).await["token"]["cnf"],
        json!({ "jkt": "(thumbprint of the client's key)" })
    );
    let named = json!({ "cnf": { "jkt": thumbprint(&Key::es256("k")) } });
    assert_eq!(ask(named.clone(), false).await["token"]["cnf"], named["cnf"]);
}
