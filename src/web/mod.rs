//! The edge: bytes to types and back, no decisions.

mod access_log;
mod address;
pub mod api;
mod body;
mod error;
mod health;
mod metadata;
mod metrics;
pub mod server;
mod stream;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;

use crate::app::App;

/// The id under which a request's log lines and decision-log row are found; answered as `X-Request-Id`.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Longest accepted request body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Every public route. Paths are relative to the issuer; only the well-known document is inserted before
/// the issuer's own path (RFC 8414 §3.1).
pub fn router(app: Arc<App>) -> Router {
    let path = app.config.issuer_path();
    let documents = Router::new()
        .route(&format!("/.well-known/oauth-authorization-server{path}"), get(metadata::authorization_server))
        .route(&format!("{path}/oauth2/jwks"), get(metadata::jwks))
        .route(
            &format!("{path}/resources/{{resource_id}}/protected-resource-metadata"),
            get(metadata::protected_resource),
        )
        // Public documents, readable by pages of any origin (META-12).
        .layer(CorsLayer::permissive());
    Router::new()
        .merge(documents)
        .route(&format!("{path}/oauth2/token"), post(token::token).fallback(token::method_not_allowed))
        .route(&format!("{path}/oauth2/authorize"), get(metadata::authorize).post(metadata::authorize))
        .nest_service(&format!("{path}/api/v1"), api::router(Arc::clone(&app)))
        .fallback(error::not_found)
        // The first is the outermost. Together, since every call of `layer` puts another box around each route.
        .layer((
            from_fn_with_state(Arc::clone(&app), access_log::log),
            CatchPanicLayer::custom(error::panicked),
            DefaultBodyLimit::max(MAX_BODY),
        ))
        .with_state(app)
}

/// The private listener.
pub fn management_router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(health::healthy))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .with_state(app)
}
