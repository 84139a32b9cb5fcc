//! Protected resource metadata (RFC 9728).

use serde_json::{Value, json};

use super::McpServerConfig;

pub(super) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The metadata document (RFC 9728 section 2).
pub(super) fn document(config: &McpServerConfig) -> Value {
    let mut document = json!({
        "resource": config.resource,
        "resource_name": "Countersign demo MCP server",
        "authorization_servers": [config.issuer],
        "bearer_methods_supported": ["header"],
    });
    // RFC 9728 section 3.2: a claim with no values is left out.
    if !config.scopes_supported.is_empty()
        && let Some(members) = document.as_object_mut()
    {
        members.insert("scopes_supported".into(), json!(config.scopes_supported));
    }
    document
}

/// The URL of the document: the well-known path between authority and path of the resource
/// (RFC 9728 section 3.1).
pub(super) fn url(resource: &str) -> String {
    let authority_start = resource.find("://").map_or(0, |scheme_end| scheme_end + 3);
    let (scheme, rest) = resource.split_at(authority_start);
    match rest.split_once('/') {
        Some((authority, "")) => format!("{scheme}{authority}{WELL_KNOWN}"),
        Some((authority, path)) => format!("{scheme}{authority}{WELL_KNOWN}/{path}"),
        None => format!("{scheme}{rest}{WELL_KNOWN}"),
    }
}
