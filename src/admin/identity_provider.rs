//! The one identity provider of a teamspace: whose assertions it believes.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::InTeamspace;
use super::change::Change;
use super::check;
use super::error::AdminError;
use super::patch::present;
use super::teamspaces::find_named;
use super::validation::{Validation, issuer_taken, unknown_scope};
use crate::clock::{UnixSeconds, rfc3339};
use crate::model::identity_provider::{IdentityProvider, Provider};
use crate::model::teamspace::Teamspace;
use crate::store::changes::Changed;
use crate::store::{AnyConnection, identity_providers};

/// A whole configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewProvider {
    provider: Provider,
    issuer: String,
    #[serde(default)]
    scope: String,
    groups_claim: Option<String>,
    enabled: Option<bool>,
}

/// The members that can be changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderPatch {
    #[serde(default, deserialize_with = "present")]
    provider: Option<Provider>,
    #[serde(default, deserialize_with = "present")]
    issuer: Option<String>,
    #[serde(default, deserialize_with = "present")]
    scope: Option<String>,
    #[serde(default, deserialize_with = "present")]
    groups_claim: Option<String>,
    #[serde(default, deserialize_with = "present")]
    enabled: Option<bool>,
}

/// The identity provider of the teamspace.
pub fn configured(at: &InTeamspace) -> Result<&IdentityProvider, AdminError> {
    only(&at.tenancy().identity_providers)?.map(|provider| &**provider).ok_or(AdminError::NotFound)
}

/// The only one, if there is one.
fn only<T>(providers: &[T]) -> Result<Option<&T>, AdminError> {
    match providers {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        _ => Err(AdminError::SeveralIdentityProviders),
    }
}

fn only_saved(
    connection: &mut AnyConnection,
    teamspace_id: &str,
) -> Result<Option<IdentityProvider>, AdminError> {
    Ok(only(&identity_providers::of_teamspaces(connection, &[teamspace_id])?)?.cloned())
}

/// Adds the teamspace's identity provider or replaces it, once it is found to be good.
pub async fn put(at: &InTeamspace, new: NewProvider) -> Result<(IdentityProvider, Validation), AdminError> {
    let current = only(&at.tenancy().identity_providers)?.map(|current| &**current);
    let proposed = new.proposed(&at.tenancy().teamspace.id, current, at.app.clock.now())?;
    let validation = validate(at, &proposed).await?;
    let proposed = IdentityProvider { jwks_uri: validation.jwks_uri()?, ..proposed };
    let (tenancy, taken) = (Arc::clone(at.tenancy()), issuer_taken(at));
    let saved = at.change(move |c| {
        let teamspace = find_named(c, &tenancy.teamspace)?;
        let old = only_saved(c, &teamspace.id)?;
        let new = match &old {
            None => proposed,
            Some(IdentityProvider { id, name, tenant, created_at, .. }) => IdentityProvider {
                id: id.clone(),
                name: name.clone(),
                tenant: tenant.clone(),
                created_at: *created_at,
                ..proposed
            },
        };
        save(c, &teamspace.slug, old.as_ref(), new, taken)
    });
    Ok((saved.await?, validation))
}

/// Changes the identity provider. Another issuer or product is validated like a new one, and so is switching on; the
/// rest needs nobody's answer, so that switching off always works.
pub async fn change(
    at: &InTeamspace,
    patch: ProviderPatch,
) -> Result<(IdentityProvider, Option<Validation>), AdminError> {
    let current = configured(at)?;
    let proposed = patch.apply(current)?;
    let validation = match is_to_be_validated(current, &proposed) {
        true => Some(validate(at, &proposed).await?),
        false => None,
    };
    if validation.is_none() && patch.scope.is_some() {
        check_scope(at, &proposed.scope)?;
    }
    let jwks_uri = validation.as_ref().map(Validation::jwks_uri).transpose()?;
    let amendment = Amendment { patch, proposed, jwks_uri, now: at.app.clock.now(), taken: issuer_taken(at) };
    let tenancy = Arc::clone(at.tenancy());
    let saved = at.change(move |c| amendment.perform(c, &tenancy.teamspace)).await?;
    Ok((saved, validation))
}

/// Removes the identity provider: nobody of the teamspace signs in any more.
pub async fn remove(at: &InTeamspace) -> Result<(), AdminError> {
    let tenancy = Arc::clone(at.tenancy());
    at.change(move |c| {
        let Teamspace { id, slug, .. } = find_named(c, &tenancy.teamspace)?;
        let old = only_saved(c, &id)?.ok_or(AdminError::NotFound)?;
        identity_providers::delete(c, &old.id)?;
        Ok(((), Change::removed(Changed::Teamspace(id), "identity_provider.delete", slug, view(&old))))
    })
    .await
}

/// Validates what is configured, and saves nothing.
pub async fn check(at: &InTeamspace) -> Result<Validation, AdminError> {
    validate(at, configured(at)?).await
}

