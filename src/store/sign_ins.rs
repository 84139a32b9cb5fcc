//! The decision log: the outcome of every request at the token endpoint, and the reason.

use std::sync::Arc;

use diesel::prelude::*;

use super::decision_body;
use super::schema::sign_ins;
use super::{AnyConnection, Page, StoreError, WINDOW};
use crate::clock::UnixSeconds;
use crate::model::decision_body::DecisionBody;
use crate::request_id;

/// The newest rows, among which each process at work has some.
const NEWEST: i64 = 1_000;
/// The rows that one page reads in search of a request's id.
const SEARCHED: i64 = 100_000;
/// How much earlier than its request a nearby row may say that it began, in seconds: a request takes at most 30 s, and
/// replicas' clocks may differ by a minute.
const EARLIER: i64 = 90;
/// How much later than its request's time a row may be written, in seconds: rows that count refusals wait for a
/// minute.
const LATER: i64 = 300;

/// A row to be written; unknown texts are empty. It holds no secret and no token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewSignIn {
    /// The time of the request, in seconds since 1970.
    pub at: UnixSeconds,
    /// The teamspace that the assertion led to; none when it led to none.
    pub teamspace_id: Option<String>,
    /// The one that the assertion led to; empty when it led to none, and in rows of older versions.
    pub identity_provider_id: String,
    /// `granted` or `refused`.
    pub outcome: String,
    /// A stable reason code; empty when granted.
    pub reason: String,
    /// For the person who can fix it: what was expected, what came.
    pub detail: String,
    /// The identifier of the request, as in the service's log and its `X-Request-Id`.
    pub request_id: String,
    /// The client that asked, as far as it named itself.
    pub client_id: String,
    /// The `iss` of the assertion, whether it was verified or not.
    pub issuer: String,
    /// The `sub` of the verified assertion.
    pub subject: String,
    /// The `email` of the verified assertion, in lower case.
    pub email: String,
    /// The member who got the token.
    pub member_id: String,
    /// The identifier of the resource that the token was asked for.
    pub resource: String,
    /// The scopes that the request asked for, or else the assertion, with spaces between.
    pub scopes_asked: String,
    /// The scopes of the token, with spaces between.
    pub scopes_granted: String,
    /// Each policy decision with its policies and reasons, and the facts that were decided on, so that other policies
    /// can be asked about them; none when the request was refused before.
    pub body: Option<Arc<DecisionBody>>,
    /// JSON: the facts of this person or this moment, which the body lacks.
    pub facts: String,
    /// Hash of the policy set that decided.
    pub policy_set: String,
    /// SHA-256 over issuer and jti.
    pub assertion: String,
    /// The `jti` of the access token.
    pub token_id: String,
    /// How many further refusals like this one the row stands for.
    pub repeated: i64,
}

/// A row of the log, with all that it stood on.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = sign_ins)]
pub struct SignIn {
    /// Rises with each row; the cursor of the list.
    pub id: i64,
    /// The time of the request, in seconds since 1970.
    pub at: UnixSeconds,
    /// The teamspace that the assertion led to; none when it led to none.
    pub teamspace_id: Option<String>,
    /// `granted` or `refused`.
    pub outcome: String,
    /// A stable reason code; empty when granted.
    pub reason: String,
    /// The expected and the received value, for the person who can fix it.
    pub detail: String,
    /// The identifier of the request, as in the service's log and its `X-Request-Id`.
    pub request_id: String,
    /// The client that asked, as far as it named itself.
    pub client_id: String,
    /// The `iss` of the assertion, whether it was verified or not.
    pub issuer: String,
    /// The `sub` of the verified assertion.
    pub subject: String,
    /// The `email` of the verified assertion, in lower case.
    pub email: String,
    /// The member who got the token.
    pub member_id: String,
    /// The identifier of the resource that the token was asked for.
    pub resource: String,
    /// The scopes that the request asked for, or else the assertion, with spaces between.
    pub scopes_asked: String,
    /// The scopes of the token, with spaces between.
    pub scopes_granted: String,
    /// JSON: each policy decision with its policies and reasons; empty when policies were not asked.
    pub decisions: String,
    /// The hash of the policy set that was in force.
    pub policy_set: String,
    /// The used assertion: SHA-256 over its issuer and `jti`.
    pub assertion: String,
    /// The `jti` of the access token; empty when refused.
    pub token_id: String,
    /// JSON: the facts that the policies decided on.
    pub facts: String,
    /// The key of its [`DecisionBody`]; empty if the row is complete by itself.
    pub(super) grounds: String,
    /// How many more refusals the row stands for, beside its own.
    pub repeated: i64,
    /// The identity provider that the assertion led to; empty when it led to none, and in rows of older versions.
    pub identity_provider_id: String,
}

