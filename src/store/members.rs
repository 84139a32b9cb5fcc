//! Members, and the subjects that are bound to them.

use std::collections::HashMap;

use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use super::row::row;
use super::schema::{identities, members, scim_users};
use super::statement::{ConstSql, Statement};
use super::{AnyConnection, Page, StoreError, WINDOW, teamspaces};
use crate::clock::UnixSeconds;
use crate::model::console_user::Membership;
use crate::model::member::{Member, Role, Status};
use crate::model::member_link::MemberLink;
use crate::model::seats::seats_taken;

/// A subject, unique inside (issuer, tenant); the tenant is empty when the assertion names none.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = identities)]
pub struct Identity {
    /// The teamspace that the binding is for.
    pub teamspace_id: String,
    /// The `iss` of the assertions.
    pub issuer: String,
    /// The `tenant` of the assertions; empty where they name none.
    pub tenant: String,
    /// The `sub` of the assertions.
    pub subject: String,
    /// The member whom the subject is.
    pub member_id: String,
}

row! {
    #[derive(Queryable, QueryableByName, Selectable, Insertable, AsChangeset)]
    #[diesel(table_name = members)]
    #[diesel(treat_none_as_null = true)]
    MemberRow: Member {
        id: String,
        teamspace_id: String,
        email: String,
        role: Role,
        status: Status,
        provisioned_by: String,
        created_at: UnixSeconds,
        last_sign_in_at: Option<UnixSeconds>,
        sessions_ended_at: Option<UnixSeconds>,
        first_sign_in_at: Option<UnixSeconds>,
        link: Option<MemberLink>,
    }
}

/// The member to whom a subject is bound.
struct FindBound;

impl ConstSql for FindBound {
    const TEXT: &'static str = "SELECT m.id, m.teamspace_id, m.email, m.role, m.status, m.provisioned_by, \
        m.created_at, m.last_sign_in_at, m.sessions_ended_at, m.first_sign_in_at, m.link FROM identities i \
        JOIN members m ON m.id = i.member_id WHERE i.teamspace_id = ? AND i.issuer = ? AND i.tenant = ? AND i.subject = ?";
}

struct FindByEmail;

impl ConstSql for FindByEmail {
    const TEXT: &'static str = "SELECT id, teamspace_id, email, role, status, provisioned_by, created_at, \
        last_sign_in_at, sessions_ended_at, first_sign_in_at, link FROM members WHERE teamspace_id = ? AND email = ?";
}

struct FindByLink;

impl ConstSql for FindByLink {
    const TEXT: &'static str = "SELECT id, teamspace_id, email, role, status, provisioned_by, created_at, \
        last_sign_in_at, sessions_ended_at, first_sign_in_at, link FROM members WHERE teamspace_id = ? AND link = ?";
}

/// The member of a teamspace whom an identity provider knows by a value.
pub fn find_by_link(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    link: &MemberLink,
) -> Result<Option<Member>, StoreError> {
    let found: Option<MemberRow> =
        Statement::<FindByLink, 2>::new([teamspace_id.into(), link.key().into()]).find(connection)?;
    Ok(found.map(Member::from))
}

/// Takes a value away from a removed member, so that another one can have it.
pub fn free_link(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    link: &MemberLink,
) -> Result<(), StoreError> {
    let removed = members::table
        .filter(members::teamspace_id.eq(teamspace_id))
        .filter(members::link.eq(link))
        .filter(members::status.eq(Status::Removed));
    diesel::update(removed).set(members::link.eq(None::<MemberLink>)).execute(connection)?;
    Ok(())
}

/// The member of a teamspace to whom a subject is bound.
pub fn find_bound(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    [issuer, tenant, subject]: [&str; 3],
) -> Result<Option<Member>, StoreError> {
    let key = [teamspace_id, issuer, tenant, subject].map(Into::into);
    let found: Option<MemberRow> = Statement::<FindBound, 4>::new(key).find(connection)?;
    Ok(found.map(Member::from))
}

/// One member of a teamspace, by id.
pub fn find(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    id: &str,
) -> Result<Option<Member>, StoreError> {
    let found = members::table
        .filter(members::teamspace_id.eq(teamspace_id))
        .filter(members::id.eq(id))
        .select(MemberRow::as_select())
        .get_result(connection);
    Ok(found.optional()?.map(Member::from))
}

/// Finds a member of a teamspace by lower-case email.
pub fn find_by_email(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    email: &str,
) -> Result<Option<Member>, StoreError> {
    let found: Option<MemberRow> =
        Statement::<FindByEmail, 2>::new([teamspace_id.into(), email.into()]).find(connection)?;
    Ok(found.map(Member::from))
}

/// Those of some members of a teamspace, by their ids.
pub fn by_ids(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    ids: &[&str],
) -> Result<HashMap<String, Member>, StoreError> {
    let own = members::table.filter(members::teamspace_id.eq(teamspace_id)).filter(members::id.eq_any(ids));
    let rows: Vec<MemberRow> = own.select(MemberRow::as_select()).load(connection)?;
    Ok(rows.into_iter().map(Member::from).map(|member| (member.id.clone(), member)).collect())
}

