//! Reads a request of an identity provider.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;

use crate::signals::SignalRefusal;
use crate::web::MAX_BODY;

/// The body, if it is of this media type and neither compressed nor too long.
pub(super) async fn body(parts: &Parts, body: Body, media_type: &str) -> Result<Bytes, SignalRefusal> {
    let malformed = |text: String| Err(SignalRefusal::Malformed(text));
    if parts.headers.contains_key(CONTENT_ENCODING) {
        return malformed("The body must not be compressed.".to_owned());
    }
    if !is_of(parts, media_type) {
        return malformed(format!("The body must be {media_type}."));
    }
    match to_bytes(body, MAX_BODY).await {
        Ok(bytes) => Ok(bytes),
        Err(_) => malformed(format!("The body is too large; at most {MAX_BODY} bytes are read.")),
    }
}

fn is_of(parts: &Parts, media_type: &str) -> bool {
    let mut values = parts.headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.to_str().ok().and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(media_type)
}
