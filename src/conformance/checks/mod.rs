//! The checks, a file for each chapter of the requirements.

pub mod access_token;
pub mod assertion;
pub mod client_authentication;
pub mod document_client;
pub mod dpop;
pub mod introspection;
pub mod key_client;
pub mod metadata;
pub mod published_keys;
pub mod replay;
pub mod resources_and_scopes;
pub mod revocation;
pub mod subject;
pub mod token_request;
