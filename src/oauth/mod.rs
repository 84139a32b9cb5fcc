//! The protocol's words, without input and output: error codes and reasons, forms and credentials, the token request, scopes, the names of
//! resources, authorization details, strict JSON.

pub mod authorization_details;
pub mod check;
pub mod code;
pub(crate) mod credentials;
pub mod difference;
pub mod error;
pub mod form;
pub(crate) mod issuer_question;
pub mod json;
pub(crate) mod presented_token;
pub mod reason;
pub mod request;
pub mod resource;
pub mod scope;
pub mod step_up;
