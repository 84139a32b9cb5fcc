//! The changes of trust in each identity provider, numbered from its first.

use std::collections::HashMap;

use diesel::dsl::max;
use diesel::prelude::*;

use super::schema::trust_changes;
use super::{AnyConnection, Page, StoreError, from_json};
use crate::clock::UnixSeconds;
use crate::model::trust::{TrustChange, TrustChangeKind, TrustedKey, TrustedParts};

/// The most changes that are kept of a provider, but for the one that says what its metadata names.
pub const KEPT: i64 = 200;

/// What the metadata named before an administrator saved another configuration does not matter any more.
const ABOUT_METADATA: [TrustChangeKind; 3] =
    [TrustChangeKind::Metadata, TrustChangeKind::Added, TrustChangeKind::Changed];

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = trust_changes)]
struct TrustChangeRow {
    provider_id: String,
    number: i64,
    at: UnixSeconds,
    kind: TrustChangeKind,
    actor: String,
    request_id: String,
    old_value: Option<String>,
    new_value: Option<String>,
}

impl TryFrom<TrustChangeRow> for TrustChange {
    type Error = StoreError;

    fn try_from(row: TrustChangeRow) -> Result<Self, StoreError> {
        let read = |value: Option<String>| value.as_deref().map(from_json::<TrustedParts>).transpose();
        Ok(Self {
            provider_id: row.provider_id,
            at: row.at,
            kind: row.kind,
            actor: row.actor,
            request_id: row.request_id,
            old: read(row.old_value)?,
            new: read(row.new_value)?,
        })
    }
}

fn written(parts: Option<&TrustedParts>) -> Result<Option<String>, StoreError> {
    let text = parts.map(serde_json::to_string).transpose();
    text.map_err(|e| StoreError::Damaged(e.to_string()))
}

/// Adds a change, and deletes the oldest ones of the provider beyond [`KEPT`]. From here on, no other transaction adds
/// one until this one has ended.
pub fn append(connection: &mut AnyConnection, change: &TrustChange) -> Result<(), StoreError> {
    connection.lock_trust()?;
    let of_provider = trust_changes::provider_id.eq(&change.provider_id);
    let last: Option<i64> =
        trust_changes::table.filter(of_provider).select(max(trust_changes::number)).first(connection)?;
    let number = last.unwrap_or_default() + 1;
    let row = TrustChangeRow {
        provider_id: change.provider_id.clone(),
        number,
        at: change.at,
        kind: change.kind,
        actor: change.actor.clone(),
        request_id: change.request_id.clone(),
        old_value: written(change.old.as_ref())?,
        new_value: written(change.new.as_ref())?,
    };
    diesel::insert_into(trust_changes::table).values(&row).execute(connection)?;
    let newest: Option<i64> = trust_changes::table
        .filter(of_provider)
        .filter(trust_changes::kind.eq_any(ABOUT_METADATA))
        .select(max(trust_changes::number))
        .first(connection)?;
    let old = trust_changes::table
        .filter(of_provider)
        .filter(trust_changes::number.le(number - KEPT))
        .filter(trust_changes::number.ne(newest.unwrap_or_default()));
    diesel::delete(old).execute(connection)?;
    Ok(())
}

/// A page of a provider's changes, newest first, and each one's number.
pub fn list(
    connection: &mut AnyConnection,
    provider_id: &str,
    before: Option<i64>,
    limit: i64,
) -> Result<Page<(i64, TrustChange)>, StoreError> {
    let rows: Vec<TrustChangeRow> = trust_changes::table
        .filter(trust_changes::provider_id.eq(provider_id))
        .filter(trust_changes::number.lt(before.unwrap_or(i64::MAX)))
        .order(trust_changes::number.desc())
        .limit(limit + 1)
        .select(TrustChangeRow::as_select())
        .load(connection)?;
    let rows = rows.into_iter().map(|row| Ok((row.number, row.try_into()?)));
    let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
    Ok(Page::of(rows, limit, |(number, _)| number.to_string()))
}

/// The newest change of the metadata of each of some providers, by the providers' ids; none where an administrator has
/// saved another configuration since.
pub fn newest_of_metadata(
    connection: &mut AnyConnection,
    provider_ids: &[String],
) -> Result<HashMap<String, TrustChange>, StoreError> {
    // Without any, the database would look at every row.
    if provider_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<TrustChangeRow> = trust_changes::table
        .filter(trust_changes::provider_id.eq_any(provider_ids))
        .filter(trust_changes::kind.eq_any(ABOUT_METADATA))
        .order((trust_changes::provider_id.asc(), trust_changes::number.asc()))
        .select(TrustChangeRow::as_select())
        .load(connection)?;
    let mut newest = HashMap::new();
    for row in rows {
        match row.kind {
            TrustChangeKind::Metadata => newest.insert(row.provider_id.clone(), row.try_into()?),
            _ => newest.remove(&row.provider_id),
        };
    }
    Ok(newest)
}

/// The keys that a provider was last known to have; none if they were never seen.
pub fn last_keys(
    connection: &mut AnyConnection,
    provider_id: &str,
) -> Result<Option<Vec<TrustedKey>>, StoreError> {
    let page = list(connection, provider_id, None, KEPT)?;
    Ok(page.items.into_iter().find_map(|(_, change)| change.new?.keys))
}
