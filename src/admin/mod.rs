//! The work of administrators: each function checks who asks, makes the change with its audit row, and fails with an
//! [`AdminError`]. The JSON API and the commands only parse, call and render.

pub mod audit;
pub mod audit_export;
mod caller;
mod change;
mod check;
pub mod clients;
pub mod console;
pub mod database;
mod difference;
mod error;
pub mod export;
pub mod identity_provider;
pub mod keys;
pub mod members;
mod patch;
mod permission;
pub mod policies;
mod provider_form;
pub mod provider_status;
pub mod resources;
pub mod sessions;
pub mod setup_links;
pub mod shadow;
pub mod sign_in_detail;
pub mod sign_in_export;
pub mod sign_in_numbers;
pub mod sign_in_search;
pub mod sign_ins;
pub mod system;
pub mod teamspace_list;
pub mod teamspaces;
pub mod tokens;
mod validation;
mod view;
pub mod what_if;

pub use caller::{Admin, InTeamspace, Operator, Origin, Principal};
pub use error::{AdminError, IdentifierFault, ListFault, NotAcceptable};
pub use permission::{Permission, may};
pub use validation::Validation;
pub use view::as_json;
