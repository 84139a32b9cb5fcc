//! Counts of the decision log, stored so that nobody has to count its rows. A reader of the log adds to them batch by
//! batch. It moves its position in the same transaction, so each row is counted once.

use std::collections::HashMap;

use diesel::prelude::*;

use super::connection::on_either;
use super::decision_body;
use super::log_streams::{self, Lease};
use super::schema::{
    identity_providers, last_assertions, member_exchanges, policy_counts, sign_in_counts, sign_ins,
};
use super::statement::{ConstSql, Statement};
use super::{AnyConnection, StoreError};
use crate::clock::{DAY, UnixSeconds};

/// The counter's name among the readers of the log. It has spaces, so no log stream can have it.
pub const READER: &str = "sign-in counts";
/// Replaces a teamspace's id: all requests together.
pub const EVERYWHERE: &str = "*";
/// Most rows that one step of pruning deletes.
const STEP: i64 = 250;

/// The part of a decision log row that is counted.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = sign_ins)]
pub struct CountedRow {
    /// The row's id, which tells how far the counting is.
    pub id: i64,
    /// The time of the request, in seconds since 1970.
    pub at: UnixSeconds,
    /// The teamspace that the request led to; none when it led to none.
    pub teamspace_id: Option<String>,
    /// `granted` or `refused`.
    pub outcome: String,
    /// The reason code of a refusal; empty when granted.
    pub reason: String,
    /// The identifier of the request, as in the service's log.
    pub request_id: String,
    /// The client that asked; empty where it did not prove who it is.
    pub client_id: String,
    /// The member who got a token; empty when refused.
    pub member_id: String,
    /// The key of the body of its decisions; empty when nothing was decided.
    pub grounds: String,
    /// How many more refusals the row stands for, beside its own.
    pub repeated: i64,
    /// The identity provider that the assertion led to; empty when it led to none.
    pub identity_provider_id: String,
}

/// The number of requests on one day with the same outcome.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, QueryableByName)]
#[diesel(table_name = sign_in_counts)]
pub struct DayCount {
    /// Empty for requests that led to no teamspace; [`EVERYWHERE`] for all.
    pub teamspace_id: String,
    /// When the day begins, in UTC.
    pub day: UnixSeconds,
    /// Empty for grants.
    pub reason: String,
    /// How many requests.
    pub number: i64,
}

/// The number of tokens that a client got for a member in a month.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = member_exchanges)]
pub struct MemberExchanges {
    /// Such as 202611.
    pub month: i64,
    /// The member who got the tokens.
    pub member_id: String,
    /// The client that asked for them.
    pub client_id: String,
    /// How many tokens.
    pub number: i64,
}

/// The last assertion of an identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = last_assertions)]
pub struct LastAssertion {
    /// The identity provider that issued it.
    pub identity_provider_id: String,
    /// The time of the request.
    pub at: UnixSeconds,
    /// Empty when it was granted.
    pub reason: String,
    /// The identifier of the request, by which its row is found.
    pub request_id: String,
    /// When one was granted last.
    pub granted_at: Option<UnixSeconds>,
}

/// How often a policy determined an answer on a day.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = policy_counts)]
pub struct PolicyCount {
    /// When the day begins, in UTC.
    pub day: UnixSeconds,
    /// The policy's `@id`, or its file and place where it has none.
    pub policy: String,
    /// How many requests it took part in allowing.
    pub allowed: i64,
    /// How many requests it took part in refusing.
    pub refused: i64,
}

/// The counts of a run of rows.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests by teamspace, day and reason.
    pub days: Vec<DayCount>,
    /// Tokens by member, client and month.
    pub members: Vec<MemberExchanges>,
    /// The newest assertion of each identity provider.
    pub providers: Vec<LastAssertion>,
    /// Answers by policy and day.
    pub policies: Vec<PolicyCount>,
}

