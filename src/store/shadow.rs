//! Decisions that shadow sets would have made differently, and how many they were asked about.

use diesel::prelude::*;

use super::connection::on_either;
use super::schema::{shadow_differences, shadow_runs};
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;

/// Most differences that are kept; the oldest go.
pub const MAX_DIFFERENCES: i64 = 10_000;

/// Something that a shadow set would have decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = shadow_differences)]
pub struct ShadowDifference {
    /// The time of the decision.
    pub at: UnixSeconds,
    /// The identifier of the request that was decided.
    pub request_id: String,
    /// The teamspace that the request led to; none when it led to none.
    pub teamspace_id: Option<String>,
    /// Hash of the set that decided.
    pub policy_set: String,
    /// Hash of the set that would have decided otherwise.
    pub shadow_set: String,
    /// JSON: what was decided.
    pub actual: String,
    /// JSON: what would have been decided.
    pub shadow: String,
    /// JSON: the policies of each set whose answers differ.
    pub policies: String,
    /// JSON: the facts, as the decision log keeps them.
    pub facts: String,
}

/// The counts of a shadow set's answers to the decisions of another set.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = shadow_runs)]
pub struct Run {
    /// Hash of the set that was asked.
    pub shadow_set: String,
    /// Hash of the set that decided.
    pub policy_set: String,
    /// When the first decision was compared.
    pub since: UnixSeconds,
    /// When the last one was.
    pub until: UnixSeconds,
    /// Decisions that both sets made.
    pub evaluated: i64,
    /// Decisions that the two sets made differently.
    pub different: i64,
    /// Differences that were not recorded.
    pub dropped: i64,
}

/// Records differences, and adds to the runs' counts.
pub fn record(
    connection: &mut AnyConnection,
    differences: &[ShadowDifference],
    runs: &[Run],
) -> Result<(), StoreError> {
    for row in differences {
        diesel::insert_into(shadow_differences::table).values(row).execute(connection)?;
    }
    runs.iter().try_for_each(|run| add(connection, run))?;
    cap(connection)?;
    Ok(())
}

fn add(connection: &mut AnyConnection, run: &Run) -> QueryResult<()> {
    on_either!(connection, |c| diesel::insert_into(shadow_runs::table)
        .values(run)
        .on_conflict((shadow_runs::shadow_set, shadow_runs::policy_set))
        .do_update()
        .set((
            shadow_runs::until.eq(run.until),
            shadow_runs::evaluated.eq(shadow_runs::evaluated + run.evaluated),
            shadow_runs::different.eq(shadow_runs::different + run.different),
            shadow_runs::dropped.eq(shadow_runs::dropped + run.dropped),
        ))
        .execute(c)?);
    Ok(())
}

/// Ids rise and are never reused, so the newest one shows which are too old.
fn cap(connection: &mut AnyConnection) -> QueryResult<()> {
    let newest: Option<i64> =
        shadow_differences::table.select(diesel::dsl::max(shadow_differences::id)).first(connection)?;
    let surplus = shadow_differences::id.le(newest.unwrap_or_default() - MAX_DIFFERENCES);
    diesel::delete(shadow_differences::table.filter(surplus)).execute(connection)?;
    Ok(())
}

/// The runs of every shadow set, the latest first.
pub fn runs(connection: &mut AnyConnection) -> Result<Vec<Run>, StoreError> {
    Ok(shadow_runs::table
        .select(Run::as_select())
        .order((shadow_runs::until.desc(), shadow_runs::since.desc(), shadow_runs::policy_set.asc()))
        .load(connection)?)
}

/// The differences of a shadow set, newest first; of one teamspace or of all.
pub fn differences(
    connection: &mut AnyConnection,
    shadow_set: &str,
    teamspace_id: Option<&str>,
) -> Result<Vec<ShadowDifference>, StoreError> {
    let mut query =
        shadow_differences::table.filter(shadow_differences::shadow_set.eq(shadow_set)).into_boxed();
    if let Some(id) = teamspace_id {
        query = query.filter(shadow_differences::teamspace_id.eq(id));
    }
    Ok(query.select(ShadowDifference::as_select()).order(shadow_differences::id.desc()).load(connection)?)
}

/// Deletes everything about a shadow set; returns the number of deleted differences.
pub fn clear(connection: &mut AnyConnection, shadow_set: &str) -> QueryResult<usize> {
    diesel::delete(shadow_runs::table.filter(shadow_runs::shadow_set.eq(shadow_set))).execute(connection)?;
    diesel::delete(shadow_differences::table.filter(shadow_differences::shadow_set.eq(shadow_set)))
        .execute(connection)
}

/// Deletes what is older than the decision log.
pub(super) fn prune(connection: &mut AnyConnection, before: UnixSeconds) -> QueryResult<()> {
    diesel::delete(shadow_differences::table.filter(shadow_differences::at.lt(before)))
        .execute(connection)?;
    diesel::delete(shadow_runs::table.filter(shadow_runs::until.lt(before))).execute(connection)?;
    Ok(())
}