/// Which rows to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// None: every row, of teamspaces and of none.
    pub teamspace_id: Option<String>,
    /// `granted` or `refused`.
    pub outcome: Option<String>,
    /// A reason code.
    pub reason: Option<String>,
    /// The identifier of one request.
    pub request_id: Option<String>,
    /// The client that asked.
    pub client_id: Option<String>,
    /// An email, a subject or a member's id.
    pub person: Option<String>,
    /// The id of an identity provider.
    pub identity_provider: Option<String>,
    /// The `iss` of the assertion.
    pub issuer: Option<String>,
    /// Requests that began at this time or later.
    pub from: Option<UnixSeconds>,
    /// Requests that began before this time.
    pub to: Option<UnixSeconds>,
    /// The most rows that a page reads where no index helps; [`WINDOW`] by default.
    pub window: Option<i64>,
    /// Where the page begins, as given by the page before.
    pub cursor: Option<i64>,
}

type SignInStatement<'a> = sign_ins::BoxedQuery<'a, <AnyConnection as diesel::Connection>::Backend>;

impl Filter {
    /// The rows that fit, but for their place.
    fn query(&self) -> SignInStatement<'_> {
        let mut query = self.of_teamspace();
        if let Some(outcome) = &self.outcome {
            query = query.filter(sign_ins::outcome.eq(outcome));
        }
        if let Some(reason) = &self.reason {
            query = query.filter(sign_ins::reason.eq(reason));
        }
        if let Some(request_id) = &self.request_id {
            query = query.filter(sign_ins::request_id.eq(request_id));
        }
        if let Some(client_id) = &self.client_id {
            query = query.filter(sign_ins::client_id.eq(client_id));
        }
        if let Some(person) = &self.person {
            let is_person = sign_ins::email.eq(person).or(sign_ins::subject.eq(person));
            query = query.filter(is_person.or(sign_ins::member_id.eq(person)));
        }
        self.of_origin_and_time(query)
    }

    fn of_origin_and_time<'a>(&'a self, mut query: SignInStatement<'a>) -> SignInStatement<'a> {
        if let Some(provider) = &self.identity_provider {
            query = query.filter(sign_ins::identity_provider_id.eq(provider));
        }
        if let Some(issuer) = &self.issuer {
            query = query.filter(sign_ins::issuer.eq(issuer));
        }
        if let Some(from) = self.from {
            query = query.filter(sign_ins::at.ge(from));
        }
        if let Some(to) = self.to {
            query = query.filter(sign_ins::at.lt(to));
        }
        query
    }

    /// The rows that an index leads to.
    fn of_teamspace(&self) -> SignInStatement<'_> {
        let query = sign_ins::table.into_boxed();
        match &self.teamspace_id {
            Some(id) => query.filter(sign_ins::teamspace_id.eq(id)),
            None => query,
        }
    }

    /// Whether unwanted rows may lie between the wanted ones.
    fn needs_looking(&self) -> bool {
        let texts = [
            &self.outcome,
            &self.reason,
            &self.request_id,
            &self.client_id,
            &self.person,
            &self.identity_provider,
            &self.issuer,
        ];
        texts.iter().any(|text| text.is_some()) || self.from.is_some() || self.to.is_some()
    }

    /// The range of ids for the wanted times: from the first, and before the second.
    fn ids_of_time(&self, connection: &mut AnyConnection) -> Result<(i64, i64), StoreError> {
        let first = match self.from {
            Some(from) => first_since(connection, from.saturating_sub(EARLIER))?,
            None => i64::MIN,
        };
        let end = match self.to {
            Some(to) => first_since(connection, to.saturating_add(LATER))?,
            None => i64::MAX,
        };
        Ok((first, end))
    }
}

