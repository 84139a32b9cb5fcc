//! The only place where an error becomes a response.

use std::any::Any;
use std::error::Error as _;

use axum::Json;
use axum::http::header::{CACHE_CONTROL, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::oauth::error::{ErrorCode, Reason, TokenError};

/// Why a request failed, for the log line. It travels with the response and never leaves the process.
#[derive(Clone)]
pub struct Cause(pub String);

impl IntoResponse for TokenError {
    fn into_response(self) -> Response {
        let (error, status) = self.code.wire();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut body = json!({ "error": error, "error_description": printable(&self.description) });
        // STP-01: the members of draft §9.2.
        if let (Some(step_up), Some(members)) = (&self.step_up, body.as_object_mut()) {
            members.extend(step_up.acr_values.as_deref().map(|values| ("acr_values".into(), json!(values))));
            members.extend(step_up.max_age.map(|seconds| ("max_age".into(), json!(seconds))));
        }
        let mut response = (status, Json(body)).into_response();
        forbid_caching(&mut response);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == ErrorCode::InvalidClient {
            // RFC 6749 §5.2 requires it if the header was used; otherwise it does no harm.
            let challenge = HeaderValue::from_static("Basic realm=\"token\", charset=\"UTF-8\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(Cause(described(&self)));
        response
    }
}

/// The reason and the chain of causes.
fn described(error: &TokenError) -> String {
    let mut text = error.reason.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// RFC 6749 §5.2 allows only printable ASCII without `"` and `\`; a policy's message may contain other characters.
fn printable(text: &str) -> String {
    let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    text.chars().map(|c| if allowed(c) { c } else { '\'' }).collect()
}

/// RFC 6749 §5.1
pub fn forbid_caching(response: &mut Response) {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
}

/// Nothing stands at this path.
pub async fn not_found() -> Response {
    let mut response = (
        StatusCode::NOT_FOUND,
        Json(json!({ "error": "not_found", "error_description": "Nothing is served here." })),
    )
        .into_response();
    forbid_caching(&mut response);
    response
}

/// A defect: the process goes on, and the caller gets a plain answer.
pub fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    tracing::error!(panic = text, "a request panicked");
    TokenError::new(ErrorCode::ServerError, Reason::INTERNAL, "Internal error.").into_response()
}
