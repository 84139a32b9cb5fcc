//! Set-up links: each lets a customer's administrator in once, to one teamspace. They are kept as digests.

use diesel::prelude::*;

use super::schema::{console_sessions, setup_links};
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;
use crate::text_enum::text_enum;

/// Links of one teamspace that are kept though they let nobody in any more. The audit log keeps the others.
const KEPT: i64 = 100;

text_enum! {
    /// How far a set-up link has come.
    LinkState {
        /// It lets somebody in.
        Open = "open",
        /// Somebody came in by it.
        Used = "used",
        /// It was revoked, and whoever came in by it is out.
        Revoked = "revoked",
        /// Its time is over, and nobody used it.
        Expired = "expired",
    }
}

/// A link to one teamspace.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = setup_links)]
pub struct SetupLink {
    /// Rises with the time at which links are made.
    pub id: String,
    pub digest: String,
    pub teamspace_id: String,
    /// The name of whoever made it.
    pub created_by: String,
    pub created_at: UnixSeconds,
    /// The time from which on it lets nobody in.
    pub expires_at: UnixSeconds,
    pub used_at: Option<UnixSeconds>,
    /// The address that it was used from; empty until then.
    pub used_from: String,
    pub revoked_at: Option<UnixSeconds>,
}

impl SetupLink {
    /// How far it has come.
    pub fn state(&self, now: UnixSeconds) -> LinkState {
        match (self.revoked_at, self.used_at) {
            (Some(_), _) => LinkState::Revoked,
            (None, Some(_)) => LinkState::Used,
            (None, None) if now >= self.expires_at => LinkState::Expired,
            (None, None) => LinkState::Open,
        }
    }
}

/// The condition that a link is open.
macro_rules! is_open {
    ($now:expr) => {
        setup_links::used_at
            .is_null()
            .and(setup_links::revoked_at.is_null())
            .and(setup_links::expires_at.gt($now))
    };
}

/// Adds one. The oldest that let nobody in any more go, with the sessions that they began.
pub fn insert(connection: &mut AnyConnection, link: &SetupLink) -> Result<(), StoreError> {
    let old: Vec<String> = setup_links::table
        .filter(setup_links::teamspace_id.eq(&link.teamspace_id))
        .filter(diesel::dsl::not(is_open!(link.created_at)))
        .order(setup_links::id.desc())
        .select(setup_links::id)
        .offset(KEPT)
        .limit(KEPT)
        .load(connection)?;
    for id in &old {
        end_sessions(connection, &link.teamspace_id, id)?;
    }
    diesel::delete(setup_links::table.filter(setup_links::id.eq_any(&old))).execute(connection)?;
    diesel::insert_into(setup_links::table).values(link).execute(connection)?;
    Ok(())
}

/// How many of a teamspace's links are open.
pub fn count_open(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    now: UnixSeconds,
) -> Result<i64, StoreError> {
    let open = setup_links::table.filter(setup_links::teamspace_id.eq(teamspace_id)).filter(is_open!(now));
    Ok(open.count().get_result(connection)?)
}

/// The links of a teamspace, oldest first.
pub fn of_teamspace(
    connection: &mut AnyConnection,
    teamspace_id: &str,
) -> Result<Vec<SetupLink>, StoreError> {
    Ok(setup_links::table
        .filter(setup_links::teamspace_id.eq(teamspace_id))
        .order(setup_links::id.asc())
        .select(SetupLink::as_select())
        .load(connection)?)
}

/// The id of a teamspace's newest link.
pub fn newest(connection: &mut AnyConnection, teamspace_id: &str) -> Result<Option<String>, StoreError> {
    Ok(setup_links::table
        .filter(setup_links::teamspace_id.eq(teamspace_id))
        .order(setup_links::id.desc())
        .select(setup_links::id)
        .first(connection)
        .optional()?)
}

/// Finds one of a teamspace.
pub fn find(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    id: &str,
) -> Result<Option<SetupLink>, StoreError> {
    Ok(setup_links::table
        .find(id)
        .filter(setup_links::teamspace_id.eq(teamspace_id))
        .select(SetupLink::as_select())
        .first(connection)
        .optional()?)
}

/// Uses an open link up, inside a transaction, and tells which it was. Of several who try at once one succeeds.
pub fn redeem(
    connection: &mut AnyConnection,
    digest: &str,
    now: UnixSeconds,
    from: &str,
) -> Result<Option<SetupLink>, StoreError> {
    let open = setup_links::table.filter(setup_links::digest.eq(digest)).filter(is_open!(now));
    let used = (setup_links::used_at.eq(now), setup_links::used_from.eq(from));
    if diesel::update(open).set(used).execute(connection)? == 0 {
        return Ok(None);
    }
    let redeemed = setup_links::table.filter(setup_links::digest.eq(digest));
    Ok(redeemed.select(SetupLink::as_select()).first(connection).optional()?)
}

/// Makes sure that a link stays unrevoked until the transaction ends; false when it was revoked or is gone.
pub fn hold(connection: &mut AnyConnection, id: &str) -> Result<bool, StoreError> {
    let link = setup_links::table.find(id).filter(setup_links::revoked_at.is_null());
    // An update takes the row's lock in both databases.
    let held = diesel::update(link).set(setup_links::id.eq(id)).execute(connection)?;
    Ok(held == 1)
}

/// Notes that a link is revoked, and ends the sessions that it began.
pub fn revoke(connection: &mut AnyConnection, link: &SetupLink) -> Result<(), StoreError> {
    let row = setup_links::table.find(&link.id);
    diesel::update(row).set(setup_links::revoked_at.eq(link.revoked_at)).execute(connection)?;
    end_sessions(connection, &link.teamspace_id, &link.id)
}

fn end_sessions(connection: &mut AnyConnection, teamspace_id: &str, link_id: &str) -> Result<(), StoreError> {
    let begun = console_sessions::table
        .filter(console_sessions::teamspace_id.eq(teamspace_id))
        .filter(console_sessions::link_id.eq(link_id));
    diesel::delete(begun).execute(connection)?;
    Ok(())
}
