//! The admin API: JSON under `/api/v1`, with an admin token, errors as RFC 9457 problems.

mod audit;
pub(super) mod auth;
mod clients;
mod explain;
mod identity_provider;
mod json;
mod members;
mod page;
mod policies;
pub(super) mod problem;
mod reasons;
mod resources;
pub(crate) mod sign_ins;
mod teamspaces;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, patch, post};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::app::App;
pub use problem::CODES;
use problem::Problem;

/// Every route, to be nested under `/api/v1`. No route answers without a token, unknown ones neither.
pub fn router(app: Arc<App>) -> Router {
    routes()
        .merge(teamspace_routes())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(json::MAX_BODY))
        .layer(from_fn(json::refuse_nul))
        .layer(from_fn_with_state(Arc::clone(&app), auth::authenticate))
        .layer(SetResponseHeaderLayer::overriding(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .with_state(app)
}

/// What belongs to no teamspace.
fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/resources", get(resources::list).post(resources::create))
        .route("/resources/{id}", get(resources::show).patch(resources::change).delete(resources::remove))
        .route("/clients", get(clients::list).post(clients::create))
        .route("/clients/{id}", get(clients::show).patch(clients::change).delete(clients::remove))
        .route("/clients/{id}/secrets", post(clients::add_secret))
        .route("/clients/{id}/secrets/{secret_id}", delete(clients::remove_secret))
        .route("/sign-ins", get(sign_ins::list_all))
        .route("/policies", get(policies::show))
        .route("/policies/sets", get(policies::list_sets))
        .route("/policies/sets/{id}", get(policies::show_set))
        .route("/policies/shadow", get(policies::show_shadow))
        .route("/audit", get(audit::list))
        .route("/reasons", get(reasons::list))
}

/// Teamspaces, and what is a teamspace's.
fn teamspace_routes() -> Router<Arc<App>> {
    Router::new()
        .route("/teamspaces", get(teamspaces::list).post(teamspaces::create))
        .route(
            "/teamspaces/{slug}",
            get(teamspaces::show).patch(teamspaces::change).delete(teamspaces::remove),
        )
        .merge(provider_routes())
        .route("/teamspaces/{slug}/members", get(members::list).post(members::invite))
        .route("/teamspaces/{slug}/members/{id}", patch(members::change).delete(members::remove))
        .route("/teamspaces/{slug}/members/{id}/end-sessions", post(members::end_sessions))
        .route("/teamspaces/{slug}/members/{id}/identities", delete(members::unlink))
        .route("/teamspaces/{slug}/sign-ins", get(sign_ins::list))
        .route("/teamspaces/{slug}/explain", post(explain::post))
}

/// A teamspace's identity providers. The path in the singular is for the only one.
fn provider_routes() -> Router<Arc<App>> {
    use identity_provider as providers;
    Router::new()
        .route("/teamspaces/{slug}/identity-providers", get(providers::list).post(providers::create))
        .route(
            "/teamspaces/{slug}/identity-providers/{id}",
            get(providers::show).put(providers::put).patch(providers::change).delete(providers::remove),
        )
        .route("/teamspaces/{slug}/identity-providers/{id}/check", post(providers::check))
        .route(
            "/teamspaces/{slug}/identity-provider",
            get(providers::show_only)
                .put(providers::put_only)
                .patch(providers::change_only)
                .delete(providers::remove_only),
        )
        .route("/teamspaces/{slug}/identity-provider/check", post(providers::check_only))
}

async fn not_found() -> Problem {
    Problem::not_found()
}

async fn method_not_allowed() -> Problem {
    let detail = "This path does not have that method; see the Allow header.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