/// Lists a page of rows, newest first. Where no index helps, a page reads at most [`Filter::window`] rows: it may be
/// short or empty although there is a next one.
pub fn list(connection: &mut AnyConnection, filter: &Filter, limit: i64) -> Result<Page<SignIn>, StoreError> {
    if let Some(began_at) = filter.request_id.as_deref().and_then(request_id::began_at) {
        return search(connection, filter, began_at);
    }
    let (first, end) = filter.ids_of_time(connection)?;
    let before = filter.cursor.unwrap_or(i64::MAX).min(end);
    let window = if filter.needs_looking() { end_of_window(connection, filter, before)? } else { None };
    let window = window.filter(|end| *end > first);
    let mut rows: Vec<SignIn> = filter
        .query()
        .filter(sign_ins::id.lt(before))
        .filter(sign_ins::id.ge(window.unwrap_or(first)))
        .order(sign_ins::id.desc())
        .limit(limit + 1)
        .select(SignIn::as_select())
        .load(connection)?;
    complete(connection, &mut rows)?;
    let mut page = Page::of(rows, limit, |row| row.id.to_string());
    page.next_cursor = page.next_cursor.or_else(|| window.map(|end| end.to_string()));
    Ok(page)
}

/// The last row that a page may read; none if there are fewer.
fn end_of_window(
    connection: &mut AnyConnection,
    filter: &Filter,
    before: i64,
) -> Result<Option<i64>, StoreError> {
    let rows = filter.of_teamspace().filter(sign_ins::id.lt(before)).order(sign_ins::id.desc());
    let last = filter.window.unwrap_or(WINDOW) - 1;
    Ok(rows.select(sign_ins::id).offset(last).first(connection).optional()?)
}

/// The row of a request, searched among the rows of its time, oldest first.
fn search(
    connection: &mut AnyConnection,
    filter: &Filter,
    began_at: UnixSeconds,
) -> Result<Page<SignIn>, StoreError> {
    let from = match filter.cursor {
        Some(cursor) => cursor,
        None => first_since(connection, began_at - EARLIER)?,
    };
    let end = first_since(connection, began_at + LATER)?;
    let to = end.min(from.saturating_add(SEARCHED));
    let here = sign_ins::id.ge(from).and(sign_ins::id.lt(to));
    let rows = filter.query().filter(here).order(sign_ins::id.asc()).limit(1);
    let mut items: Vec<SignIn> = rows.select(SignIn::as_select()).load(connection)?;
    complete(connection, &mut items)?;
    let is_more = items.is_empty() && to < end;
    Ok(Page { items, next_cursor: is_more.then(|| to.to_string()) })
}

