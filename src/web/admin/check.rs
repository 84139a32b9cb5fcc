//! What several nouns check alike.

use super::problem::Problem;
use crate::oauth::scope::is_never_granted;
use crate::oauth::scope::is_scope_token;

/// Longest name of anything, in characters.
const MAX_NAME: usize = 200;
/// Most entries of a list.
pub const MAX_LIST: usize = 1000;

/// A name for people, without the white space around it.
pub fn name(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    match is_short_text(name) {
        true => Ok(name.to_owned()),
        false => {
            let detail = format!("A name has 1 to {MAX_NAME} characters without control characters.");
            Err(Problem::invalid("name_invalid", detail))
        }
    }
}

/// Whether a text has 1 to 200 characters and none that could break a line of a log.
pub fn is_short_text(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Entries that are different from each other, not too many, and each good.
pub fn list(
    entries: &[String],
    is_good: impl Fn(&str) -> bool,
    code: &'static str,
    rule: &str,
) -> Result<(), Problem> {
    if entries.len() > MAX_LIST {
        return Err(Problem::invalid(code, format!("There are more than {MAX_LIST} entries.")));
    }
    for (index, entry) in entries.iter().enumerate() {
        let shown: String = entry.chars().take(MAX_NAME).collect();
        if !is_good(entry) {
            return Err(Problem::invalid(code, format!("{shown:?}: {rule}")));
        }
        if entries.iter().take(index).any(|earlier| earlier == entry) {
            return Err(Problem::invalid(code, format!("{shown:?} is listed twice.")));
        }
    }
    Ok(())
}

/// Scopes that a token may carry (RFC 6749 §3.3).
pub fn scopes(scopes: &[String]) -> Result<(), Problem> {
    let is_good = |scope: &str| scope.len() <= MAX_NAME && is_scope_token(scope) && !is_never_granted(scope);
    let rule = "a scope has 1 to 200 printable ASCII characters without space, quote and backslash; \
        openid and offline_access are never granted.";
    list(scopes, is_good, "scope_invalid", rule)
}
