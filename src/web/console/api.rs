//! The description of the JSON API, for reading and trying out. Swagger UI is compiled in; nothing is fetched from
//! elsewhere.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use utoipa_swagger_ui::{Config, serve};

use super::answer::{PageError, page};
use super::page::{Frame, Place, Viewer};
use crate::app::App;
use crate::web::api::description;

/// The files of Swagger UI that the page needs.
const FILES: [&str; 4] =
    ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "swagger-initializer.js"];

/// Swagger UI writes styles into its elements, so this page alone permits them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    frame: Frame,
    api: String,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/api", get(show)).route("/api/{name}", get(file))
}

async fn show(viewer: Viewer) -> Result<Response, PageError> {
    let api = format!("{}/api/v1", viewer.app.config.issuer);
    let shown = page(&ApiPage { frame: viewer.frame(Place::Elsewhere), api })?;
    Ok(([(header::CONTENT_SECURITY_POLICY, POLICY)], shown).into_response())
}

async fn file(viewer: Viewer, Path(name): Path<String>) -> Result<Response, PageError> {
    if name == "openapi.json" {
        let text = description(Some(&viewer.app.config.issuer)).to_json().unwrap_or_default();
        return Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response());
    }
    let name = FILES.into_iter().find(|file| *file == name).ok_or(PageError::NotFound)?;
    let document = format!("{}/api/openapi.json", viewer.context().site.base);
    // Without the last setting, it would ask its makers' service to validate the description.
    let config = Config::from(document).use_base_layout().validator_url("none");
    let file = serve(name, Arc::new(config)).ok().flatten().ok_or(PageError::NotFound)?;
    let headers: [(HeaderName, &str); 2] =
        [(header::CONTENT_TYPE, &file.content_type), (header::CACHE_CONTROL, "private, max-age=3600")];
    Ok((headers, file.bytes.into_owned()).into_response())
}
