//! The work of a teamspace's identity provider, by SCIM: people are added, changed, deactivated and removed.

mod caller;
mod error;
mod provisioned;
mod users;

pub use caller::ScimCaller;
pub use error::ScimError;
pub use provisioned::Provisioned;
pub use users::{create, find, list, patch, remove, replace};
