//! The repository's documents as pages, for everybody.

use std::sync::Arc;

use askama::Template;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};

use super::answer::{PageError, page};
use super::page::Frame;
use super::site::Site;
use crate::app::App;
use crate::web::documents::{self, Rendered};

#[derive(Template)]
#[template(path = "document.html")]
struct DocumentPage {
    frame: Frame,
    document: &'static Rendered,
    html: String,
    /// Path and title of every document.
    all: Vec<(String, &'static str)>,
    path: String,
}

/// The routes, below `/docs`.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(async |site| show(site, "/docs".to_owned())))
        .route("/{*name}", get(show_named))
}

async fn show_named(site: Extension<Arc<Site>>, Path(name): Path<String>) -> Result<Response, PageError> {
    if let Some(picture) = documents::picture(&name) {
        let kind = if name.ends_with(".svg") { "image/svg+xml" } else { "image/png" };
        return Ok(([(header::CONTENT_TYPE, kind)], picture).into_response());
    }
    show(site, format!("/docs/{name}"))
}

fn show(Extension(site): Extension<Arc<Site>>, path: String) -> Result<Response, PageError> {
    let document = documents::find(&path).ok_or(PageError::NotFound)?;
    let frame = Frame::outside(&site);
    let root = site.root();
    // Documents link to each other as if the service were at the root of its host.
    let html = match root.is_empty() {
        true => document.html.clone(),
        false => document.html.replace("=\"/docs", &format!("=\"{root}/docs")),
    };
    let all = documents::all().map(|(path, document)| (format!("{root}{path}"), document.title.as_str()));
    let (all, path) = (all.collect(), format!("{root}{path}"));
    page(&DocumentPage { frame, document, html, all, path })
}
