//! Paths of the admin API, from ids that users write.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

use super::problem::ApiProblem;

/// Characters that stand for themselves in a path (RFC 3986 §2.3); all others are encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path of these parts, each of which may hold any character. Parts that would lead elsewhere are refused: clients
/// and proxies take `.` and `..` as steps.
pub(in crate::cli) fn api_path(parts: &[&str]) -> Result<String, ApiProblem> {
    let mut path = String::new();
    for part in parts {
        if matches!(*part, "" | "." | "..") {
            return Err(ApiProblem::NotAnId((*part).to_owned()));
        }
        path.push('/');
        path.extend(utf8_percent_encode(part, ENCODED));
    }
    Ok(path)
}

/// A path with parameters, added to those that it has.
pub(in crate::cli) fn with_query<'a>(
    path: &str,
    query: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let added = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    match (added.is_empty(), path.contains('?')) {
        (true, _) => path.to_owned(),
        (false, true) => format!("{path}&{added}"),
        (false, false) => format!("{path}?{added}"),
    }
}
