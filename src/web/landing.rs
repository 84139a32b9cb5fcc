//! The page at the issuer itself: for somebody who opens it in a browser and wonders what is here.

use std::sync::{Arc, LazyLock};

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::console;
use crate::app::App;

/// The look of the console. It is in the page, since the console may be off or elsewhere.
const STYLE: &str = include_str!("console/assets/console.css");

/// The page loads nothing and runs nothing.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; frame-ancestors 'none'")
});

#[derive(Template)]
#[template(path = "landing.html")]
struct LandingPage<'a> {
    style: &'static str,
    issuer: &'a str,
    /// The path of the issuer, without a slash at its end.
    path: &'a str,
    /// Whether the console and the documents are at this listener. Where they have one of their own, the public is not
    /// told about it.
    has_console: bool,
}

/// The page of an issuer with this path, with and without a slash at its end.
pub(super) fn routes(path: &str) -> Router<Arc<App>> {
    let page = get(show).layer(from_fn(console::secure));
    let routes = Router::new().route(&format!("{path}/"), page.clone());
    if path.is_empty() { routes } else { routes.route(path, page) }
}

async fn show(State(app): State<Arc<App>>) -> Response {
    let console = &app.config.console;
    let page = LandingPage {
        style: STYLE,
        issuer: &app.config.issuer,
        path: &app.config.issuer_path(),
        has_console: console.enabled && console.listen.is_none(),
    };
    let headers: [(HeaderName, &str); 2] =
        [(header::CACHE_CONTROL, "public, max-age=300"), (header::CONTENT_SECURITY_POLICY, &POLICY)];
    match page.render() {
        Ok(page) => (headers, Html(page)).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot make the landing page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
