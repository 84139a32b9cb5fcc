//! The public documents: RFC 8414, RFC 7517, RFC 9728.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use super::etag;
use crate::app::App;
use crate::config::ClientDocumentSettings;
use crate::idp::key::ALGORITHM_NAMES;
use crate::model::client::{AuthMethod, RegisteredClient};
use crate::oauth::request::{JWT_BEARER, JWT_DPOP};
use crate::store::snapshot::Snapshot;
use crate::web::error::{forbid_caching, not_found};

/// Metadata and PRM change rarely, and a new signing key must be seen well before it signs.
const MAX_AGE: &str = "public, max-age=300";

/// The ways of clients, and of MCP servers, which introspect.
const CLIENT_METHODS: [AuthMethod; 3] = [AuthMethod::Basic, AuthMethod::Post, AuthMethod::PrivateKeyJwt];

/// A document with an ETag over its content.
pub(super) fn document(headers: &HeaderMap, body: String) -> Response {
    let etag = etag::of(&body);
    let is_known = etag::is_known(headers, &etag);
    let common = [(CACHE_CONTROL, MAX_AGE.to_owned()), (ETAG, etag)];
    if is_known {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// RFC 8414 §2. It reveals nothing about trusted issuers, teamspaces or policies (draft §9.4).
pub async fn authorization_server(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let issuer = &app.config.issuer;
    let snapshot = app.snapshot();
    // Resources for only some teamspaces would reveal who the customers are.
    let public = snapshot.resources().filter(|resource| resource.teamspaces.is_none());
    let scopes: BTreeSet<&str> = public.flat_map(|r| r.scopes.iter().map(|s| s.name.as_str())).collect();
    let mut metadata = json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/oauth2/token"),
        // There is no code flow, but the MCP SDKs reject metadata without these two.
        "authorization_endpoint": format!("{issuer}/oauth2/authorize"),
        "response_types_supported": [],
        "jwks_uri": format!("{issuer}/oauth2/jwks"),
        "grant_types_supported": [JWT_BEARER, JWT_DPOP],
        "authorization_grant_profiles_supported": ["urn:ietf:params:oauth:grant-profile:id-jag"],
        "token_endpoint_auth_methods_supported": CLIENT_METHODS,
        // RFC 8414 §2 requires it with private_key_jwt.
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHM_NAMES,
        "dpop_signing_alg_values_supported": ALGORITHM_NAMES,
        "introspection_endpoint": format!("{issuer}/oauth2/introspect"),
        "introspection_endpoint_auth_methods_supported": CLIENT_METHODS,
        "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHM_NAMES,
        "revocation_endpoint": format!("{issuer}/oauth2/revoke"),
        "revocation_endpoint_auth_methods_supported": CLIENT_METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHM_NAMES,
        // RFC 9396 §10
        "authorization_details_types_supported": app.detail_types().names().collect::<Vec<_>>(),
    });
    if let Some(members) = metadata.as_object_mut() {
        if !scopes.is_empty() {
            members.insert("scopes_supported".into(), json!(scopes));
        }
        if app.config.client_documents.is_on() {
            members.insert("client_id_metadata_document_supported".into(), json!(true));
        }
        if may_be_public(&app.config.client_documents, &snapshot) {
            let methods: Vec<AuthMethod> = CLIENT_METHODS.into_iter().chain([AuthMethod::None]).collect();
            members.insert("token_endpoint_auth_methods_supported".into(), json!(methods));
        }
    }
    if let (true, Some(members)) = (app.config.issuer_lookup.enabled, metadata.as_object_mut()) {
        // Not a registered name (RFC 8414 §7.1): clients that do not know it ignore it.
        let endpoint = format!("{issuer}/oauth2/issuer-lookup");
        members.insert("issuer_lookup_endpoint".into(), json!(endpoint));
    }
    document(&headers, metadata.to_string())
}

/// Whether some client may do without credentials. The method is announced then: such a client would not try it
/// otherwise.
fn may_be_public(documents: &ClientDocumentSettings, snapshot: &Snapshot) -> bool {
    let is_public = |client: &Arc<RegisteredClient>| client.token_endpoint_auth_method == AuthMethod::None;
    !documents.public.is_empty() || snapshot.clients().any(is_public)
}

/// Our public signing keys.
pub async fn jwks(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    document(&headers, app.signer().jwks().to_owned())
}

/// RFC 9728 §2, for servers that let us publish theirs.
pub async fn protected_resource(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let snapshot = app.snapshot();
    let Some(resource) = snapshot.resources().find(|resource| resource.id == id) else {
        return not_found().await;
    };
    document(&headers, resource.metadata(&app.config.issuer).to_string())
}

const NO_CODE_FLOW: &str = "<!doctype html><html lang=\"en\"><title>Sign in through your company</title>\
<h1>Sign in through your company</h1><p>This server has no browser sign-in. Your MCP client gets access \
with an assertion from your company's identity provider (Enterprise-Managed Authorization). If you came \
here from an MCP client, that exchange has failed or is not switched on: ask the administrator of your \
teamspace to look at its sign-in activity.</p></html>";

/// Clients fall back to the authorization endpoint when an exchange fails, so it explains the situation. It never
/// redirects (META-05).
pub async fn authorize(headers: HeaderMap) -> Response {
    let accept = headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut response = match accept.contains("text/html") {
        true => (StatusCode::BAD_REQUEST, Html(NO_CODE_FLOW)).into_response(),
        false => {
            let body = json!({ "error": "unsupported_response_type",
                "error_description": "There is no authorization code flow; use the JWT bearer grant." });
            (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
        }
    };
    forbid_caching(&mut response);
    response
}
