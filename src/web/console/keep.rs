//! Keeps the input of a form whose session has ended, or that the database cannot take now: the answer contains
//! everything that was typed, to be sent again.

use std::sync::Arc;

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use url::form_urlencoded;

use super::answer::{Failure, PageError, SignInNeeded, page};
use super::form::is_form;
use super::page::Frame;
use super::site::Site;
use crate::web::MAX_BODY;
use crate::web::middleware::RequestId;

/// Fields that are not sent back, since somebody else may be at the browser by now.
const SECRETS: [&str; 3] = ["assertion", "client_secret", "setup_token"];

#[derive(Template)]
#[template(path = "keep.html")]
struct KeepPage {
    frame: Frame,
    /// Where the form goes.
    action: String,
    fields: Vec<(String, String)>,
    /// Whether a secret is left out of them.
    lacks_secret: bool,
    /// The failure; none where somebody must sign in.
    failure: Option<Failure>,
    request_id: String,
}

/// Answers a form that cannot be taken now with the form's own fields.
pub async fn keep_typed(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !is_form(request.headers()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return PageError::Form("it is too long, or did not arrive whole".to_owned()).into_response();
    };
    let action = format!("{}{}", site.base, parts.uri);
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.to_string()).unwrap_or_default();
    let response = next.run(Request::from_parts(parts, Body::from(body.clone()))).await;
    let is_signed_out = response.extensions().get::<SignInNeeded>().is_some();
    let is_out_of_order = response.status() == StatusCode::SERVICE_UNAVAILABLE;
    if !is_signed_out && !is_out_of_order {
        return response;
    }
    let all = form_urlencoded::parse(&body).into_owned();
    let (secrets, fields): (Vec<_>, Vec<_>) = all.partition(|(name, _)| SECRETS.contains(&name.as_str()));
    // Without its secrets or with nothing typed, a form is not worth keeping.
    let has_text = fields.iter().any(|(name, value)| name != "next" && !value.is_empty());
    if is_out_of_order && !has_text {
        return response;
    }
    let status = if is_signed_out { StatusCode::UNAUTHORIZED } else { response.status() };
    let failure = response.extensions().get::<Failure>().cloned();
    let (frame, lacks_secret) = (Frame::outside(&site), !secrets.is_empty());
    match page(&KeepPage { frame, action, fields, lacks_secret, failure, request_id }) {
        Ok(page) => (status, page).into_response(),
        Err(error) => error.into_response(),
    }
}
