//! The MCP servers: those that let everybody in, and those that lead clients elsewhere.

use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{any, get};
use axum::{Json, Router};
use countersign::demo::mcp_server::{McpServerConfig, router};
use countersign::doctor::challenge::resource_metadata;
use countersign::doctor::{DoctorGroup, LineStatus};
use serde_json::{Value, json};

use super::{examine, service};
use crate::harness::{TestApp, resource};

const RESOURCES: DoctorGroup = DoctorGroup::Resources;

/// A server that answers so to everything at its root, and has this metadata.
async fn server(status: u16, challenge: Option<&str>, metadata: fn(&str) -> Value) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut headers = HeaderMap::new();
    if let Some(challenge) = challenge {
        let challenge = challenge.replace("URL", &format!("{url}/metadata"));
        headers.insert(header::WWW_AUTHENTICATE, challenge.parse().unwrap());
    }
    let document = Json(metadata(&format!("{url}/mcp")));
    let status = StatusCode::from_u16(status).unwrap();
    let router = Router::new()
        .route("/mcp", any(async move || (status, headers.clone(), "{}")))
        .route("/metadata", get(async move || document.clone()));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("{url}/mcp")
}

async fn register(app: &TestApp, url: &str) {
    app.put_resource(resource(url, &["docs.read"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_of_an_mcp_server_is_told() {
    let app = service(|_| {}).await;
    let bearer = Some("Bearer resource_metadata=\"URL\"");
    let elsewhere =
        |url: &str| json!({ "resource": url, "authorization_servers": ["https://other.example.com"] });
    let slash = |url: &str| json!({ "resource": format!("{url}/"), "authorization_servers": [] });
    let mistakes = [
        (server(200, None, elsewhere).await, "lets everybody in"),
        (server(404, None, elsewhere).await, "status 404 without a token; expected 401"),
        (server(307, None, elsewhere).await, "redirects a request"),
        (server(401, Some("Bearer realm=\"mcp\""), elsewhere).await, "without `resource_metadata`"),
        (server(401, bearer, elsewhere).await, "https://other.example.com"),
        (server(401, bearer, slash).await, "differ only by a trailing slash"),
        (server(401, Some("Bearer resource_metadata=\"http://127.0.0.1:1/\""), slash).await, "metadata at"),
    ];
    for (url, _) in &mistakes {
        register(&app, url).await;
    }
    register(&app, "http://127.0.0.1:1/mcp").await;
    register(&app, "https://10.1.2.3/mcp").await;
    let examined = examine(&app).await;
    for (url, told) in &mistakes {
        examined.failed(RESOURCES, url, &[told]);
    }
    let line = examined.line(RESOURCES, "http://127.0.0.1:1/mcp", LineStatus::Warning);
    assert!(line.message.contains("cannot be reached"), "{line:?}");
    let line = examined.line(RESOURCES, "https://10.1.2.3/mcp", LineStatus::Warning);
    assert!(line.message.contains("fetch.private_origins"), "{line:?}");
    let line = examined.named(RESOURCES, &mistakes[0].0)[0];
    let header = "WWW-Authenticate: Bearer resource_metadata=\"http://";
    assert!(line.fix.as_ref().unwrap().contains(header), "{line:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstrations_mcp_server_is_fine() {
    let app = service(|_| {}).await;
    let url = mcp_server(&app).await;
    register(&app, &url).await;
    examine(&app).await.line(RESOURCES, &url, LineStatus::Ok);
}

/// The demonstration's MCP server, which takes the tokens of a service.
pub async fn mcp_server(app: &TestApp) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let resource = format!("http://{}/mcp", listener.local_addr().unwrap());
    let router = router(McpServerConfig {
        ca_file: None,
        resource: resource.clone(),
        issuer: app.issuer().to_owned(),
        jwks_uri: format!("{}/oauth2/jwks", app.issuer()),
        scopes_supported: vec!["docs.read".to_owned()],
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    resource
}

/// RFC 9110 §11.6.1: several challenges in one header, quoted and plain values.
#[test]
fn challenges_are_read_in_every_form() {
    let url = Some("https://mcp.example.com/meta".to_owned());
    for header in [
        "Bearer resource_metadata=\"https://mcp.example.com/meta\"",
        "bearer realm=\"a, b\", Resource_Metadata = \"https://mcp.example.com/meta\", scope=\"x\"",
        "Basic realm=\"x\", Bearer error=\"invalid_token\", resource_metadata=\"https://mcp.example.com/\\meta\"",
        "DPoP algs=\"ES256\", resource_metadata=\"https://mcp.example.com/meta\"",
        "Negotiate, Bearer resource_metadata=https://mcp.example.com/meta",
    ] {
        assert_eq!(resource_metadata(header), url, "{header}");
    }
    for header in [
        "",
        "Bearer",
        "Bearer realm=\"resource_metadata=x\"",
        "Basic resource_metadata=\"https://mcp.example.com/meta\"",
        "Bearer resource_metadata=\"https://mcp.example.com/meta",
        "Bearer =\"x\"",
    ] {
        assert_eq!(resource_metadata(header), None, "{header}");
    }
}