/// Asks the issuer, which may take long: a teamspace has few such requests under way at once.
async fn validate(at: &InTeamspace, proposed: &IdentityProvider) -> Result<Validation, AdminError> {
    let _place = at.enter_heavy()?;
    Validation::run(at, proposed).await
}

/// A change that was validated on what was known, to be made on what is there.
struct Amendment {
    patch: ProviderPatch,
    proposed: IdentityProvider,
    jwks_uri: Option<String>,
    now: UnixSeconds,
    taken: AdminError,
}

impl Amendment {
    fn perform(
        self,
        connection: &mut AnyConnection,
        named: &Teamspace,
    ) -> Result<(IdentityProvider, Change), AdminError> {
        let teamspace = find_named(connection, named)?;
        let old = only_saved(connection, &teamspace.id)?.ok_or(AdminError::NotFound)?;
        let mut new = self.patch.apply(&old)?;
        let validated = new.issuer == self.proposed.issuer && new.provider == self.proposed.provider;
        match self.jwks_uri {
            Some(jwks_uri) if validated => new.jwks_uri = jwks_uri,
            None if !is_to_be_validated(&old, &new) => {}
            _ => return Err(AdminError::ChangedMeanwhile),
        }
        new.updated_at = self.now;
        save(connection, &teamspace.slug, Some(&old), new, self.taken)
    }
}

/// `taken` is the error that another teamspace's issuer is.
fn save(
    connection: &mut AnyConnection,
    slug: &str,
    old: Option<&IdentityProvider>,
    new: IdentityProvider,
    taken: AdminError,
) -> Result<(IdentityProvider, Change), AdminError> {
    identity_providers::put(connection, &new).map_err(|e| taken.if_duplicate(e))?;
    let changed = Changed::Teamspace(new.teamspace_id.clone());
    let change = Change::added(changed, "identity_provider.put", slug, view(&new)).replacing(old.map(view));
    Ok((new, change))
}

fn is_to_be_validated(old: &IdentityProvider, new: &IdentityProvider) -> bool {
    new.issuer != old.issuer || new.provider != old.provider || (new.enabled && !old.enabled)
}

fn check_scope(at: &InTeamspace, setting: &str) -> Result<(), AdminError> {
    let snapshot = at.app.snapshot();
    let unknown = unknown_scope(&snapshot, &at.tenancy().teamspace.slug, setting);
    unknown.map_or(Ok(()), |scope| Err(AdminError::ScopeUnknown(scope.to_owned())))
}

/// An identity provider as the API and the audit log show it.
pub fn view(provider: &IdentityProvider) -> Value {
    json!({
        "provider": provider.provider,
        "issuer": provider.issuer,
        "jwks_uri": provider.jwks_uri,
        "scope": provider.scope,
        "groups_claim": provider.groups_claim,
        "enabled": provider.enabled,
        "created_at": rfc3339(provider.created_at),
        "updated_at": rfc3339(provider.updated_at),
    })
}

impl NewProvider {
    fn proposed(
        self,
        teamspace_id: &str,
        current: Option<&IdentityProvider>,
        now: UnixSeconds,
    ) -> Result<IdentityProvider, AdminError> {
        let new_id = || uuid::Uuid::now_v7().to_string();
        Ok(IdentityProvider {
            id: current.map_or_else(new_id, |current| current.id.clone()),
            teamspace_id: teamspace_id.to_owned(),
            name: self.provider.default_name().to_owned(),
            tenant: current.and_then(|current| current.tenant.clone()),
            custom_claims: current.map_or_else(Vec::new, |current| current.custom_claims.clone()),
            provider: self.provider,
            issuer: self.issuer,
            jwks_uri: String::new(),
            scope: checked_scope(&self.scope)?,
            groups_claim: checked_groups_claim(self.groups_claim.as_deref().unwrap_or("groups"))?,
            enabled: self.enabled.unwrap_or(true),
            created_at: now,
            updated_at: now,
        })
    }
}

impl ProviderPatch {
    fn apply(&self, old: &IdentityProvider) -> Result<IdentityProvider, AdminError> {
        let scope = self.scope.as_deref().map(checked_scope).transpose()?;
        let groups_claim = self.groups_claim.as_deref().map(checked_groups_claim).transpose()?;
        Ok(IdentityProvider {
            provider: self.provider.unwrap_or(old.provider),
            issuer: self.issuer.clone().unwrap_or_else(|| old.issuer.clone()),
            scope: scope.unwrap_or_else(|| old.scope.clone()),
            groups_claim: groups_claim.unwrap_or_else(|| old.groups_claim.clone()),
            enabled: self.enabled.unwrap_or(old.enabled),
            ..old.clone()
        })
    }
}

fn checked_scope(text: &str) -> Result<String, AdminError> {
    let scopes: Vec<String> = text.split(' ').filter(|s| !s.is_empty()).map(str::to_owned).collect();
    check::scopes(&scopes)?;
    Ok(scopes.join(" "))
}

fn checked_groups_claim(text: &str) -> Result<String, AdminError> {
    if check::is_short_text(text) { Ok(text.to_owned()) } else { Err(AdminError::GroupsClaimInvalid) }
}
