//! Answers to signals that are not acted on.

use std::error::Error as _;

use axum::Json;
use axum::http::header::{ALLOW, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::signals::SignalRefusal;
use crate::web::error::{Cause, forbid_caching};

/// When a sender may try again after an outage, in seconds.
const OUTAGE: u64 = 5;

/// The status, the error code and the text of a refusal that every protocol answers alike.
pub(super) fn in_common(refusal: &SignalRefusal) -> (StatusCode, &'static str, &str) {
    match refusal {
        SignalRefusal::Malformed(text) => (StatusCode::BAD_REQUEST, "invalid_request", text),
        SignalRefusal::Limited(_) => {
            (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", "Too many requests; try again later.")
        }
        SignalRefusal::Unavailable(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "Temporarily unavailable; try again later.",
        ),
        SignalRefusal::Unauthenticated(_)
        | SignalRefusal::Audience
        | SignalRefusal::Forbidden
        | SignalRefusal::UnknownUser
        | SignalRefusal::Ambiguous
        | SignalRefusal::Repeated => {
            (StatusCode::BAD_REQUEST, "invalid_request", "The token was not accepted.")
        }
    }
}

/// The body of an OAuth error (RFC 6749 §5.2).
pub(super) fn oauth_body(error: &str, text: &str) -> Value {
    json!({ "error": error, "error_description": text })
}

/// An answer with the cause for the log.
pub(super) fn refused(status: StatusCode, body: Value, refusal: &SignalRefusal) -> Response {
    let mut response = (status, Json(body)).into_response();
    forbid_caching(&mut response);
    let retry_after = match refusal {
        SignalRefusal::Limited(limited) => Some(limited.retry_after),
        SignalRefusal::Unavailable(_) => Some(OUTAGE),
        _ => None,
    };
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response.extensions_mut().insert(Cause(described(refusal)));
    response
}

/// The refusal and the chain of causes.
fn described(refusal: &SignalRefusal) -> String {
    let mut text = refusal.to_string();
    let mut source = refusal.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Refuses every method but POST.
pub(super) async fn method_not_allowed() -> Response {
    only_post(oauth_body("invalid_request", "This endpoint takes POST only."))
}

/// The answer to another method than POST.
pub(super) fn only_post(body: Value) -> Response {
    let mut response = (StatusCode::METHOD_NOT_ALLOWED, Json(body)).into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    forbid_caching(&mut response);
    response
}