/// Reads the rows after an id and up to another one, at most `limit`.
pub fn lines(
    connection: &mut AnyConnection,
    (after, to): (i64, i64),
    limit: i64,
) -> Result<Vec<CountedRow>, StoreError> {
    let rows = sign_ins::table.filter(sign_ins::id.gt(after)).filter(sign_ins::id.le(to));
    Ok(rows.order(sign_ins::id.asc()).limit(limit).select(CountedRow::as_select()).load(connection)?)
}

/// The decisions of stored bodies, as JSON, by the bodies' keys.
pub fn decisions(
    connection: &mut AnyConnection,
    keys: Vec<&str>,
) -> Result<HashMap<String, String>, StoreError> {
    let found = decision_body::find(connection, keys)?;
    Ok(found.into_iter().map(|(key, body)| (key, body.into_decisions())).collect())
}

/// Adds the counts of the rows after `from` and up to `to`, and moves the reader's position. False, and nothing is
/// written, if another process has counted them.
pub fn add(
    connection: &mut AnyConnection,
    (from, to): (i64, i64),
    lease: &Lease,
    counts: &Counts,
) -> Result<bool, StoreError> {
    if !log_streams::advance(connection, READER, (from, to), lease)? {
        return Ok(false);
    }
    counts.days.iter().try_for_each(|row| add_day(connection, row))?;
    counts.members.iter().try_for_each(|row| add_member(connection, row))?;
    counts.providers.iter().try_for_each(|row| put_provider(connection, row))?;
    counts.policies.iter().try_for_each(|row| add_policy(connection, row))?;
    Ok(true)
}

fn add_day(connection: &mut AnyConnection, row: &DayCount) -> QueryResult<()> {
    use sign_in_counts::{day, number, reason, teamspace_id};
    on_either!(connection, |c| diesel::insert_into(sign_in_counts::table)
        .values(row)
        .on_conflict((teamspace_id, day, reason))
        .do_update()
        .set(number.eq(number + row.number))
        .execute(c)?);
    Ok(())
}

fn add_member(connection: &mut AnyConnection, row: &MemberExchanges) -> QueryResult<()> {
    use member_exchanges::{client_id, member_id, month, number};
    on_either!(connection, |c| diesel::insert_into(member_exchanges::table)
        .values(row)
        .on_conflict((month, member_id, client_id))
        .do_update()
        .set(number.eq(number + row.number))
        .execute(c)?);
    Ok(())
}

fn add_policy(connection: &mut AnyConnection, row: &PolicyCount) -> QueryResult<()> {
    use policy_counts::{allowed, day, policy, refused};
    on_either!(connection, |c| diesel::insert_into(policy_counts::table)
        .values(row)
        .on_conflict((day, policy))
        .do_update()
        .set((allowed.eq(allowed + row.allowed), refused.eq(refused + row.refused)))
        .execute(c)?);
    Ok(())
}

/// Without a grant among the rows, the last known grant stays.
fn put_provider(connection: &mut AnyConnection, row: &LastAssertion) -> QueryResult<()> {
    use last_assertions::{at, granted_at, identity_provider_id, reason, request_id};
    on_either!(connection, |c| diesel::insert_into(last_assertions::table)
        .values(row)
        .on_conflict(identity_provider_id)
        .do_update()
        .set((at.eq(row.at), reason.eq(&row.reason), request_id.eq(&row.request_id)))
        .execute(c)?);
    if row.granted_at.is_some() {
        let own = last_assertions::table.find(&row.identity_provider_id);
        diesel::update(own).set(granted_at.eq(row.granted_at)).execute(connection)?;
    }
    Ok(())
}

struct ByDay;

impl ConstSql for ByDay {
    const TEXT: &'static str = "SELECT teamspace_id, hour - hour % 86400 AS day, reason, \
        CAST(SUM(number) AS BIGINT) AS number FROM sign_in_counts WHERE teamspace_id = ? AND hour >= ? \
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
}

/// A teamspace's counts since a time, the oldest first. The counts of [`EVERYWHERE`], or of requests that led to no
/// teamspace (an empty id), are found the same way. Versions before this one counted by the hour; their counts are
/// added up.
pub fn by_day(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    since: UnixSeconds,
) -> Result<Vec<DayCount>, StoreError> {
    Ok(Statement::<ByDay, 2>::new([teamspace_id.into(), since.into()]).all(connection)?)
}

