//! The admin API: JSON under `/api/v1`, with an admin token, errors as RFC 9457 problems.

mod audit;
pub(super) mod auth;
mod clients;
mod console_sessions;
mod describe;
mod explain;
mod identity_provider;
mod json;
mod kill_switch;
mod members;
mod openapi;
mod page;
mod policies;
pub(super) mod problem;
mod provider_trust;
mod reasons;
mod resource_credentials;
mod resources;
mod scim_tokens;
mod setup_links;
pub(crate) mod sign_ins;
mod teamspaces;

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum::{Extension, Router};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::admin::Principal;
use crate::app::App;
pub use problem::CODES;
pub(crate) use problem::FailureCause;
use problem::Problem;

/// Every route, to be nested under `/api/v1`. No route answers without a token, not even an unknown one; the only
/// exception is the API's own description, which is the same everywhere and holds no secret.
pub fn router(app: Arc<App>) -> Router {
    let document = Arc::new(OnceLock::new());
    let issuer = app.config.issuer.clone();
    // Made when it is first asked for.
    let show = move || {
        let text: &Bytes =
            document.get_or_init(|| description(Some(&issuer)).to_json().unwrap_or_default().into());
        std::future::ready(([(header::CONTENT_TYPE, "application/json")], text.clone()))
    };
    let authenticated = checked_routes()
        .layer(from_fn_with_state(Arc::clone(&app), auth::authenticate))
        .layer(SetResponseHeaderLayer::overriding(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .with_state(app);
    Router::new().route("/openapi.json", get(show)).fallback_service(authenticated)
}

/// The admin API for commands in this process: it asks for no token, and the caller is the command line. No listener
/// may serve it.
pub(crate) fn command_line_router(app: Arc<App>) -> Router {
    checked_routes().layer(Extension(Principal::CommandLine)).with_state(app)
}

/// The routes with the bounds on their input.
fn checked_routes() -> Router<Arc<App>> {
    Router::from(routes())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(json::MAX_BODY))
        .layer(from_fn(json::refuse_nul))
}

/// The API's description, in OpenAPI 3.1. The server is at `issuer`, or at a URL that the reader fills in.
pub fn description(issuer: Option<&str>) -> OpenApi {
    openapi::complete(routes().into_openapi(), issuer)
}

/// Every route that needs a token. Only `routes!` adds routes, so that each is described.
fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(openapi::head()).merge(deployment_routes()).merge(teamspace_routes())
}

/// The operations that belong to no teamspace.
fn deployment_routes() -> OpenApiRouter<Arc<App>> {
    use resource_credentials as credentials;
    OpenApiRouter::default()
        .routes(routes!(resources::list, resources::create))
        .routes(routes!(resources::show, resources::change, resources::remove))
        .routes(routes!(credentials::list_credentials, credentials::create_credentials))
        .routes(routes!(credentials::change_credentials, credentials::remove_credentials))
        .routes(routes!(credentials::check_secret))
        .routes(routes!(clients::list, clients::create))
        .routes(routes!(clients::show, clients::change, clients::remove))
        .routes(routes!(clients::add_secret))
        .routes(routes!(clients::check_secret))
        .routes(routes!(clients::remove_secret))
        .routes(routes!(kill_switch::list, kill_switch::create))
        .routes(routes!(kill_switch::remove))
        .routes(routes!(sign_ins::list_all))
        .routes(routes!(sign_ins::show_any_token))
        .routes(routes!(policies::show))
        .routes(routes!(policies::list_sets))
        .routes(routes!(policies::show_set))
        .routes(routes!(policies::show_shadow))
        .routes(routes!(audit::list))
        .routes(routes!(console_sessions::list))
        .routes(routes!(console_sessions::remove))
        .routes(routes!(console_sessions::end))
        .routes(routes!(reasons::list))
}

/// Teamspaces, and what is a teamspace's.
fn teamspace_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default()
        .routes(routes!(teamspaces::list, teamspaces::create))
        .routes(routes!(teamspaces::show, teamspaces::change, teamspaces::remove))
        .merge(provider_routes())
        .routes(routes!(members::list, members::invite))
        .routes(routes!(members::change, members::remove))
        .routes(routes!(members::end_sessions))
        .routes(routes!(members::unlink))
        .routes(routes!(setup_links::list, setup_links::create))
        .routes(routes!(setup_links::revoke))
        .routes(routes!(scim_tokens::list, scim_tokens::create))
        .routes(routes!(scim_tokens::remove))
        .routes(routes!(sign_ins::list))
        .routes(routes!(sign_ins::show_token))
        .routes(routes!(explain::post))
}

/// A teamspace's identity providers. The path in the singular is for the only one.
fn provider_routes() -> OpenApiRouter<Arc<App>> {
    use identity_provider as providers;
    OpenApiRouter::default()
        .routes(routes!(providers::list, providers::create))
        .routes(routes!(providers::show, providers::put, providers::change, providers::remove))
        .routes(routes!(providers::check))
        .routes(routes!(provider_trust::confirm_jwks_uri))
        .routes(routes!(provider_trust::list_trust_changes))
        .routes(routes!(
            providers::show_only,
            providers::put_only,
            providers::change_only,
            providers::remove_only
        ))
        .routes(routes!(providers::check_only))
        .routes(routes!(provider_trust::confirm_jwks_uri_of_only))
        .routes(routes!(provider_trust::list_trust_changes_of_only))
}

async fn not_found() -> Problem {
    Problem::not_found()
}

async fn method_not_allowed() -> Problem {
    let detail = "This path does not have that method; see the Allow header.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
