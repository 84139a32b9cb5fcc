//! How two texts that must be the same differ, where the difference is easily overlooked.

/// A small difference between two identifiers, told after "they differ only".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    #[error("by a trailing slash")]
    TrailingSlash,
    #[error("by http and https")]
    Scheme,
    #[error("in upper and lower case")]
    Case,
}

impl Difference {
    /// The one small difference between two texts; none when they are the same, or differ in more than that.
    pub fn between(one: &str, other: &str) -> Option<Self> {
        let without_scheme = |text: &str| match text.split_once("://") {
            Some(("http" | "https", rest)) => Some(rest.to_owned()),
            _ => None,
        };
        if one == other {
            None
        } else if one.trim_end_matches('/') == other.trim_end_matches('/') {
            Some(Self::TrailingSlash)
        } else if one.eq_ignore_ascii_case(other) {
            Some(Self::Case)
        } else if without_scheme(one).is_some_and(|rest| without_scheme(other) == Some(rest)) {
            Some(Self::Scheme)
        } else {
            None
        }
    }
}