/// The tokens that clients got for some members in a month.
pub fn of_members(
    connection: &mut AnyConnection,
    month: i64,
    member_ids: &[String],
) -> Result<Vec<MemberExchanges>, StoreError> {
    let rows = member_exchanges::table
        .filter(member_exchanges::month.eq(month))
        .filter(member_exchanges::member_id.eq_any(member_ids));
    Ok(rows.select(MemberExchanges::as_select()).load(connection)?)
}

/// The last assertions of some identity providers.
pub fn of_providers(
    connection: &mut AnyConnection,
    provider_ids: &[String],
) -> Result<Vec<LastAssertion>, StoreError> {
    let rows = last_assertions::table.filter(last_assertions::identity_provider_id.eq_any(provider_ids));
    Ok(rows.select(LastAssertion::as_select()).load(connection)?)
}

/// How often each policy decided on each day since a time.
pub fn of_policies(
    connection: &mut AnyConnection,
    since: UnixSeconds,
) -> Result<Vec<PolicyCount>, StoreError> {
    let rows = policy_counts::table.filter(policy_counts::day.ge(since));
    let order = (policy_counts::day.asc(), policy_counts::policy.asc());
    Ok(rows.order(order).select(PolicyCount::as_select()).load(connection)?)
}

/// Deletes the counts of a removed identity provider.
pub(super) fn forget_provider(connection: &mut AnyConnection, id: &str) -> QueryResult<()> {
    diesel::delete(last_assertions::table.find(id)).execute(connection)?;
    Ok(())
}

/// Deletes the last assertions of a removed teamspace's identity providers. Its counts are deleted along with the log
/// rows of their time.
pub(super) fn forget_teamspace(connection: &mut AnyConnection, id: &str) -> QueryResult<()> {
    let own = identity_providers::table.filter(identity_providers::teamspace_id.eq(id));
    let own: Vec<String> = own.select(identity_providers::id).load(connection)?;
    let last = last_assertions::table.filter(last_assertions::identity_provider_id.eq_any(own));
    diesel::delete(last).execute(connection)?;
    Ok(())
}

/// Deletes some of the counts of days that were over before a time, and of months before one; returns the most that were
/// deleted of one kind.
pub(super) fn prune(
    connection: &mut AnyConnection,
    (before, month): (UnixSeconds, i64),
) -> Result<usize, StoreError> {
    let today = before - before.rem_euclid(DAY);
    diesel::delete(policy_counts::table.filter(policy_counts::day.lt(today))).execute(connection)?;
    Ok(prune_days(connection, today)?.max(prune_months(connection, month)?))
}

fn prune_days(connection: &mut AnyConnection, before: UnixSeconds) -> QueryResult<usize> {
    use sign_in_counts::{day, table, teamspace_id};
    let oldest: Option<UnixSeconds> = table.select(diesel::dsl::min(day)).first(connection)?;
    let Some(oldest) = oldest.filter(|oldest| *oldest < before) else { return Ok(0) };
    let ids = table.filter(day.eq(oldest)).select(teamspace_id).limit(STEP);
    let ids: Vec<String> = ids.load(connection)?;
    diesel::delete(table.filter(day.eq(oldest)).filter(teamspace_id.eq_any(&ids))).execute(connection)?;
    Ok(ids.len())
}

fn prune_months(connection: &mut AnyConnection, before: i64) -> QueryResult<usize> {
    use member_exchanges::{member_id, month, table};
    let oldest: Option<i64> = table.select(diesel::dsl::min(month)).first(connection)?;
    let Some(oldest) = oldest.filter(|oldest| *oldest < before) else { return Ok(0) };
    let ids = table.filter(month.eq(oldest)).select(member_id).limit(STEP);
    let ids: Vec<String> = ids.load(connection)?;
    diesel::delete(table.filter(month.eq(oldest)).filter(member_id.eq_any(&ids))).execute(connection)?;
    Ok(ids.len())
}
