//! The protocol's words, without input and output: error codes and reasons, the token request, scopes, the names of
//! resources, strict JSON.

pub mod code;
pub(crate) mod difference;
pub mod error;
pub mod json;
pub mod reason;
pub mod request;
pub mod resource;
pub mod scope;
