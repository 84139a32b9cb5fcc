//! Teamspaces, the customers: each with a plan, a member limit and its own email domains.

use std::collections::HashMap;

use diesel::dsl::max;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::schema::{email_domains, sign_ins, teamspaces};
use super::statement::{ConstSql, Statement};
use super::{AnyConnection, StoreError, sign_in_counts};
use crate::clock::UnixSeconds;
use crate::model::teamspace::{Plan, Teamspace};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = teamspaces)]
#[diesel(treat_none_as_null = true)]
struct TeamspaceRow {
    id: String,
    slug: String,
    name: String,
    plan: Plan,
    member_limit: Option<i64>,
    created_at: UnixSeconds,
    time_zone: String,
}

impl From<&Teamspace> for TeamspaceRow {
    fn from(t: &Teamspace) -> Self {
        Self {
            id: t.id.clone(),
            slug: t.slug.clone(),
            name: t.name.clone(),
            plan: t.plan,
            member_limit: t.member_limit,
            created_at: t.created_at,
            time_zone: t.time_zone.clone(),
        }
    }
}

impl TeamspaceRow {
    fn with(self, email_domains: Vec<String>) -> Teamspace {
        let Self { id, slug, name, plan, member_limit, created_at, time_zone } = self;
        Teamspace { id, slug, name, plan, member_limit, email_domains, time_zone, created_at }
    }
}

/// The next ones by slug, `limit` at the most.
pub fn after_slug(
    connection: &mut AnyConnection,
    slug: &str,
    limit: i64,
) -> Result<Vec<Teamspace>, StoreError> {
    let rows: Vec<TeamspaceRow> = teamspaces::table
        .filter(teamspaces::slug.gt(slug))
        .order(teamspaces::slug.asc())
        .limit(limit)
        .select(TeamspaceRow::as_select())
        .load(connection)?;
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let mut domains: HashMap<String, Vec<String>> = HashMap::new();
    for (domain, teamspace_id) in email_domains::table
        .filter(email_domains::teamspace_id.eq_any(ids))
        .select((email_domains::domain, email_domains::teamspace_id))
        .order(email_domains::domain.asc())
        .load::<(String, String)>(connection)?
    {
        domains.entry(teamspace_id).or_default().push(domain);
    }
    let with_domains = |row: TeamspaceRow| {
        let own = domains.remove(&row.id).unwrap_or_default();
        row.with(own)
    };
    Ok(rows.into_iter().map(with_domains).collect())
}

/// Adds a teamspace. A taken slug or domain is a unique violation.
pub fn insert(connection: &mut AnyConnection, teamspace: &Teamspace) -> QueryResult<()> {
    diesel::insert_into(teamspaces::table).values(TeamspaceRow::from(teamspace)).execute(connection)?;
    insert_domains(connection, teamspace)
}

/// Replaces one's properties; the id stays.
pub fn update(connection: &mut AnyConnection, teamspace: &Teamspace) -> QueryResult<()> {
    diesel::update(teamspaces::table.filter(teamspaces::id.eq(&teamspace.id)))
        .set(TeamspaceRow::from(teamspace))
        .execute(connection)?;
    diesel::delete(email_domains::table.filter(email_domains::teamspace_id.eq(&teamspace.id)))
        .execute(connection)?;
    insert_domains(connection, teamspace)
}

/// Removes a teamspace with its members and identity providers; its decision log stays.
pub fn delete(connection: &mut AnyConnection, id: &str) -> QueryResult<usize> {
    sign_in_counts::forget_teamspace(connection, id)?;
    diesel::delete(teamspaces::table.filter(teamspaces::id.eq(id))).execute(connection)
}

/// How many seats a teamspace's members take.
pub fn seats_used(connection: &mut AnyConnection, id: &str) -> Result<i64, StoreError> {
    let found: Option<SeatsRow> = Statement::<CountSeats, 1>::new([id.into()]).find(connection)?;
    Ok(found.map_or(0, |seats| seats.seats_used))
}

struct CountSeats;

impl ConstSql for CountSeats {
    const TEXT: &'static str = "SELECT seats_used FROM teamspaces WHERE id = ?";
}

#[derive(QueryableByName)]
struct SeatsRow {
    #[diesel(sql_type = BigInt)]
    seats_used: i64,
}

/// The SQL form of [`is_seat_free`](crate::model::seats::is_seat_free).
macro_rules! is_seat_free {
    () => {
        "(member_limit IS NULL OR member_limit > seats_used)"
    };
}

struct TakeSeat;

impl ConstSql for TakeSeat {
    const TEXT: &'static str =
        concat!("UPDATE teamspaces SET seats_used = seats_used + 1 WHERE id = ? AND ", is_seat_free!());
}

struct TakeNextSeat;

impl ConstSql for TakeNextSeat {
    const TEXT: &'static str = concat!(
        "UPDATE teamspaces SET seats_used = seats_used + 1 WHERE id = ? AND seats_used = ? AND ",
        is_seat_free!()
    );
}

