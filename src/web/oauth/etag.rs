//! Entity tags (RFC 9110 §8.8.3): digests of the content.

use axum::http::HeaderMap;
use axum::http::header::IF_NONE_MATCH;

use crate::random::digest;

/// The tag of a content.
pub fn of(content: &str) -> String {
    format!("\"{}\"", digest(content))
}

/// Whether the caller has the content with this tag.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag))
}
