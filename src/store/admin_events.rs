//! The audit log: who changed what, with the values before and after.

use diesel::prelude::*;

use super::schema::admin_events;
use super::{AnyConnection, Page, StoreError};
use crate::clock::UnixSeconds;

/// An event to be written. Values are the API's own JSON and hold no secret.
#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = admin_events)]
pub struct NewAdminEvent {
    pub at: UnixSeconds,
    pub actor: String,
    pub action: String,
    pub object: String,
    pub teamspace_id: Option<String>,
    pub request_id: String,
    pub old_value: Option<String>,
    pub new_value: Option<String>,
}

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = admin_events)]
pub struct AdminEvent {
    pub id: i64,
    pub at: UnixSeconds,
    pub actor: String,
    pub action: String,
    pub object: String,
    pub teamspace_id: Option<String>,
    pub request_id: String,
    pub old_value: Option<String>,
    pub new_value: Option<String>,
}

/// Appends an event.
pub fn append(connection: &mut AnyConnection, event: &NewAdminEvent) -> QueryResult<()> {
    diesel::insert_into(admin_events::table).values(event).execute(connection)?;
    Ok(())
}

/// A page of events before an id, newest first; of some teamspaces or of all.
pub fn list(
    connection: &mut AnyConnection,
    teamspace_ids: Option<&[String]>,
    before: i64,
    limit: i64,
) -> Result<Page<AdminEvent>, StoreError> {
    let mut query = admin_events::table.into_boxed();
    if let Some(ids) = teamspace_ids {
        query = query.filter(admin_events::teamspace_id.eq_any(ids));
    }
    let rows = query
        .filter(admin_events::id.lt(before))
        .order(admin_events::id.desc())
        .limit(limit + 1)
        .select(AdminEvent::as_select())
        .load(connection)?;
    Ok(Page::of(rows, limit, |row| row.id.to_string()))
}