/// Takes a seat if one is free and, where it matters, if as many are taken as were counted. Returns whether it did.
/// Several attempts at once never take more seats than there are.
pub(super) fn take_seat(connection: &mut AnyConnection, id: &str, counted: Option<i64>) -> QueryResult<bool> {
    let taken = match counted {
        None => Statement::<TakeSeat, 1>::new([id.into()]).run(connection)?,
        Some(counted) => Statement::<TakeNextSeat, 2>::new([id.into(), counted.into()]).run(connection)?,
    };
    Ok(taken == 1)
}

/// Adds to the number of taken seats; a negative number frees seats.
pub(super) fn change_seats(connection: &mut AnyConnection, id: &str, by: i64) -> QueryResult<()> {
    if by != 0 {
        diesel::update(teamspaces::table.filter(teamspaces::id.eq(id)))
            .set(teamspaces::seats_used.eq(teamspaces::seats_used + by))
            .execute(connection)?;
    }
    Ok(())
}

/// One by its id, with its email domains.
pub fn find(connection: &mut AnyConnection, id: &str) -> Result<Option<Teamspace>, StoreError> {
    let row: Option<TeamspaceRow> =
        teamspaces::table.find(id).select(TeamspaceRow::as_select()).first(connection).optional()?;
    let domains = email_domains::table
        .filter(email_domains::teamspace_id.eq(id))
        .order(email_domains::domain.asc())
        .select(email_domains::domain)
        .load(connection)?;
    Ok(row.map(|row| row.with(domains)))
}

fn insert_domains(connection: &mut AnyConnection, teamspace: &Teamspace) -> QueryResult<()> {
    for domain in &teamspace.email_domains {
        diesel::insert_into(email_domains::table)
            .values((email_domains::domain.eq(domain), email_domains::teamspace_id.eq(&teamspace.id)))
            .execute(connection)?;
    }
    Ok(())
}

/// The id of the teamspace that has a slug.
pub fn holder_of_slug(connection: &mut AnyConnection, slug: &str) -> Result<Option<String>, StoreError> {
    let held = teamspaces::table.filter(teamspaces::slug.eq(slug)).select(teamspaces::id);
    Ok(held.first(connection).optional()?)
}

/// Those of the given domains that a teamspace has, in order, each with the teamspace's id.
pub fn holders_of_domains(
    connection: &mut AnyConnection,
    domains: &[String],
) -> Result<Vec<(String, String)>, StoreError> {
    Ok(email_domains::table
        .filter(email_domains::domain.eq_any(domains))
        .order(email_domains::domain.asc())
        .select((email_domains::domain, email_domains::teamspace_id))
        .load(connection)?)
}

/// The given slugs that some teamspace has.
pub fn known_slugs(connection: &mut AnyConnection, slugs: &[String]) -> Result<Vec<String>, StoreError> {
    let known = teamspaces::table.filter(teamspaces::slug.eq_any(slugs)).select(teamspaces::slug);
    Ok(known.load(connection)?)
}

/// How a teamspace is used.
#[derive(Debug, Clone)]
pub struct Usage {
    /// The identifier of the teamspace.
    pub teamspace_id: String,
    /// Active and invited members.
    pub seats_used: i64,
    /// The newest row of the decision log; none when there is none.
    pub last: Option<LastSignIn>,
}

/// The last sign-in of a teamspace, granted or refused.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = sign_ins)]
pub struct LastSignIn {
    /// The row's id in the decision log.
    pub id: i64,
    /// The time of the request.
    pub at: UnixSeconds,
    /// The reason for the refusal; empty if it was granted.
    pub reason: String,
    /// The `iss` of the assertion, whether it was verified or not.
    pub issuer: String,
    /// The identity provider that the assertion led to; empty if its signature was not verified.
    pub identity_provider_id: String,
}

/// The usage of some teamspaces. The index on teamspace and id leads to the last sign-in of each.
pub fn usage(connection: &mut AnyConnection, ids: &[String]) -> Result<Vec<Usage>, StoreError> {
    let own = sign_ins::table.filter(sign_ins::teamspace_id.eq(teamspaces::id.nullable()));
    let last = own.select(max(sign_ins::id)).single_value();
    let rows: Vec<(String, i64, Option<i64>)> = teamspaces::table
        .filter(teamspaces::id.eq_any(ids))
        .select((teamspaces::id, teamspaces::seats_used, last))
        .load(connection)?;
    let last_ids: Vec<i64> = rows.iter().filter_map(|(_, _, last)| *last).collect();
    let found = sign_ins::table.filter(sign_ins::id.eq_any(last_ids)).select(LastSignIn::as_select());
    let found: Vec<LastSignIn> = found.load(connection)?;
    let mut sign_ins: HashMap<i64, LastSignIn> = found.into_iter().map(|last| (last.id, last)).collect();
    let usage = |(teamspace_id, seats_used, last): (String, i64, Option<i64>)| {
        let last = last.and_then(|id| sign_ins.remove(&id));
        Usage { teamspace_id, seats_used, last }
    };
    Ok(rows.into_iter().map(usage).collect())
}