/// The first id whose row is not older than `at`; the id after the last row if there is none. Times rise with ids,
/// nearly: a row has the time at which its request began, and its id from when the request ended.
fn first_since(connection: &mut AnyConnection, at: UnixSeconds) -> Result<i64, StoreError> {
    let Some((mut low, _)) = place(connection, i64::MIN)? else { return Ok(0) };
    let newest: Option<i64> = sign_ins::table.select(diesel::dsl::max(sign_ins::id)).first(connection)?;
    let mut high = newest.unwrap_or(low).saturating_add(1);
    while low < high {
        let middle = low + (high - low) / 2;
        match place(connection, middle)? {
            Some((id, time)) if time < at => low = id.saturating_add(1),
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The latest time of the newest rows; none if there are no rows. Times rise with ids only nearly, see [`first_since`],
/// and the clocks of processes differ.
pub(super) fn latest_time(connection: &mut AnyConnection) -> Result<Option<UnixSeconds>, StoreError> {
    let newest = sign_ins::table.order(sign_ins::id.desc()).limit(NEWEST).select(sign_ins::at);
    let times: Vec<UnixSeconds> = newest.load(connection)?;
    Ok(times.into_iter().max())
}

/// The first row from an id on, and its time.
fn place(connection: &mut AnyConnection, from: i64) -> Result<Option<(i64, UnixSeconds)>, StoreError> {
    let rows = sign_ins::table.filter(sign_ins::id.ge(from)).order(sign_ins::id.asc());
    Ok(rows.select((sign_ins::id, sign_ins::at)).first(connection).optional()?)
}

/// The row of the sign-in that a token was issued by; none if the log no longer has it.
pub fn of_token(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    (token_id, issued_at): (&str, UnixSeconds),
) -> Result<Option<SignIn>, StoreError> {
    // Nearly all rows are where their time says. The others are searched among many more.
    for (earlier, later) in [(1, 2), (EARLIER, LATER)] {
        let first = first_since(connection, issued_at.saturating_sub(earlier))?;
        let end = first_since(connection, issued_at.saturating_add(later))?;
        let rows = sign_ins::table
            .filter(sign_ins::teamspace_id.eq(teamspace_id))
            .filter(sign_ins::id.ge(first).and(sign_ins::id.lt(end)))
            .filter(sign_ins::token_id.eq(token_id));
        let row = rows.select(SignIn::as_select()).first(connection);
        let mut found: Option<SignIn> = row.optional()?;
        if found.is_some() {
            complete(connection, found.as_mut_slice())?;
            return Ok(found);
        }
    }
    Ok(None)
}

/// Finds a row by its id, or by the id of its request.
pub fn find(connection: &mut AnyConnection, key: &str) -> Result<Option<SignIn>, StoreError> {
    if let Ok(id) = key.parse::<i64>() {
        let row = sign_ins::table.select(SignIn::as_select()).filter(sign_ins::id.eq(id)).first(connection);
        let mut found: Option<SignIn> = row.optional()?;
        complete(connection, found.as_mut_slice())?;
        return Ok(found);
    }
    let mut filter = Filter { request_id: Some(key.to_owned()), ..Filter::default() };
    loop {
        let mut page = list(connection, &filter, 1)?;
        if let Some(row) = page.items.pop() {
            return Ok(Some(row));
        }
        let Some(cursor) = page.next_cursor.and_then(|cursor| cursor.parse().ok()) else { return Ok(None) };
        filter.cursor = Some(cursor);
    }
}

/// Restores the parts that log rows share with others.
pub(super) fn complete(connection: &mut AnyConnection, rows: &mut [SignIn]) -> Result<(), StoreError> {
    let mut named: Vec<&str> =
        rows.iter().map(|row| row.grounds.as_str()).filter(|key| !key.is_empty()).collect();
    named.sort_unstable();
    named.dedup();
    if named.is_empty() {
        return Ok(());
    }
    let found = decision_body::find(connection, named)?;
    for row in rows.iter_mut().filter(|row| !row.grounds.is_empty()) {
        let Some(body) = found.get(row.grounds.as_str()) else {
            tracing::warn!(sign_in = row.id, body = row.grounds, "the decision of a sign-in is missing");
            continue;
        };
        body.complete(&mut row.decisions, &mut row.facts)?;
        row.grounds.clear();
    }
    Ok(())
}
