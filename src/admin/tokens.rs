//! Tokens of the admin API, which are shown once and kept as digests.

use serde_json::{Value, json};
use uuid::Uuid;

use super::change::Change;
use super::check;
use super::error::AdminError;
use crate::clock::{UnixSeconds, rfc3339};
use crate::random::{digest, secret};
use crate::store::Store;
use crate::store::admin_tokens::{self, AdminToken};
use crate::store::snapshot::Snapshot;

/// A token to be made.
pub struct NewToken {
    /// Shown in the audit log.
    pub name: String,
    /// The slug of the teamspace that the token is limited to; none for an operator's token.
    pub teamspace: Option<String>,
    /// The lifetime in seconds; none for a token that does not expire.
    pub lifetime: Option<i64>,
}

/// Makes a token; tells it with its row.
pub async fn create(
    store: &Store,
    new: NewToken,
    now: UnixSeconds,
) -> Result<(String, AdminToken), AdminError> {
    let name = check::name(&new.name)?;
    let teamspace_id = match new.teamspace {
        None => None,
        Some(slug) => Some(teamspace_id(store, slug).await?),
    };
    let token = format!("cst_{}", secret()?);
    let row = AdminToken {
        id: Uuid::new_v4().to_string(),
        name,
        token_digest: digest(&token),
        teamspace_id,
        created_at: now,
        expires_at: new.lifetime.map(|lifetime| now + lifetime),
    };
    let added = store.write(move |c| -> Result<_, AdminError> {
        let change = Change::noted("admin_token.create", &row.id, row.teamspace_id.clone());
        change.with(view(&row)).record_of_command(c, now)?;
        admin_tokens::insert(c, &row)?;
        Ok(row)
    });
    Ok((token, added.await?))
}

/// Deletes a token: the next request with it is refused.
pub async fn delete(store: &Store, id: String, now: UnixSeconds) -> Result<(), AdminError> {
    store
        .write(move |c| {
            let deleted = admin_tokens::delete(c, &id)?.ok_or(AdminError::NoSuchToken)?;
            let change = Change::noted("admin_token.delete", id, deleted.teamspace_id.clone());
            Ok(change.replacing(Some(view(&deleted))).record_of_command(c, now)?)
        })
        .await
}

/// Finds the token with a digest, unless it has expired.
pub async fn find_live(
    store: &Store,
    digest: String,
    now: UnixSeconds,
) -> Result<Option<AdminToken>, AdminError> {
    let found = store.read(move |c| admin_tokens::find(c, &digest)).await?;
    Ok(found.filter(|token| token.expires_at.is_none_or(|at| now < at)))
}

/// The id of the teamspace that a command names by its slug.
pub(super) async fn teamspace_id(store: &Store, slug: String) -> Result<String, AdminError> {
    let snapshot = store.read(Snapshot::load).await?;
    let found =
        snapshot.teamspace_config(&slug).map(|teamspace_config| teamspace_config.teamspace.id.clone());
    found.ok_or(AdminError::NoSuchTeamspace(slug))
}

/// A token as the audit log keeps it.
fn view(token: &AdminToken) -> Value {
    json!({
        "name": token.name,
        "teamspace_id": token.teamspace_id,
        "expires_at": token.expires_at.map(rfc3339),
    })
}
