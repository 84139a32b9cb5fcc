//! The audit log: who changed what, with the values before and after.

use std::cmp::Reverse;

use diesel::prelude::*;

use super::schema::admin_events;
use super::{AnyConnection, Page, StoreError, WINDOW};
use crate::clock::{MAX_DIFFERENCE, UnixSeconds};
use crate::model::actor_kind::ActorKind;

/// An event to be written. Values are the API's own JSON and hold no secret.
#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = admin_events)]
pub struct NewAdminEvent {
    /// The time of the change, in seconds since 1970.
    pub at: UnixSeconds,
    /// The name of whoever made the change: a token's name, a person's email, or `command line`.
    pub actor: String,
    /// The kind of object and what was done to it, such as `member.invite`.
    pub action: String,
    /// The identifier of the object that was changed, of whatever kind `action` says.
    pub object: String,
    /// The teamspace that the object is of; none for clients, resources, signing keys and operators' tokens.
    pub teamspace_id: Option<String>,
    /// The identifier of the request, as in the service's log; empty for a command.
    pub request_id: String,
    /// JSON: the members that differ, as they were; none when the object is new.
    pub old_value: Option<String>,
    /// JSON: the members that differ, as they are now; none when the object is gone.
    pub new_value: Option<String>,
    /// How the actor came to make the change: by a token, a session or a command.
    pub actor_kind: ActorKind,
    /// The id of the actor's token, session or set-up link; empty for a command.
    pub actor_id: String,
    /// The address that the request came from; empty for a command.
    pub address: String,
}

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = admin_events)]
pub struct AdminEvent {
    /// Rises with each row; the cursor of the list.
    pub id: i64,
    /// The time of the change, in seconds since 1970.
    pub at: UnixSeconds,
    /// The name of whoever made the change: a token's name, a person's email, or `command line`.
    pub actor: String,
    /// The kind of object and what was done to it, such as `member.invite`.
    pub action: String,
    /// The identifier of the object that was changed, of whatever kind `action` says.
    pub object: String,
    /// The teamspace that the object is of; none for clients, resources, signing keys and operators' tokens.
    pub teamspace_id: Option<String>,
    /// The identifier of the request, as in the service's log; empty for a command.
    pub request_id: String,
    /// JSON: the members that differ, as they were; none when the object is new.
    pub old_value: Option<String>,
    /// JSON: the members that differ, as they are now; none when the object is gone.
    pub new_value: Option<String>,
    /// How the actor came to make the change: by a token, a session or a command.
    pub actor_kind: ActorKind,
    /// The id of the actor's token, session or set-up link; empty for a command.
    pub actor_id: String,
    /// The address that the request came from; empty for a command.
    pub address: String,
}

/// The filter of a list. Fields that are none do not narrow it.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// The ids of teamspaces.
    pub teamspaces: Option<Vec<String>>,
    /// The name of whoever made the change.
    pub actor: Option<String>,
    /// An action, or a kind of object for all of its actions: `member` stands for `member.invite` and the others.
    pub action: Option<String>,
    /// The identifier of one object.
    pub object: Option<String>,
    /// The first time.
    pub from: Option<UnixSeconds>,
    /// The time before which a row must have been written.
    pub to: Option<UnixSeconds>,
    /// Where the page begins, as given by the page before.
    pub cursor: Option<i64>,
}

type AuditStatement<'a> = admin_events::BoxedQuery<'a, <AnyConnection as diesel::Connection>::Backend>;

impl AuditFilter {
    /// The rows that fit, but for their place.
    fn query(&self) -> AuditStatement<'_> {
        let mut query = self.of_teamspaces();
        if let Some(actor) = &self.actor {
            query = query.filter(admin_events::actor.eq(actor));
        }
        if let Some(action) = &self.action {
            // The actions of a kind sort between its name with a dot, and its name with the character after a dot.
            let kind = (admin_events::action.gt(format!("{action}.")))
                .and(admin_events::action.lt(format!("{action}/")));
            query = query.filter(admin_events::action.eq(action).or(kind));
        }
        if let Some(object) = &self.object {
            query = query.filter(admin_events::object.eq(object));
        }
        if let Some(from) = self.from {
            query = query.filter(admin_events::at.ge(from));
        }
        if let Some(to) = self.to {
            query = query.filter(admin_events::at.lt(to));
        }
        query
    }

    /// The rows that an index leads to.
    fn of_teamspaces(&self) -> AuditStatement<'_> {
        let query = admin_events::table.into_boxed();
        match &self.teamspaces {
            Some(ids) => query.filter(admin_events::teamspace_id.eq_any(ids)),
            None => query,
        }
    }

    fn needs_looking(&self) -> bool {
        self.actor.is_some() || self.action.is_some() || self.object.is_some()
    }
}

