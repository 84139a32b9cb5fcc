//! A small protected MCP server: what a resource server has to do to trust Countersign.
//!
//! Requests meet the parts in this order: the bearer guard (`guard`), the verification of
//! the access token (`access_token`, `keys`), then rmcp and the tools (`tools`).

mod access_token;
mod guard;
mod keys;
mod metadata;
mod tools;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

pub use access_token::CallerToken;
use guard::Guard;
use tools::Tools;

/// Where the MCP endpoint is mounted; `resource` is expected to end with it.
const ENDPOINT: &str = "/mcp";
/// The tools take a few numbers at most.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The server's knowledge about itself and about the authorization server.
#[derive(Debug, Clone)]
pub struct McpServerConfig {
    /// The resource identifier (RFC 8707), for example `http://127.0.0.1:8081/mcp`.
    pub resource: String,
    /// The only issuer whose access tokens are accepted, compared byte for byte.
    pub issuer: String,
    /// Where the issuer publishes its signing keys.
    pub jwks_uri: String,
    /// Roots in PEM that the keys' server is trusted by, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Advertised in the metadata and in the challenge; empty leaves both out.
    pub scopes_supported: Vec<String>,
}

/// The MCP endpoint behind the bearer guard, and the metadata that leads clients to a token.
pub fn router(config: McpServerConfig) -> Router {
    let config = Arc::new(config);
    let document = metadata::document(&config);
    let metadata = get(move || {
        let document = document.clone();
        async move { axum::Json(document) }
    });
    let guard = Arc::new(Guard::new(Arc::clone(&config)));
    let endpoint = Router::new()
        .route_service(ENDPOINT, mcp_service(&config))
        .layer(from_fn_with_state(guard, guard::require_access_token));
    Router::new()
        // RFC 9728 section 3.1 inserts the well-known path before the path of the resource;
        // MCP clients fall back to the root.
        .route("/.well-known/oauth-protected-resource/mcp", metadata.clone())
        .route(metadata::WELL_KNOWN, metadata)
        .merge(endpoint)
}

/// Streamable HTTP without sessions: every request carries its own token, and a session
/// would outlive the token that opened it.
fn mcp_service(config: &McpServerConfig) -> StreamableHttpService<Tools, NeverSessionManager> {
    let mut transport = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_BODY_BYTES)
        // The MCP transport wants `Origin` validated; an empty list admits no browser at all.
        .enforce_origin_validation();
    if let Some(authority) = authority(&config.resource) {
        transport = transport.with_allowed_hosts([authority]);
    }
    StreamableHttpService::new(|| Ok(Tools), Arc::default(), transport)
}

/// The `Host` under which clients reach the resource. Without one, rmcp's own list stays:
/// loopback, at any port.
fn authority(resource: &str) -> Option<String> {
    let uri = resource.parse::<Uri>().ok()?;
    uri.authority().map(ToString::to_string)
}
