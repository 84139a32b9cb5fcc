//! Request ids. They begin with the time, so a request's row is found in a decision log of any size without an index,
//! which would cost every sign-in a write.

use crate::clock::UnixSeconds;
use crate::random::token;

/// Hexadecimal digits of the time: enough until 2106.
const TIME: usize = 8;
/// Characters of a whole id.
const LENGTH: usize = TIME + 12;

/// A new id for a request that begins now.
pub fn new(now: UnixSeconds) -> String {
    format!("{now:0TIME$x}{}", token::<9>().unwrap_or_default())
}

/// Whether a text can be an id, of this version or of older ones, which used 16 random characters.
pub fn is_possible(text: &str) -> bool {
    let url_safe = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    [LENGTH, 16].contains(&text.len()) && text.bytes().all(url_safe)
}

/// The time at which a request began; none if the id does not show it.
pub fn began_at(id: &str) -> Option<UnixSeconds> {
    let is_lower_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    let time = id.get(..TIME).filter(|_| id.len() == LENGTH)?;
    time.bytes().all(is_lower_hex).then(|| UnixSeconds::from_str_radix(time, 16).ok())?
}
