//! The work of administrators: each function checks who asks, makes the change with its audit row, and fails with an
//! [`AdminError`]. The JSON API and the commands only parse, call and render.

pub(crate) mod audit;
pub(crate) mod audit_export;
mod caller;
mod change;
mod check;
pub(crate) mod clients;
pub mod console;
pub(crate) mod console_sign_in;
pub(crate) mod database;
mod difference;
mod error;
pub(crate) mod export;
pub(crate) mod identity_provider;
pub mod keys;
pub(crate) mod kill_switch;
pub(crate) mod members;
mod patch;
mod permission;
pub(crate) mod policies;
mod provider_form;
pub(crate) mod provider_status;
pub(crate) mod resource_credentials;
pub(crate) mod resources;
pub(crate) mod scim;
pub(crate) mod scim_tokens;
pub(crate) mod sessions;
pub(crate) mod setup_links;
pub(crate) mod shadow;
pub(crate) mod sign_in_detail;
pub(crate) mod sign_in_export;
pub(crate) mod sign_in_numbers;
pub(crate) mod sign_in_search;
pub(crate) mod sign_ins;
pub(crate) mod system;
pub(crate) mod teamspace_list;
pub(crate) mod teamspaces;
pub mod tokens;
mod validation;
mod view;
pub(crate) mod what_if;

pub use caller::{Admin, InTeamspace, Operator, Origin, Principal};
pub use error::{AdminError, IdentifierFault, KillTargetFault, ListFault, NotAcceptable};
pub use permission::{Permission, allowed, may};
pub use validation::Validation;
pub use view::as_json;