/// Appends an event.
pub fn append(connection: &mut AnyConnection, event: &NewAdminEvent) -> QueryResult<()> {
    diesel::insert_into(admin_events::table).values(event).execute(connection)?;
    Ok(())
}

/// Lists a page of events, newest first. Where no index helps, a page reads at most [`WINDOW`] rows: it may be short
/// or empty although there is a next one.
pub fn list(
    connection: &mut AnyConnection,
    filter: &AuditFilter,
    limit: i64,
) -> Result<Page<AdminEvent>, StoreError> {
    match &filter.teamspaces {
        Some(ids) if ids.len() > 1 => list_of_several(connection, filter, ids, limit),
        _ => list_by_index(connection, filter, limit),
    }
}

/// The pages of several teamspaces in one: an index has the rows of each in order, and none those of all.
fn list_of_several(
    connection: &mut AnyConnection,
    filter: &AuditFilter,
    ids: &[String],
    limit: i64,
) -> Result<Page<AdminEvent>, StoreError> {
    let mut rows = Vec::new();
    // From here on all rows of all of them are known.
    let mut known_from = None;
    for id in ids {
        let own = AuditFilter { teamspaces: Some(vec![id.clone()]), ..filter.clone() };
        let page = list_by_index(connection, &own, limit)?;
        known_from = known_from.max(page.next_cursor.and_then(|cursor| cursor.parse::<i64>().ok()));
        rows.extend(page.items);
    }
    rows.sort_by_key(|row: &AdminEvent| Reverse(row.id));
    rows.retain(|row| known_from.is_none_or(|from| row.id >= from));
    let mut page = Page::of(rows, limit, |row| row.id.to_string());
    page.next_cursor = page.next_cursor.or_else(|| known_from.map(|from| from.to_string()));
    Ok(page)
}

fn list_by_index(
    connection: &mut AnyConnection,
    filter: &AuditFilter,
    limit: i64,
) -> Result<Page<AdminEvent>, StoreError> {
    let (first, before) = place(connection, filter)?;
    let end = if filter.needs_looking() { end_of_window(connection, filter, before)? } else { None };
    let end = end.filter(|end| *end > first);
    let rows = filter
        .query()
        .filter(admin_events::id.lt(before))
        .filter(admin_events::id.ge(end.unwrap_or(first)))
        .order(admin_events::id.desc())
        .limit(limit + 1)
        .select(AdminEvent::as_select())
        .load(connection)?;
    let mut page = Page::of(rows, limit, |row| row.id.to_string());
    page.next_cursor = page.next_cursor.or_else(|| end.map(|end| end.to_string()));
    Ok(page)
}

/// The last row that a page may read; none if there are fewer.
fn end_of_window(
    connection: &mut AnyConnection,
    filter: &AuditFilter,
    before: i64,
) -> Result<Option<i64>, StoreError> {
    let rows = filter.of_teamspaces().filter(admin_events::id.lt(before)).order(admin_events::id.desc());
    Ok(rows.select(admin_events::id).offset(WINDOW - 1).first(connection).optional()?)
}

/// The range of ids for the filter's times: the first id, and the one after the last. Times rise with ids, apart from
/// differences between replicas' clocks.
fn place(connection: &mut AnyConnection, filter: &AuditFilter) -> Result<(i64, i64), StoreError> {
    let first = match filter.from {
        Some(from) => first_since(connection, from.saturating_sub(MAX_DIFFERENCE))?,
        None => i64::MIN,
    };
    let end = match filter.to {
        Some(to) => first_since(connection, to.saturating_add(MAX_DIFFERENCE))?,
        None => i64::MAX,
    };
    Ok((first, end.min(filter.cursor.unwrap_or(i64::MAX))))
}

/// The id of the first row at or after `at`; the id after the last row if there is none. It is found in a few steps,
/// without an index on the time.
fn first_since(connection: &mut AnyConnection, at: UnixSeconds) -> Result<i64, StoreError> {
    use diesel::dsl::{max, min};
    // Asked for together, SQLite would look at all rows.
    let oldest: Option<i64> = admin_events::table.select(min(admin_events::id)).first(connection)?;
    let newest: Option<i64> = admin_events::table.select(max(admin_events::id)).first(connection)?;
    let (Some(mut low), Some(newest)) = (oldest, newest) else { return Ok(0) };
    let mut high = newest.saturating_add(1);
    while low < high {
        let middle = low + (high - low) / 2;
        let rows = admin_events::table.filter(admin_events::id.ge(middle)).order(admin_events::id.asc());
        let found = rows.select((admin_events::id, admin_events::at)).first::<(i64, UnixSeconds)>(connection);
        match found.optional()? {
            Some((id, time)) if time < at => low = id.saturating_add(1),
            _ => high = middle,
        }
    }
    Ok(low)
}
