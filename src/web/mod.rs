//! The edge of the service: bytes to types and back, without decisions.

mod admission;
pub mod api;
mod body;
mod console;
pub mod documents;
mod dpop_nonce;
mod error;
mod forward_auth;
mod health;
mod landing;
mod metrics;
pub mod middleware;
mod oauth;
mod scim;
pub(crate) mod server;
mod signals;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Redirect;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use console::Site;
use middleware::{
    AccessLog, AroundLayer, FindCaller, Hsts, NameRequests, RateLimit, RefuseSlowBodies, TimeOutLayer,
};

/// Longest accepted request body, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// How long a request may be worked on once its body has arrived.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Every public route, relative to the issuer.
pub fn router(app: Arc<App>) -> Router {
    let path = app.config.issuer_path();
    let routes = Router::new()
        .merge(oauth::routes(&path, &app.config.cors_origins))
        .merge(signals::routes(&path))
        .merge(forward_auth::routes(&path))
        .merge(landing::routes(&path))
        .nest_service(&format!("{path}/api/v1"), api::router(Arc::clone(&app)))
        .nest_service(&format!("{path}/t/{{slug}}/scim/v2"), scim::router(Arc::clone(&app)))
        .fallback(error::not_found);
    let routes = match Site::of(&app.config).filter(|_| app.config.console.listen.is_none()) {
        Some(site) => {
            let site = Arc::new(site);
            with_console(routes, &app, &site)
        }
        None => routes,
    };
    guard(app, routes)
}

/// The router for the console's own listener; none if it has none.
pub fn console_router(app: Arc<App>) -> Option<Router> {
    app.config.console.listen?;
    let site = Arc::new(Site::of(&app.config)?);
    let first = Redirect::temporary(&format!("{}/", site.base));
    let routes =
        with_console(Router::new(), &app, &site).route("/", get(async || first)).fallback(error::not_found);
    Some(guard(app, routes))
}

/// Adds the console, and the documents that it links to.
fn with_console(routes: Router<Arc<App>>, app: &Arc<App>, site: &Arc<Site>) -> Router<Arc<App>> {
    routes
        .nest_service(&format!("{}/docs", site.root()), console::documents_router(Arc::clone(app), site))
        .nest_service(&site.base, console::router(Arc::clone(app), site))
}

/// Wraps a router in the middleware for every request.
fn guard(app: Arc<App>, routes: Router<Arc<App>>) -> Router {
    routes
        // The first is the outermost. They are added together, since every call of `layer` puts another box around
        // each route.
        .layer((
            AroundLayer(NameRequests(Arc::clone(&app.clock))),
            AroundLayer(AccessLog),
            AroundLayer(Hsts::of(&app.config.issuer)),
            TimeOutLayer(REQUEST_TIMEOUT),
            AroundLayer(FindCaller(Arc::clone(&app))),
            AroundLayer(RateLimit(Arc::clone(&app))),
            AroundLayer(RefuseSlowBodies),
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
