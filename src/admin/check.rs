//! Rules that several nouns share.

use super::error::AdminError;
use super::fault::ListFault;
use crate::oauth::scope::is_never_granted;
use crate::oauth::scope::is_scope_token;

/// Longest name of anything, in characters.
const MAX_NAME: usize = 200;
/// Most entries of a list.
pub const MAX_LIST: usize = 1000;

/// A name for people, without the white space around it.
pub fn name(text: &str) -> Result<String, AdminError> {
    let name = text.trim();
    if is_short_text(name) { Ok(name.to_owned()) } else { Err(AdminError::NameInvalid) }
}

/// The id of a client or of credentials. A URL as an id would point at a client metadata document, which has another
/// owner.
pub fn client_id(id: String) -> Result<String, AdminError> {
    let is_url = id.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"));
    if id.len() <= MAX_NAME && is_printable(&id) && !is_url {
        Ok(id)
    } else {
        Err(AdminError::ClientIdInvalid)
    }
}

/// Whether a text is printable ASCII without space, and not empty.
pub fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a text has 1 to 200 characters, none of which could break a log line.
pub fn is_short_text(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Refuses a list with a bad or repeated entry, or with too many. `rule` describes a good entry.
pub fn list(entries: &[String], is_good: impl Fn(&str) -> bool, rule: &'static str) -> Result<(), ListFault> {
    if entries.len() > MAX_LIST {
        return Err(ListFault::TooMany);
    }
    for (index, entry) in entries.iter().enumerate() {
        let shown = || entry.chars().take(MAX_NAME).collect();
        if !is_good(entry) {
            return Err(ListFault::Entry { shown: shown(), rule });
        }
        if entries.iter().take(index).any(|earlier| earlier == entry) {
            return Err(ListFault::Twice { shown: shown() });
        }
    }
    Ok(())
}

/// Refuses scopes that no token may carry (RFC 6749 §3.3).
pub fn scopes(scopes: &[String]) -> Result<(), AdminError> {
    let is_good = |scope: &str| scope.len() <= MAX_NAME && is_scope_token(scope) && !is_never_granted(scope);
    let rule = "a scope has 1 to 200 printable ASCII characters without space, quote and backslash; \
        openid and offline_access are never granted.";
    list(scopes, is_good, rule).map_err(AdminError::ScopeInvalid)
}
