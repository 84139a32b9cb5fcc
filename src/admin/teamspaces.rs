//! Teamspaces, the customers.

use super::error::AdminError;
use crate::model::teamspace::Teamspace;
use crate::store::{AnyConnection, teamspaces};

/// The teamspace that a request named, as it is now, inside a transaction. One that has another slug by now is not the
/// one that was meant.
pub fn find_named(connection: &mut AnyConnection, named: &Teamspace) -> Result<Teamspace, AdminError> {
    let found = find(connection, &named.id)?;
    if found.slug == named.slug { Ok(found) } else { Err(AdminError::NotFound) }
}

/// One teamspace as it is now, inside a transaction.
pub fn find(connection: &mut AnyConnection, id: &str) -> Result<Teamspace, AdminError> {
    teamspaces::find(connection, id)?.ok_or(AdminError::NotFound)
}
