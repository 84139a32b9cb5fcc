//! The middleware around every page.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower_http::csrf::CsrfLayer;

use super::answer::{Failure, PageError, page};
use super::page::Frame;
use super::site::Site;
use crate::web::middleware::RequestId;

/// No page has its own script or style, loads anything from elsewhere, or appears in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The headers of each answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Adds the headers that keep browsers safe. A page that needs its own content security policy sets it itself.
pub async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Refuses requests that another site's page makes a browser send (`Sec-Fetch-Site`, `Origin`). Behind a proxy that
/// changes the host, the public host counts.
pub fn same_site_only(site: &Site) -> CsrfLayer {
    CsrfLayer::new().add_trusted_origin(&site.origin).unwrap_or_else(|error| {
        tracing::warn!(origin = site.origin, ?error, "the console checks forms by the Host header only");
        CsrfLayer::new()
    })
}

/// Refuses a path or query with NUL in it, which PostgreSQL cannot store.
pub async fn refuse_nul(request: Request, next: Next) -> Response {
    let asked = request.uri().path_and_query().map(|asked| asked.as_str()).unwrap_or_default();
    if asked.contains("%00") {
        return PageError::Form("the address has the character NUL in it".to_owned()).into_response();
    }
    next.run(request).await
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    frame: Frame,
    failure: Failure,
    request_id: String,
}

/// Turns every failure into a page with the request's id.
pub async fn explain_failures(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let request_id = request.extensions().get::<RequestId>().map(|id| id.0.to_string()).unwrap_or_default();
    let mut response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let has_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let failure = match response.extensions_mut().remove::<Failure>() {
        Some(failure) => failure,
        None if !(status.is_client_error() || status.is_server_error()) || has_page => return response,
        None => of_status(status),
    };
    let template = FailurePage { frame: Frame::outside(&site), failure, request_id };
    let Ok(made) = page(&template) else { return response };
    *response.body_mut() = made.into_body();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The failure for an answer that has only a status.
fn of_status(status: StatusCode) -> Failure {
    let (title, text) = match status {
        StatusCode::FORBIDDEN => (
            "Not allowed",
            "This came from a page of another site, so nothing was done. Open the console itself and try again.",
        ),
        StatusCode::NOT_FOUND => ("Not found", "Nothing is here."),
        StatusCode::PAYLOAD_TOO_LARGE => {
            ("That did not work", "This is longer than the console takes: 64 KiB.")
        }
        status if status.is_client_error() => {
            ("That did not work", "The console does not understand this request.")
        }
        _ => ("Something broke", "This is a fault of the service. It is in the log, under the id below."),
    };
    Failure { title, text: text.to_owned() }
}
