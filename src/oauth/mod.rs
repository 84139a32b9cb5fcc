//! The protocol's words, without input and output: error codes and reasons, the token request, scopes, the names of
//! resources, strict JSON.

pub mod error;
pub mod json;
pub mod request;
pub mod resource;
pub mod scope;
