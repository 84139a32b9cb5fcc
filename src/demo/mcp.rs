//! The MCP server of the demonstration on a listener.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::mcp_server::{self, McpServerConfig};
use crate::web::server;

/// The scopes of the MCP server.
pub const SCOPES: [&str; 2] = ["tools.read", "tools.call"];

/// The MCP server's URL at an origin.
pub(crate) fn url(origin: &str) -> String {
    format!("{origin}/mcp")
}

/// Serves until it is dropped; takes the access tokens of the issuer for this URL. The issuer may have a
/// certificate of these roots, too.
pub(crate) async fn serve(listener: TcpListener, url: String, issuer: String, ca_file: Option<PathBuf>) {
    let router = mcp_server::router(McpServerConfig {
        resource: url,
        ca_file,
        jwks_uri: format!("{issuer}/oauth2/jwks"),
        issuer,
        scopes_supported: SCOPES.map(str::to_owned).to_vec(),
    });
    server::serve(listener, router, Arc::default(), std::future::pending()).await;
}
