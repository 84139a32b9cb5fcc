//! Kill switches. Each process keeps all of them in memory, in the snapshot.

use diesel::prelude::*;

use super::row::row;
use super::schema::kill_switches;
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;
use crate::model::kill_switch::{KillScope, KillSwitch, KillSwitches};

row! {
    #[derive(Queryable, Selectable, Insertable)]
    #[diesel(table_name = kill_switches)]
    KillSwitchRow: KillSwitch {
        id: String,
        scope: KillScope,
        object: String,
        reason: String,
        created_by: String,
        created_at: UnixSeconds,
    }
}

/// All of them.
pub fn all(connection: &mut AnyConnection) -> Result<KillSwitches, StoreError> {
    let rows: Vec<KillSwitchRow> =
        kill_switches::table.select(KillSwitchRow::as_select()).load(connection)?;
    Ok(KillSwitches::new(rows.into_iter().map(KillSwitch::from).collect()))
}

/// The switch for an object.
pub fn of_object(
    connection: &mut AnyConnection,
    scope: KillScope,
    object: &str,
) -> Result<Option<KillSwitch>, StoreError> {
    let row: Option<KillSwitchRow> = kill_switches::table
        .filter(kill_switches::scope.eq(scope))
        .filter(kill_switches::object.eq(object))
        .select(KillSwitchRow::as_select())
        .first(connection)
        .optional()?;
    Ok(row.map(KillSwitch::from))
}

/// One by its id.
pub fn find(connection: &mut AnyConnection, id: &str) -> Result<Option<KillSwitch>, StoreError> {
    let row: Option<KillSwitchRow> =
        kill_switches::table.find(id).select(KillSwitchRow::as_select()).first(connection).optional()?;
    Ok(row.map(KillSwitch::from))
}

/// Adds one. A second one for the same object is a unique violation.
pub fn insert(connection: &mut AnyConnection, switch: &KillSwitch) -> QueryResult<usize> {
    diesel::insert_into(kill_switches::table).values(KillSwitchRow::from(switch)).execute(connection)
}

/// Removes one.
pub fn delete(connection: &mut AnyConnection, id: &str) -> QueryResult<usize> {
    diesel::delete(kill_switches::table.find(id)).execute(connection)
}
