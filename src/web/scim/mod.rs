//! SCIM 2.0 (RFC 7644) at `/t/{slug}/scim/v2`, with a token of that teamspace.

mod answer;
mod auth;
mod body;
mod discovery;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::app::App;
use crate::web::MAX_BODY;
use answer::ScimProblem;

/// Every route, to be nested under `/t/{slug}/scim/v2`. Without a good token all of them answer the same.
pub fn router(app: Arc<App>) -> Router {
    let groups = get(discovery::no_groups).fallback(discovery::groups_are_not_kept);
    let group = get(discovery::no_group).fallback(discovery::groups_are_not_kept);
    Router::new()
        .route("/Users", get(users::list).post(users::create))
        .route("/Users/{id}", get(users::show).put(users::replace).patch(users::patch).delete(users::remove))
        .route("/Groups", groups)
        .route("/Groups/{id}", group)
        .route("/ServiceProviderConfig", get(discovery::service_provider_config))
        .route("/ResourceTypes", get(discovery::resource_types))
        .route("/ResourceTypes/{id}", get(discovery::resource_type))
        .route("/Schemas", get(discovery::schemas))
        .route("/Schemas/{id}", get(discovery::schema))
        .method_not_allowed_fallback(async || ScimProblem::method_not_allowed())
        .fallback(async || ScimProblem::not_found())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(&app), auth::authenticate))
        .layer(SetResponseHeaderLayer::overriding(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .with_state(app)
}
