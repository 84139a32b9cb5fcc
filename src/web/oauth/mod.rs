//! The OAuth endpoints and their metadata documents.

mod cors;
mod etag;
mod form;
mod introspect;
mod issuer_lookup;
mod metadata;
mod protected_resource;
mod revocations;
mod revoke;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tower_http::cors::CorsLayer;

use crate::app::App;
use crate::model::resource::WELL_KNOWN;

/// The routes of an issuer with this path. The well-known document comes before the path (RFC 8414 §3.1).
/// `cors_origins` are those whose pages may call the token endpoint.
pub(super) fn routes(path: &str, cors_origins: &[String]) -> Router<Arc<App>> {
    let documents = Router::new()
        .route(&format!("/.well-known/oauth-authorization-server{path}"), get(metadata::authorization_server))
        .route(&format!("{path}/oauth2/jwks"), get(metadata::jwks))
        .route(
            &format!("{path}/resources/{{resource_id}}/protected-resource-metadata"),
            get(metadata::protected_resource),
        )
        .route(WELL_KNOWN, get(protected_resource::at_its_address))
        // A wildcard does not match nothing.
        .route(&format!("{WELL_KNOWN}/"), get(protected_resource::at_its_address))
        .route(&format!("{WELL_KNOWN}/{{*path}}"), get(protected_resource::at_its_address))
        // Public documents, readable by pages of any origin (META-12).
        .layer(CorsLayer::permissive());
    let token = post(token::token).fallback(form::post_only);
    let token = match cors::for_pages_of(cors_origins) {
        Some(layer) => token.layer(layer),
        None => token,
    };
    documents
        .route(&format!("{path}/oauth2/token"), token)
        .route(&format!("{path}/oauth2/introspect"), post(introspect::introspect).fallback(form::post_only))
        .route(&format!("{path}/oauth2/revoke"), post(revoke::revoke).fallback(form::post_only))
        .route(
            &format!("{path}/oauth2/issuer-lookup"),
            post(issuer_lookup::look_up).fallback(issuer_lookup::other_method),
        )
        .route(
            &format!("{path}/oauth2/revocations"),
            get(revocations::list).post(revocations::list_by_form).fallback(form::get_or_post_only),
        )
        .route(&format!("{path}/oauth2/authorize"), get(metadata::authorize).post(metadata::authorize))
}
