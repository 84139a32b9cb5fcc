//! The metadata of MCP servers at the address where their clients look for it (RFC 9728 §3), for operators who route
//! `/.well-known/oauth-protected-resource` of those hosts to us.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::response::Response;

use super::metadata::document;
use crate::app::App;
use crate::model::resource::{Resource, WELL_KNOWN};
use crate::oauth::resource::normalize;
use crate::store::snapshot::Snapshot;
use crate::web::error::not_found;

/// The metadata of the resource that is addressed. A resource for only some teamspaces is found like any other: its clients
/// need the document, and it names no teamspace.
pub async fn at_its_address(State(app): State<Arc<App>>, request: Request) -> Response {
    let snapshot = app.snapshot();
    match addressed(&snapshot, &request) {
        Some(resource) => document(request.headers(), resource.metadata(&app.config.issuer).to_string()),
        None => not_found().await,
    }
}

/// The resource whose identifier has the request's host, and as its path what follows the well-known one. No such
/// path: the only resource at that host.
fn addressed<'s>(snapshot: &'s Snapshot, request: &Request) -> Option<&'s Arc<Resource>> {
    let host = host_of(request)?;
    let path = request.uri().path_and_query()?.as_str().strip_prefix(WELL_KNOWN)?;
    // We cannot see by which scheme the client came to the proxy. Plain http is for loopback only.
    let schemes = ["https", "http"];
    let named = |path: &str| {
        let identifiers = schemes.iter().filter_map(|scheme| normalize(&format!("{scheme}://{host}{path}")));
        identifiers.into_iter().find_map(|identifier| snapshot.resource(&identifier))
    };
    // Clients leave out a slash at the end.
    let found = named(path).or_else(|| named(&format!("{path}/")));
    if found.is_some() || !matches!(path, "" | "/") {
        return found;
    }
    let origins: Vec<String> =
        schemes.iter().filter_map(|scheme| normalize(&format!("{scheme}://{host}"))).collect();
    let is_there = |resource: &&Arc<Resource>| {
        origins.iter().any(|origin| resource.normalized.starts_with(origin.as_str()))
    };
    let mut at_host = snapshot.resources().filter(is_there);
    at_host.next().filter(|_| at_host.next().is_none())
}

/// The host that the request is for, with its port.
fn host_of(request: &Request) -> Option<Authority> {
    let mut values = request.headers().get_all(HOST).iter();
    let host = match (request.uri().authority(), values.next(), values.next()) {
        // HTTP/2 has it in the URI.
        (Some(authority), _, None) => authority.clone(),
        (None, Some(host), None) => Authority::try_from(host.as_bytes()).ok()?,
        _ => return None,
    };
    (!host.as_str().contains('@')).then_some(host)
}