/// Finds the memberships of a person by their address in lower case: one for each teamspace where they are an active
/// member, up to a limit.
pub fn places_of(
    connection: &mut AnyConnection,
    email: &str,
    limit: i64,
) -> Result<Vec<Membership>, StoreError> {
    let active = members::table.filter(members::email.eq(email)).filter(members::status.eq(Status::Active));
    let places = active.order(members::teamspace_id.asc()).limit(limit);
    let found: Vec<(String, Role)> =
        places.select((members::teamspace_id, members::role)).load(connection)?;
    Ok(found.into_iter().map(|(teamspace_id, role)| Membership { teamspace_id, role }).collect())
}

/// Lists a page of a teamspace's members whose emails begin with a text, which is in lower case, with their identities,
/// by email. Removed members are left out, so a page may be short although there is a next one.
pub fn search(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    prefix: &str,
    (limit, after_email): (i64, Option<&str>),
) -> Result<Page<(Member, Vec<Identity>)>, StoreError> {
    let past = format!("{prefix}\u{10FFFF}");
    // One bound at each end: of two, SQLite goes by the first, however far it is from the other one.
    let from_here = || {
        let own = members::table.filter(members::teamspace_id.eq(teamspace_id)).into_boxed();
        let own = own.order(members::email.asc());
        match after_email.filter(|after| *after >= prefix) {
            Some(after) => own.filter(members::email.gt(after)),
            None => own.filter(members::email.ge(prefix)),
        }
    };
    let all = from_here().filter(members::email.lt(&past)).select(members::email);
    let end: Option<String> = all.offset(WINDOW - 1).first(connection).optional()?;
    let listed = match &end {
        Some(end) => from_here().filter(members::email.le(end)),
        None => from_here().filter(members::email.lt(&past)),
    };
    let listed = listed.filter(members::status.ne(Status::Removed));
    let rows: Vec<MemberRow> = listed.limit(limit + 1).select(MemberRow::as_select()).load(connection)?;
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut identities: HashMap<String, Vec<Identity>> = HashMap::new();
    for identity in identities_of(connection, &ids)? {
        identities.entry(identity.member_id.clone()).or_default().push(identity);
    }
    let items = rows
        .into_iter()
        .map(|row| {
            let own = identities.remove(&row.id).unwrap_or_default();
            (Member::from(row), own)
        })
        .collect();
    let mut page = Page::of(items, limit, |(member, _)| member.email.clone());
    page.next_cursor = page.next_cursor.or(end);
    Ok(page)
}

/// Whether any subject is bound to a member of a teamspace. Only a granted exchange does that.
pub fn is_any_bound(connection: &mut AnyConnection, teamspace_id: &str) -> Result<bool, StoreError> {
    let bound = identities::table.filter(identities::teamspace_id.eq(teamspace_id));
    let found: Option<String> = bound.select(identities::member_id).first(connection).optional()?;
    Ok(found.is_some())
}

/// The identities bound to these members, by issuer and subject.
pub fn identities_of(
    connection: &mut AnyConnection,
    member_ids: &[String],
) -> Result<Vec<Identity>, StoreError> {
    let bound = identities::table.filter(identities::member_id.eq_any(member_ids));
    let mut found: Vec<Identity> = bound.select(Identity::as_select()).load(connection)?;
    // They are few, and no index has them in this order.
    found.sort_by(|one, other| (&one.issuer, &one.subject).cmp(&(&other.issuer, &other.subject)));
    Ok(found)
}

/// Adds a member, and counts the seat. An email that the teamspace already has is a unique violation.
pub fn insert(connection: &mut AnyConnection, member: &Member) -> QueryResult<()> {
    teamspaces::change_seats(connection, &member.teamspace_id, seats_taken(None, member.status))?;
    diesel::insert_into(members::table).values(MemberRow::from(member)).execute(connection)?;
    Ok(())
}

/// Adds a member who is bound to subjects and takes a seat. False, and nothing is added, if no seat is free, if the
/// number of taken seats is not the one counted, or if somebody already has the email or one of the subjects.
///
/// The teamspace is locked before the member, as everywhere. Statements undo what was begun, not a savepoint: SQLite
/// copies each page that changes inside one, and undoing is rarely needed.
pub(super) fn provision(
    connection: &mut AnyConnection,
    member: &Member,
    identities: &[Identity],
    counted: Option<i64>,
) -> QueryResult<bool> {
    if !teamspaces::take_seat(connection, &member.teamspace_id, counted)? {
        return Ok(false);
    }
    if add(connection, member)? {
        let mut is_bound = true;
        for identity in identities {
            is_bound = is_bound && bind_unbound(connection, identity)?;
        }
        if is_bound {
            return Ok(true);
        }
        // With the member go the subjects that were bound to them.
        diesel::delete(members::table.filter(members::id.eq(&member.id))).execute(connection)?;
    }
    teamspaces::change_seats(connection, &member.teamspace_id, -1)?;
    Ok(false)
}

