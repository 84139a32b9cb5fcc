//! What administrators do: each function checks who asks, makes the change with its audit row, and fails with an
//! [`AdminError`]. The JSON API and the commands only parse, call and render.

mod caller;
mod change;
mod check;
mod difference;
mod error;
pub mod identity_provider;
pub mod patch;
pub mod teamspaces;
mod validation;

pub use caller::{Actor, Admin, InTeamspace, Operator};
pub use change::Change;
pub use check::{MAX_LIST, is_short_text, list, name, scopes};
pub use error::{AdminError, ListFault, NotAcceptable};
pub use validation::Validation;
