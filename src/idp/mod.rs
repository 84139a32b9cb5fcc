//! Talking to the enterprise's identity provider: its metadata, its keys, and the guarded HTTP client
//! that everything from outside comes through.

pub mod address;
pub(crate) mod checks;
pub(crate) mod discovery;
pub mod fetch;
pub(crate) mod issuer;
pub(crate) mod jwks;
pub mod key;
pub mod key_set;

/// Another side's text in a message: short, and in one line of printable ASCII.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(100).collect();
    format!("\"{}\"", cut.escape_default())
}