struct Add;

impl ConstSql for Add {
    const TEXT: &'static str = "INSERT INTO members (id, teamspace_id, email, role, status, provisioned_by, \
        created_at, last_sign_in_at, sessions_ended_at, first_sign_in_at, link) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
        ON CONFLICT DO NOTHING";
}

fn add(connection: &mut AnyConnection, member: &Member) -> QueryResult<bool> {
    let values = [
        (&member.id).into(),
        (&member.teamspace_id).into(),
        (&member.email).into(),
        member.role.as_str().into(),
        member.status.as_str().into(),
        (&member.provisioned_by).into(),
        member.created_at.into(),
        member.last_sign_in_at.into(),
        member.sessions_ended_at.into(),
        member.first_sign_in_at.into(),
        member.link.as_ref().map(MemberLink::key).into(),
    ];
    Ok(Statement::<Add, 11>::new(values).run(connection)? == 1)
}

struct BindUnbound;

impl ConstSql for BindUnbound {
    const TEXT: &'static str = "INSERT INTO identities (teamspace_id, issuer, tenant, subject, member_id) \
        VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
}

fn bind_unbound(connection: &mut AnyConnection, identity: &Identity) -> QueryResult<bool> {
    let Identity { teamspace_id, issuer, tenant, subject, member_id } = identity;
    let values = [teamspace_id, issuer, tenant, subject, member_id].map(Into::into);
    Ok(Statement::<BindUnbound, 5>::new(values).run(connection)? == 1)
}

/// Replaces a member's properties; the id stays, and the seat is taken or freed. A removed member is unknown to SCIM.
pub fn update(connection: &mut AnyConnection, member: &Member) -> Result<(), StoreError> {
    // This comes first, so that the row is locked when its old status is read.
    connection.lock_configuration()?;
    let Some(before) = find(connection, &member.teamspace_id, &member.id)? else { return Ok(()) };
    let seats = seats_taken(Some(before.status), member.status);
    teamspaces::change_seats(connection, &member.teamspace_id, seats)?;
    diesel::update(members::table.filter(members::id.eq(&member.id)))
        .set(MemberRow::from(member))
        .execute(connection)?;
    if member.status == Status::Removed && before.status != Status::Removed {
        diesel::delete(scim_users::table.filter(scim_users::member_id.eq(&member.id))).execute(connection)?;
    }
    Ok(())
}

/// Binds a subject to a member. A subject that is already bound is a unique violation.
pub fn bind(connection: &mut AnyConnection, identity: &Identity) -> QueryResult<()> {
    diesel::insert_into(identities::table).values(identity).execute(connection)?;
    Ok(())
}

/// Unbinds every subject from a member, so that the next one with the member's email can be bound.
pub fn unbind_all(connection: &mut AnyConnection, member_id: &str) -> QueryResult<usize> {
    diesel::delete(identities::table.filter(identities::member_id.eq(member_id))).execute(connection)
}

struct RecordLink;

impl ConstSql for RecordLink {
    const TEXT: &'static str = "UPDATE members SET link = ? WHERE id = ? AND NOT EXISTS \
        (SELECT 1 FROM members other WHERE other.teamspace_id = ? AND other.link = ? AND other.id <> ?)";
}

/// Records the value by which an identity provider knows a member. Returns false if it is another member's.
pub(super) fn record_link(
    connection: &mut AnyConnection,
    member: &Member,
    link: &MemberLink,
) -> QueryResult<bool> {
    let (id, key) = (&member.id, link.key());
    let values = [key.into(), id.into(), (&member.teamspace_id).into(), key.into(), id.into()];
    Ok(Statement::<RecordLink, 5>::new(values).run(connection)? == 1)
}

/// Makes an invited member active, or confirms an active one whose sessions were not ended since. Returns whether
/// there was one.
pub(super) fn accept(
    connection: &mut AnyConnection,
    member_id: &str,
    now: UnixSeconds,
    signed_in_at: UnixSeconds,
) -> QueryResult<bool> {
    let now_if_first = case_when(members::first_sign_in_at.is_null(), now.into_sql::<Nullable<BigInt>>())
        .otherwise(members::first_sign_in_at);
    let is_latest = members::last_sign_in_at.is_null().or(members::last_sign_in_at.lt(now));
    let latest = case_when(is_latest, now.into_sql::<Nullable<BigInt>>()).otherwise(members::last_sign_in_at);
    let updated = diesel::update(
        members::table
            .filter(members::id.eq(member_id))
            .filter(members::status.eq_any([Status::Invited, Status::Active]))
            .filter(members::sessions_ended_at.is_null().or(members::sessions_ended_at.lt(signed_in_at))),
    )
    .set((
        members::status.eq(Status::Active),
        members::last_sign_in_at.eq(latest),
        members::first_sign_in_at.eq(now_if_first),
    ))
    .execute(connection)?;
    Ok(updated == 1)
}
