//! An MCP server that takes Countersign's access tokens, and nothing else.

mod guard;
mod limits;
mod proof;
mod revocations;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Uri, request::Parts};
use axum::middleware::from_fn_with_state;
use axum::{Json, Router, routing::get};
use guard::{Claims, Guard, require_token};
use reqwest::redirect::Policy;
use rmcp::handler::server::{tool::Extension, wrapper};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};

const SCOPE: &str = "docs.read"; // what every call needs

struct Tools;

#[tool_router]
impl Tools {
    /// Who is calling, as the access token tells it.
    #[tool]
    fn whoami(&self, Extension(parts): Extension<Parts>) -> Result<wrapper::Json<Claims>, String> {
        parts.extensions.get::<Claims>().cloned().map(wrapper::Json).ok_or_else(|| "no token".to_owned())
    }
}

#[tool_handler(name = "docs", version = "1.0.0", router = limits::limited(Self::tool_router()))]
impl ServerHandler for Tools {}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let var = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let issuer = var("ISSUER", "http://127.0.0.1:8080"); // Countersign's issuer, byte for byte
    let resource = var("RESOURCE", "http://127.0.0.1:3000/mcp"); // this server, as registered at Countersign
    let url: Uri = resource.parse()?;
    let host = url.authority().ok_or("RESOURCE is not a URL")?.to_string();
    let well_known = format!("/.well-known/oauth-protected-resource{}", url.path().trim_end_matches('/'));
    let metadata = serde_json::json!({ "resource": resource, "authorization_servers": [issuer],
        "scopes_supported": [SCOPE] });
    let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).redirect(Policy::none()).build()?;
    let guard = Guard {
        revocations: revocations::Revocations::follow(&issuer, http.clone())?,
        metadata_url: format!("{}://{host}{well_known}", url.scheme_str().unwrap_or("https")),
        issuer,
        resource,
        scope: SCOPE,
        http,
        asked: Default::default(),
        keys: Default::default(),
        proofs: Default::default(),
    };
    let http = StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true);
    let http = http.with_allowed_hosts([host]);
    let mcp = StreamableHttpService::new(|| Ok(Tools), Arc::<NeverSessionManager>::default(), http);
    let app = Router::new()
        .route_service(url.path(), mcp)
        .layer(from_fn_with_state(Arc::new(guard), require_token))
        .route(&well_known, get(|| async { Json(metadata) }));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", var("PORT", "3000").parse()?)).await?;
    Ok(axum::serve(listener, app).await?)
}
