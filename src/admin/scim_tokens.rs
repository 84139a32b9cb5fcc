//! Tokens by which a teamspace's identity provider adds, changes and deactivates its people with SCIM. They are shown
//! once and kept as digests.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::InTeamspace;
use super::change::Change;
use super::check;
use super::error::AdminError;
use super::teamspaces::find_named;
use super::view::as_json;
use crate::clock::rfc3339;
use crate::config::{Config, Duration};
use crate::policy::ConsoleAction;
use crate::random::{digest, secret};
use crate::store::scim_tokens::{self, ScimToken};

/// How a token begins, so that it is known wherever it stands.
const TOKEN_PREFIX: &str = "csi_";
/// The most tokens of one teamspace: enough to replace one after the other.
const MOST: usize = 5;
/// The lifetimes that may be asked for, in seconds.
const SHORTEST: i64 = 3600;
const LONGEST: i64 = 5 * 366 * 24 * 3600;

/// A token to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewScimToken {
    /// The name for people, which the audit log shows beside every change that is made with the token.
    pub name: String,
    /// How long it is accepted, such as `365d`: from `1h` to `1830d`, and without an end when it is left out.
    #[schema(value_type = Option<String>)]
    pub valid_for: Option<Duration>,
}

/// A token that was made. The token itself is told this once.
pub struct MadeScimToken {
    pub token: String,
    pub row: ScimToken,
    pub base_url: String,
}

/// Makes a token for the caller's teamspace.
pub async fn create(at: &InTeamspace, new: NewScimToken) -> Result<MadeScimToken, AdminError> {
    let permission = at.may(ConsoleAction::ChangeEnterprise)?;
    let (teamspace_config, now) = (Arc::clone(at.teamspace_config()), at.app.clock.now());
    let name = check::name(&new.name)?;
    let lifetime = new.valid_for.map(Duration::as_secs);
    if lifetime.is_some_and(|lifetime| !(SHORTEST..=LONGEST).contains(&lifetime)) {
        return Err(AdminError::TokenLifetimeInvalid);
    }
    let token = format!("{TOKEN_PREFIX}{}", secret()?);
    let row = ScimToken {
        id: Uuid::now_v7().to_string(),
        teamspace_id: teamspace_config.teamspace.id.clone(),
        name,
        token_digest: digest(&token),
        created_at: now,
        expires_at: lifetime.map(|lifetime| now + lifetime),
        last_used_at: None,
    };
    let base_url = base_url(&at.app.config, &teamspace_config.teamspace.slug);
    let row = at.change(permission, move |c| {
        find_named(c, &teamspace_config.teamspace)?;
        let others = scim_tokens::of_teamspace(c, &row.teamspace_id)?;
        // A form that is sent twice makes one token.
        if others.iter().any(|other| other.name == row.name) {
            return Err(AdminError::ScimTokenNameTaken);
        }
        if others.len() >= MOST {
            return Err(AdminError::TooManyScimTokens);
        }
        scim_tokens::insert(c, &row)?;
        let change = Change::noted("scim_token.create", &row.id, Some(row.teamspace_id.clone()));
        let change = change.with(view(&row));
        Ok((row, change))
    });
    Ok(MadeScimToken { token, row: row.await?, base_url })
}

/// The tokens of the caller's teamspace, oldest first.
pub async fn list(at: &InTeamspace) -> Result<Vec<ScimToken>, AdminError> {
    at.may(ConsoleAction::ViewEnterprise)?;
    let id = at.teamspace_config().teamspace.id.clone();
    Ok(at.app.store.list(move |c| scim_tokens::of_teamspace(c, &id)).await?)
}

/// Deletes a token: the next request with it is refused. The members stay as they are.
pub async fn delete(at: &InTeamspace, id: String) -> Result<(), AdminError> {
    let permission = at.may(ConsoleAction::ChangeEnterprise)?;
    let teamspace_id = at.teamspace_config().teamspace.id.clone();
    at.change(permission, move |c| {
        let deleted = scim_tokens::delete(c, &teamspace_id, &id)?.ok_or(AdminError::NotFound)?;
        let change = Change::noted("scim_token.delete", id, Some(teamspace_id));
        Ok(((), change.replacing(Some(view(&deleted)))))
    })
    .await
}

/// The URL to enter at a teamspace's identity provider.
pub fn base_url(config: &Config, slug: &str) -> String {
    format!("{}/t/{slug}/scim/v2", config.issuer)
}

/// A token as the API and the audit log show it.
#[derive(Serialize, ToSchema)]
#[schema(as = ScimToken)]
pub struct ScimTokenView<'t> {
    id: &'t str,
    name: &'t str,
    #[schema(format = DateTime)]
    created_at: String,
    /// Null for a token without an end.
    #[schema(required, format = DateTime)]
    expires_at: Option<String>,
    /// Up to a quarter of an hour behind; null before the first request.
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
}

/// A token as JSON.
pub fn view(token: &ScimToken) -> Value {
    as_json(ScimTokenView {
        id: &token.id,
        name: &token.name,
        created_at: rfc3339(token.created_at),
        expires_at: token.expires_at.map(rfc3339),
        last_used_at: token.last_used_at.map(rfc3339),
    })
}
