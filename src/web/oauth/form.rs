//! The forms of the endpoints that take POST only: the request's transport is checked before its meaning (RFC 6749 §3.2).

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::oauth::error::{ErrorCode, TokenError};
use crate::web::MAX_BODY;
use crate::web::error::forbid_caching;

/// Reads the form of a request.
pub async fn read_form(parts: &Parts, body: Body) -> Result<Bytes, TokenError> {
    // RFC 6749 §2.3.1: credentials and assertions in a URL end up in logs and histories.
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(TokenError::invalid_request("Parameters must be in the body, not in the URL."));
    }
    if parts.headers.contains_key(CONTENT_ENCODING) {
        return Err(TokenError::invalid_request("The body must not be compressed."));
    }
    if parts.headers.get_all(AUTHORIZATION).iter().count() > 1 {
        return Err(TokenError::invalid_request("There is more than one Authorization header."));
    }
    if !is_form(parts) {
        return Err(TokenError::invalid_request("The body must be application/x-www-form-urlencoded."));
    }
    to_bytes(body, MAX_BODY).await.map_err(|_| {
        let mut error = TokenError::invalid_request("The body is too large.");
        error.code = ErrorCode::BodyTooLarge;
        error
    })
}

fn is_form(parts: &Parts) -> bool {
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The answer to another method than POST.
pub async fn post_only() -> Response {
    not_allowed("POST", "This endpoint takes POST only.")
}

/// The answer to another method than GET and POST.
pub async fn get_or_post_only() -> Response {
    not_allowed("GET, HEAD, POST", "This endpoint takes GET and POST only.")
}

fn not_allowed(allowed: &'static str, description: &'static str) -> Response {
    let body = json!({ "error": "invalid_request", "error_description": description });
    let mut response = (StatusCode::METHOD_NOT_ALLOWED, Json(body)).into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    forbid_caching(&mut response);
    response
}
