//! Talking to the enterprise's identity provider: its metadata, its keys, and the guarded HTTP client
//! that everything from outside comes through.

pub mod address;
pub mod discovery;
pub mod fetch;
pub mod issuer;
pub mod jwks;
pub mod key;
