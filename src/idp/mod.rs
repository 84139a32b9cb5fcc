//! Talks to enterprises' identity providers: their metadata, their keys, and the guarded HTTP client for everything
//! from outside.

pub mod address;
pub(crate) mod answer_date;
mod ask_issuer;
mod cached_document;
pub(crate) mod checks;
pub mod client_assertion;
mod client_document;
mod client_document_origins;
pub(crate) mod client_documents;
pub(crate) mod client_keys;
pub(crate) mod discovery;
pub mod fetch;
mod fetch_error;
pub(crate) mod issuer;
pub(crate) mod jwks;
pub(crate) mod jws;
pub mod key;
pub mod key_set;
pub(crate) mod trust;

/// A foreign text for a message: short, and in one line of printable ASCII.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(100).collect();
    format!("\"{}\"", cut.escape_default())
}
