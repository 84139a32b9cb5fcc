//! The time at which another server answered, by its own clock.

use jiff::fmt::rfc2822;
use reqwest::header::{AGE, DATE, HeaderMap, HeaderName};

use crate::clock::UnixSeconds;

/// The `Date` of an answer (RFC 9110 §6.6.1). A cache keeps the first server's date and says its age (RFC 9111 §5.1).
pub fn answer_date(headers: &HeaderMap) -> Option<UnixSeconds> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let date = rfc2822::parse(text(DATE)?).ok()?.timestamp().as_second();
    let age: i64 = text(AGE).and_then(|age| age.trim().parse().ok()).unwrap_or_default();
    date.checked_add(age)
}
