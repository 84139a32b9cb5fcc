//! The life of a token, in words.

use super::revocation_words::why_ended;
use super::words::date_and_time;
use crate::admin::token_life::TokenLife;

/// The life of a token, line by line.
pub(super) struct TokenLines {
    pub token_id: String,
    pub is_active: bool,
    pub issued: String,
    /// Empty when nobody asked about it yet.
    pub used: String,
    /// The first and the last time; empty when nobody asked about it yet.
    pub when_used: String,
    /// Why it was revoked, and when; none if it was not.
    pub ended: Option<(&'static str, String)>,
    pub expires: String,
}

impl TokenLines {
    pub(super) fn of(token: &TokenLife) -> Self {
        let (used, when_used) = match &token.uses {
            None => (String::new(), String::new()),
            Some(uses) => (
                format!(
                    "{} by introspection, {} by forward-auth",
                    times(uses.introspections),
                    times(uses.forward_auths)
                ),
                format!("{} to {}", date_and_time(uses.first_used_at), date_and_time(uses.last_used_at)),
            ),
        };
        Self {
            token_id: token.token_id.clone(),
            is_active: token.is_active,
            issued: date_and_time(token.issued_at),
            used,
            when_used,
            ended: token.revoked.map(|(at, cause)| (why_ended(cause), date_and_time(at))),
            expires: date_and_time(token.expires_by),
        }
    }
}

fn times(number: i64) -> String {
    match number {
        1 => "once".to_owned(),
        number => format!("{number} times"),
    }
}
