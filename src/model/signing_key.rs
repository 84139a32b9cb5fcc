//! Which signing key signs, and how long the others stay published.

use std::cmp::Ordering;

use crate::clock::UnixSeconds;

/// How long a new key is published before it signs: longer than verifiers keep a key set without asking.
pub const PUBLISH_AHEAD: i64 = 600;
/// How long a replaced key stays published: the longest token lifetime, and some clock difference.
pub const PUBLISH_AFTER: i64 = MAX_TOKEN_LIFETIME + 120;
/// The longest lifetime of an access token, in seconds.
pub const MAX_TOKEN_LIFETIME: i64 = 3600;

/// A key with the time from which on it signs. Lists of them stand latest first.
pub trait Scheduled {
    /// From when on it signs.
    fn signs_from(&self) -> UnixSeconds;
}

/// The place of a key in the order in which keys take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is published and does not sign yet.
    Next,
    /// It signs.
    Signs,
    /// Only tokens that it signed before are verified with it.
    Past,
}

/// The key that signs at a time: the latest one whose time has come.
pub fn active<K: Scheduled>(latest_first: &[K], now: UnixSeconds) -> Option<&K> {
    latest_first.iter().find(|key| key.signs_from() <= now)
}

/// The keys with their turns at a time.
pub fn turns<K: Scheduled>(latest_first: &[K], now: UnixSeconds) -> impl Iterator<Item = (&K, Turn)> {
    let next = latest_first.iter().take_while(|key| key.signs_from() > now).count();
    latest_first.iter().enumerate().map(move |(index, key)| {
        let turn = match index.cmp(&next) {
            Ordering::Less => Turn::Next,
            Ordering::Equal => Turn::Signs,
            Ordering::Greater => Turn::Past,
        };
        (key, turn)
    })
}

/// The keys to publish, and the retired ones: those whose successor has signed for so long that their last token has
/// expired.
pub fn split_retired<K: Scheduled>(latest_first: &[K], now: UnixSeconds) -> (&[K], &[K]) {
    let signs_for_long = |key: &K| key.signs_from() + PUBLISH_AFTER < now;
    let published = latest_first.iter().position(signs_for_long).map_or(latest_first.len(), |at| at + 1);
    latest_first.split_at(published)
}
