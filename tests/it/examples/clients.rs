//! The whole flow with each example: a published client, a real exchange, and a call of the example's tool.

use std::collections::HashMap;
use std::path::PathBuf;

use axum::extract::State;
use axum::routing::post;
use axum::{Form, Json, Router};
use serde_json::{Map, Value, json};

use super::{Example, ExampleServer, python};
use crate::harness::{CLIENT, SECRET, TestApp, resource};
use crate::idp::Key;
use crate::interop::{last_line, package, published_client};
use crate::process::real_time;

/// The key of the identity provider, and the claims of its assertions.
type Signs = (Key, Map<String, Value>);

/// Exchanges any ID token for an ID-JAG with the resource and the scope that were asked for.
async fn token_endpoint(
    State((key, claims)): State<Signs>,
    form: Form<HashMap<String, String>>,
) -> Json<Value> {
    let mut claims = claims;
    for name in ["resource", "scope"] {
        claims.insert(name.to_owned(), json!(form[name]));
    }
    claims.insert("aud".to_owned(), json!(form["audience"]));
    claims.insert("jti".to_owned(), json!(uuid::Uuid::new_v4().to_string()));
    Json(json!({ "access_token": key.assertion(&claims), "token_type": "N_A", "expires_in": 300,
        "issued_token_type": "urn:ietf:params:oauth:token-type:id-jag" }))
}

pub async fn serve_token_endpoint(app: &TestApp) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let signs: Signs = (app.idp.key.clone(), app.claims());
    let router = Router::new().route("/token", post(token_endpoint)).with_state(signs);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn client_of(example: Example) -> tokio::process::Command {
    match example {
        Example::Python => published_client(python(), PathBuf::from("tests/python/cross_app_access.py")),
        Example::TypeScript | Example::Rust => {
            published_client("node", package("tests/node").join("cross-app-access.mjs"))
        }
    }
}

async fn call_with_published_client(app: &TestApp, token_endpoint: &str, example: Example) {
    let server = ExampleServer::start(example, app.issuer()).await;
    app.put_resource(resource(&server.url, &["docs.read"])).await;
    let mut client = client_of(example);
    client
        .env("MCP_URL", &server.url)
        .env("IDP_TOKEN_ENDPOINT", token_endpoint)
        .env("IDP_CLIENT_ID", "mcp-client")
        .env("IDP_CLIENT_SECRET", "secret-at-the-identity-provider")
        .env("ID_TOKEN", "an ID token")
        .env("CLIENT_ID", CLIENT)
        .env("CLIENT_SECRET", SECRET)
        .env("EXPECTED_ISSUER", app.issuer());
    let (ok, result) = last_line(client).await;
    assert!(ok, "{example:?}: {result}");
    assert_eq!(result["tools"], json!(["whoami"]), "{example:?}");
    let member = app.member("dana@acme.com").await.unwrap();
    let caller = &result["whoami"];
    let told = [&caller["sub"], &caller["client_id"], &caller["teamspace"], &caller["scope"]];
    assert_eq!(told, [&json!(member.id), &json!(CLIENT), &json!("acme"), &json!("docs.read")], "{example:?}");
}

/// PRS-01, META-05: with the Python SDK's client for the Python example, and the TypeScript SDK's for the others.
#[tokio::test(flavor = "multi_thread")]
async fn published_clients_sign_in_and_call_the_tool_of_each_example() {
    let app = TestApp::start().await;
    real_time(&app);
    let endpoint = serve_token_endpoint(&app).await;
    let [python, typescript, rust] =
        Example::ALL.map(|example| call_with_published_client(&app, &endpoint, example));
    tokio::join!(python, typescript, rust);
}
