//! The one identity provider of a teamspace: whose assertions it believes.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{Admin, InTeamspace};
use super::change::Change;
use super::check;
use super::json::{JsonBody, present};
use super::problem::Problem;
use super::teamspaces::find_named;
use super::validation::{Validation, issuer_taken, scope_unknown, unknown_scope};
use crate::clock::{UnixSeconds, rfc3339};
use crate::model::identity_provider::{IdentityProvider, Provider};
use crate::model::teamspace::Teamspace;
use crate::store::AnyConnection;
use crate::store::changes::Changed;
use crate::store::identity_providers;
use crate::store::snapshot::Tenancy;

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

/// What can be changed.
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

/// `GET /teamspaces/{slug}/identity-provider`
pub async fn show(InTeamspace { tenancy, .. }: InTeamspace) -> Result<Json<Value>, Problem> {
    configured(&tenancy).map(|provider| Json(view(provider)))
}

/// `PUT /teamspaces/{slug}/identity-provider`
pub async fn put(
    InTeamspace { admin, tenancy }: InTeamspace,
    JsonBody(new): JsonBody<NewProvider>,
) -> Result<Json<Value>, Problem> {
    let proposed = new.proposed(&tenancy, admin.app.clock.now())?;
    let validation = validate(&admin, &tenancy, &proposed).await?;
    let proposed = IdentityProvider { jwks_uri: validation.jwks_uri()?, ..proposed };
    let taken = issuer_taken(&admin);
    let shown = admin
        .change(move |c| {
            let teamspace = find_named(c, &tenancy.teamspace)?;
            let old = identity_providers::find(c, &proposed.teamspace_id)?;
            let created_at = old.as_ref().map_or(proposed.created_at, |old| old.created_at);
            let new = IdentityProvider { created_at, ..proposed };
            save(c, &teamspace.slug, old.as_ref(), &new, taken)
        })
        .await?;
    Ok(Json(with_checks(shown, &validation)))
}

/// `PATCH /teamspaces/{slug}/identity-provider`: another issuer or product is validated like a new one, and
/// so is switching on; the rest needs nobody's answer, so that switching off always works.
pub async fn change(
    InTeamspace { admin, tenancy }: InTeamspace,
    JsonBody(patch): JsonBody<ProviderPatch>,
) -> Result<Json<Value>, Problem> {
    let current = configured(&tenancy)?;
    let proposed = patch.apply(current)?;
    let validation = match is_to_be_validated(current, &proposed) {
        true => Some(validate(&admin, &tenancy, &proposed).await?),
        false => None,
    };
    if validation.is_none() && patch.scope.is_some() {
        check_scope(&admin, &tenancy, &proposed.scope)?;
    }
    let jwks_uri = validation.as_ref().map(Validation::jwks_uri).transpose()?;
    let taken = issuer_taken(&admin);
    let amendment = Amendment { patch, proposed, jwks_uri, now: admin.app.clock.now(), taken };
    let shown = admin.change(move |c| amendment.perform(c, &tenancy.teamspace)).await?;
    Ok(Json(match &validation {
        Some(validation) => with_checks(shown, validation),
        None => shown,
    }))
}

