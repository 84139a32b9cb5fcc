//! Keeps the input of a form whose session has ended: the answer contains everything that was typed, to be sent again
//! after a sign-in in another tab.

use std::sync::Arc;

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use url::form_urlencoded;

use super::answer::{PageError, SignInNeeded, page};
use super::form::is_form;
use super::page::Frame;
use super::site::Site;
use crate::web::MAX_BODY;

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
}

/// Answers a form from a visitor who is not signed in with the form's own fields.
pub async fn keep_typed(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !is_form(request.headers()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return PageError::Form("it is too long, or did not arrive whole".to_owned()).into_response();
    };
    let action = format!("{}{}", site.base, parts.uri);
    let response = next.run(Request::from_parts(parts, Body::from(body.clone()))).await;
    if response.extensions().get::<SignInNeeded>().is_none() {
        return response;
    }
    let all = form_urlencoded::parse(&body).into_owned();
    let (secrets, fields): (Vec<_>, Vec<_>) = all.partition(|(name, _)| SECRETS.contains(&name.as_str()));
    let frame = Frame::outside(&site);
    match page(&KeepPage { frame, action, fields, lacks_secret: !secrets.is_empty() }) {
        Ok(page) => (StatusCode::UNAUTHORIZED, page).into_response(),
        Err(error) => error.into_response(),
    }
}