/// `DELETE /teamspaces/{slug}/identity-provider`
pub async fn remove(InTeamspace { admin, tenancy }: InTeamspace) -> Result<StatusCode, Problem> {
    admin
        .change(move |c| {
            let Teamspace { id, slug, .. } = find_named(c, &tenancy.teamspace)?;
            let old = identity_providers::find(c, &id)?.ok_or_else(Problem::not_found)?;
            identity_providers::delete(c, &id)?;
            Ok(((), Change::removed(Changed::Teamspace(id), "identity_provider.delete", slug, view(&old))))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /teamspaces/{slug}/identity-provider/check`: validates what is configured, and saves nothing.
pub async fn check(InTeamspace { admin, tenancy }: InTeamspace) -> Result<Json<Value>, Problem> {
    let validation = validate(&admin, &tenancy, configured(&tenancy)?).await?;
    Ok(Json(json!({ "ok": validation.is_ok(), "checks": validation.checks() })))
}

/// Asks the issuer, which may take long: a teamspace has few such requests under way at once.
async fn validate(
    admin: &Admin,
    tenancy: &Tenancy,
    proposed: &IdentityProvider,
) -> Result<Validation, Problem> {
    let _place = admin.enter_heavy()?;
    Validation::run(admin, tenancy, proposed).await
}

/// A change that was validated on what was known, to be made on what is there.
struct Amendment {
    patch: ProviderPatch,
    proposed: IdentityProvider,
    jwks_uri: Option<String>,
    now: UnixSeconds,
    taken: Problem,
}

impl Amendment {
    fn perform(self, connection: &mut AnyConnection, named: &Teamspace) -> Result<(Value, Change), Problem> {
        let teamspace = find_named(connection, named)?;
        let old = identity_providers::find(connection, &teamspace.id)?;
        let old = old.ok_or_else(Problem::not_found)?;
        let mut new = self.patch.apply(&old)?;
        let validated = new.issuer == self.proposed.issuer && new.provider == self.proposed.provider;
        match self.jwks_uri {
            Some(jwks_uri) if validated => new.jwks_uri = jwks_uri,
            None if !is_to_be_validated(&old, &new) => {}
            _ => {
                let detail = "The identity provider was changed meanwhile; look at it and try again.";
                return Err(Problem::conflict("changed_meanwhile", detail));
            }
        }
        new.updated_at = self.now;
        save(connection, &teamspace.slug, Some(&old), &new, self.taken)
    }
}

/// `taken` is the problem that another teamspace's issuer is.
fn save(
    connection: &mut AnyConnection,
    slug: &str,
    old: Option<&IdentityProvider>,
    new: &IdentityProvider,
    taken: Problem,
) -> Result<(Value, Change), Problem> {
    identity_providers::put(connection, new).map_err(|e| taken.if_duplicate(e))?;
    let shown = view(new);
    let changed = Changed::Teamspace(new.teamspace_id.clone());
    let change =
        Change::added(changed, "identity_provider.put", slug, shown.clone()).replacing(old.map(view));
    Ok((shown, change))
}

fn is_to_be_validated(old: &IdentityProvider, new: &IdentityProvider) -> bool {
    new.issuer != old.issuer || new.provider != old.provider || (new.enabled && !old.enabled)
}

fn configured(tenancy: &Tenancy) -> Result<&IdentityProvider, Problem> {
    tenancy.identity_provider.as_ref().ok_or_else(Problem::not_found)
}

fn check_scope(admin: &Admin, tenancy: &Tenancy, setting: &str) -> Result<(), Problem> {
    let snapshot = admin.app.snapshot();
    let unknown = unknown_scope(&snapshot, &tenancy.teamspace.slug, setting);
    unknown.map_or(Ok(()), |scope| Err(Problem::invalid("scope_unknown", scope_unknown(scope))))
}

fn view(provider: &IdentityProvider) -> Value {
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

fn with_checks(mut shown: Value, validation: &Validation) -> Value {
    if let Some(object) = shown.as_object_mut() {
        object.insert("checks".into(), validation.checks());
    }
    shown
}

impl NewProvider {
    fn proposed(self, tenancy: &Tenancy, now: UnixSeconds) -> Result<IdentityProvider, Problem> {
        Ok(IdentityProvider {
            teamspace_id: tenancy.teamspace.id.clone(),
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
    fn apply(&self, old: &IdentityProvider) -> Result<IdentityProvider, Problem> {
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

fn checked_scope(text: &str) -> Result<String, Problem> {
    let scopes: Vec<String> = text.split(' ').filter(|s| !s.is_empty()).map(str::to_owned).collect();
    check::scopes(&scopes)?;
    Ok(scopes.join(" "))
}

fn checked_groups_claim(text: &str) -> Result<String, Problem> {
    match check::is_short_text(text) {
        true => Ok(text.to_owned()),
        false => {
            let detail = "groups_claim has 1 to 200 characters without control characters.";
            Err(Problem::invalid("groups_claim_invalid", detail))
        }
    }
}
