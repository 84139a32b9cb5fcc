//! The identity providers of a teamspace: whose assertions it believes.

use std::borrow::Borrow;
use std::sync::Arc;

use super::caller::{ChangeAuthor, InTeamspace};
use super::change::Change;
use super::error::AdminError;
pub use super::provider_form::{
    NewProvider, OnlyProviderView, ProviderPatch, ProviderView, SeenProvider, view, view_of_only,
};
use super::teamspaces::find_named;
use super::trust_notes;
use super::validation::{ValidatedProvider, Validation, issuer_taken, unknown_scope};
use crate::clock::UnixSeconds;
use crate::model::identity_provider::{IdentityProvider, Provider};
use crate::model::revocation::{Revocation, RevocationCause};
use crate::model::teamspace::Teamspace;
use crate::model::trust::TrustedKey;
use crate::policy::ConsoleAction;
use crate::store::changes::{self, Changed};
use crate::store::snapshot::TeamspaceConfig;
use crate::store::{AnyConnection, StoreError, identity_providers, provider_checks};

/// Most identity providers of a teamspace.
const MAX_PROVIDERS: usize = 20;

/// How a request names an identity provider of a teamspace.
#[derive(Debug, Clone)]
pub enum Which {
    /// The only one. With several, the request is refused.
    Only,
    /// The one with this id.
    Id(String),
}

impl Which {
    fn find<'p, P: Borrow<IdentityProvider>>(
        &self,
        all: &'p [P],
    ) -> Result<Option<&'p IdentityProvider>, AdminError> {
        match (self, all) {
            (Self::Id(id), all) => Ok(all.iter().map(Borrow::borrow).find(|provider| provider.id == *id)),
            (Self::Only, []) => Ok(None),
            (Self::Only, [only]) => Ok(Some(only.borrow())),
            (Self::Only, _) => Err(AdminError::SeveralIdentityProviders),
        }
    }

    /// Its name in the audit log.
    fn object(&self, slug: &str) -> String {
        match self {
            Self::Only => slug.to_owned(),
            Self::Id(id) => format!("{slug}/{id}"),
        }
    }

    /// Returns the provider that the request named, as the request found it.
    pub fn configured<'t>(
        &self,
        teamspace_config: &'t TeamspaceConfig,
    ) -> Result<&'t IdentityProvider, AdminError> {
        self.find(&teamspace_config.identity_providers)?.ok_or(AdminError::NotFound)
    }
}

/// The provider that an administrator's edit starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basis {
    /// A new one.
    Nothing,
    /// The existing one, to be replaced: named by its id, or the only one.
    Replaced,
    /// The one that is there.
    Changed,
}

/// Adds an identity provider once it has passed the checks.
pub async fn add(
    at: &InTeamspace,
    new: NewProvider,
) -> Result<(IdentityProvider, Option<Validation>), AdminError> {
    let which = Which::Id(uuid::Uuid::now_v7().to_string());
    Edit::new(at, which, Basis::Nothing, new.into()).save(at).await
}

/// Replaces an identity provider once it has passed the checks. On the singular path it may not exist yet, and
/// settings that the path does not cover are kept: name, tenant, custom claims and the
/// client id of logout tokens.
pub async fn put(
    at: &InTeamspace,
    which: Which,
    new: NewProvider,
) -> Result<(IdentityProvider, Option<Validation>), AdminError> {
    Edit::new(at, which, Basis::Replaced, new.into()).save(at).await
}

/// Changes an identity provider. A new issuer or product, and switching on, are validated like a new provider. Other
/// changes need no answer from the issuer, so switching off always works.
pub async fn change(
    at: &InTeamspace,
    which: Which,
    patch: ProviderPatch,
) -> Result<(IdentityProvider, Option<Validation>), AdminError> {
    Edit::new(at, which, Basis::Changed, patch).save(at).await
}

/// Changes an identity provider, unless somebody else has changed it since it was seen.
pub async fn change_seen(
    at: &InTeamspace,
    id: String,
    (patch, seen): (ProviderPatch, SeenProvider),
) -> Result<(IdentityProvider, Option<Validation>), AdminError> {
    let edit = Edit::new(at, Which::Id(id), Basis::Changed, patch);
    Edit { seen: Some(seen), ..edit }.save(at).await
}

/// Takes the keys of an identity provider from the address that its metadata name now, which an administrator has seen.
/// It is validated like a new provider.
pub async fn confirm_jwks_uri(
    at: &InTeamspace,
    which: Which,
    seen: String,
) -> Result<(IdentityProvider, Option<Validation>), AdminError> {
    let edit = Edit::new(at, which, Basis::Changed, ProviderPatch::default());
    Edit { confirmed: Some(seen), ..edit }.save(at).await
}

/// Removes an identity provider: nobody signs in with it any more.
pub async fn remove(at: &InTeamspace, which: Which) -> Result<(), AdminError> {
    let permission = at.may(ConsoleAction::ChangeEnterprise)?;
    let (teamspace_config, now) = (Arc::clone(at.teamspace_config()), at.app.clock.now());
    at.change(permission, move |c| {
        let Teamspace { id, slug, .. } = find_named(c, &teamspace_config.teamspace)?;
        let all = identity_providers::of_teamspaces(c, &[&id])?;
        let old = which.find(&all)?.ok_or(AdminError::NotFound)?;
        identity_providers::delete(c, &old.id)?;
        let (changed, object) = (Changed::Teamspace(id), which.object(&slug));
        let revoked = Revocation::of_provider(old, RevocationCause::ProviderRemoved, now);
        let change = Change::removed(changed, "identity_provider.delete", object, view(old));
        Ok(((), change.revoking([revoked])))
    })
    .await
}

/// Validates the saved configuration and keeps only the result.
pub async fn check(at: &InTeamspace, which: &Which) -> Result<Validation, AdminError> {
    at.may(ConsoleAction::ChangeEnterprise)?;
    let provider = which.configured(at.teamspace_config())?;
    let validation = validate(at, provider).await?;
    let checks = validation.kept(&provider.id, at.app.clock.now());
    let kept = at.app.store.write(move |c| Ok::<_, StoreError>(provider_checks::put(c, &checks)?)).await;
    if let Err(error) = kept {
        tracing::warn!(%error, "cannot store the results of an identity provider's checks");
    }
    Ok(validation)
}

/// Asks the issuer, which may be slow: a teamspace may have only a few such requests under way.
async fn validate(at: &InTeamspace, proposed: &IdentityProvider) -> Result<Validation, AdminError> {
    let _place = at.enter_heavy()?;
    Validation::run(at, proposed).await
}

/// An administrator's edit. It is applied first to the version that the request found, which is validated, and then to
/// the current version inside the transaction.
struct Edit {
    which: Which,
    basis: Basis,
    patch: ProviderPatch,
    /// The provider as the administrator saw it. If it has changed since, it is not overwritten.
    seen: Option<SeenProvider>,
    /// The address of the keys that the administrator has confirmed.
    confirmed: Option<String>,
    /// The id of one that is added.
    new_id: String,
    now: UnixSeconds,
    /// Whether the edit may make several teamspaces share an issuer.
    may_share: bool,
    /// The error to return when another teamspace has the issuer.
    taken: AdminError,
    author: ChangeAuthor,
}

impl Edit {
    fn new(at: &InTeamspace, which: Which, basis: Basis, patch: ProviderPatch) -> Self {
        let new_id = match &which {
            Which::Id(id) => id.clone(),
            Which::Only => uuid::Uuid::now_v7().to_string(),
        };
        let (may_share, taken) = (at.is_operator(), issuer_taken(at));
        let (now, author) = (at.app.clock.now(), at.actor());
        Self { which, basis, patch, seen: None, confirmed: None, new_id, now, may_share, taken, author }
    }

    async fn save(self, at: &InTeamspace) -> Result<(IdentityProvider, Option<Validation>), AdminError> {
        let permission = at.may(ConsoleAction::ChangeEnterprise)?;
        let teamspace_config = Arc::clone(at.teamspace_config());
        let current = self.which.find(&teamspace_config.identity_providers)?;
        let proposed = self.applied(&teamspace_config.teamspace.id, current)?;
        let validation = match self.is_to_be_validated(current, &proposed) {
            true => Some(validate(at, &proposed).await?),
            false => None,
        };
        if validation.is_none() && self.patch.has_scope() {
            check_scope(at, &proposed.scope)?;
        }
        let validated = validation.as_ref().map(|validation| validation.good(&proposed.id, self.now));
        let validated = validated.transpose()?;
        self.check_confirmed(validated.as_ref())?;
        let teamspace = teamspace_config.teamspace.clone();
        let saved = at.change(permission, move |c| self.perform(c, &teamspace, &proposed, validated)).await?;
        Ok((saved, validation))
    }

    fn perform(
        self,
        connection: &mut AnyConnection,
        named: &Teamspace,
        proposed: &IdentityProvider,
        validated: Option<ValidatedProvider>,
    ) -> Result<(IdentityProvider, Change), AdminError> {
        let teamspace = find_named(connection, named)?;
        let all = identity_providers::of_teamspaces(connection, &[&teamspace.id])?;
        let old = self.which.find(&all)?;
        let mut new = self.applied(&teamspace.id, old)?;
        let is_validated = new.issuer == proposed.issuer && new.provider == proposed.provider;
        match &validated {
            Some(validated) if is_validated => new.jwks_uri.clone_from(&validated.jwks_uri),
            None if !self.is_to_be_validated(old, &new) => {}
            _ => return Err(AdminError::ChangedMeanwhile),
        }
        check_among(&all, &new)?;
        self.check_free(connection, old, &new)?;
        identity_providers::put(connection, &new).map_err(|e| self.taken.if_duplicate(e))?;
        if let Some(validated) = &validated {
            provider_checks::put(connection, &validated.checks)?;
        }
        let keys = validated.map(|validated| validated.keys);
        trust_notes::note_saved(connection, (old, &new), keys.clone(), &self.author)?;
        share(connection, &new, keys)?;
        let changed = Changed::Teamspace(new.teamspace_id.clone());
        let object = self.which.object(&teamspace.slug);
        let cause = old.and_then(|old| why_revoked(old, &new));
        let revoked = cause.map(|cause| Revocation::of_provider(&new, cause, self.now));
        let change =
            Change::added(changed, "identity_provider.put", object, view(&new)).replacing(old.map(view));
        Ok((new, change.revoking(revoked)))
    }

    /// Checks that the metadata still name the address that the administrator has seen.
    fn check_confirmed(&self, validated: Option<&ValidatedProvider>) -> Result<(), AdminError> {
        let found = validated.map(|validated| &validated.jwks_uri);
        match &self.confirmed {
            Some(confirmed) if found != Some(confirmed) => Err(AdminError::JwksUriDiffers),
            _ => Ok(()),
        }
    }

    /// The provider as it is to be.
    fn applied(
        &self,
        teamspace_id: &str,
        old: Option<&IdentityProvider>,
    ) -> Result<IdentityProvider, AdminError> {
        let is_other = |seen: &SeenProvider| old.is_some_and(|old| *seen != SeenProvider::from(old));
        if self.seen.as_ref().is_some_and(is_other) {
            return Err(AdminError::ChangedMeanwhile);
        }
        let basis = match (self.basis, old, &self.which) {
            (Basis::Changed, None, _) | (Basis::Replaced, None, Which::Id(_)) => {
                return Err(AdminError::NotFound);
            }
            (Basis::Changed, Some(old), _) | (Basis::Replaced, Some(old), Which::Only) => old.clone(),
            (Basis::Replaced, Some(old), Which::Id(_)) => {
                let (id, created_at) = (old.id.clone(), old.created_at);
                IdentityProvider { id, created_at, ..self.unwritten(teamspace_id) }
            }
            (Basis::Nothing, ..) | (Basis::Replaced, None, Which::Only) => self.unwritten(teamspace_id),
        };
        Ok(IdentityProvider { updated_at: self.now, ..self.patch.apply(&basis)? })
    }

    /// A provider of which nothing is written yet.
    fn unwritten(&self, teamspace_id: &str) -> IdentityProvider {
        let provider = self.patch.provider().unwrap_or(Provider::Oidc);
        IdentityProvider {
            id: self.new_id.clone(),
            teamspace_id: teamspace_id.to_owned(),
            name: provider.default_name().to_owned(),
            provider,
            issuer: String::new(),
            tenant: None,
            jwks_uri: String::new(),
            scope: String::new(),
            groups_claim: String::new(),
            custom_claims: Vec::new(),
            logout_client_id: None,
            saml_issuer: None,
            link_by: None,
            enabled: true,
            created_at: self.now,
            updated_at: self.now,
        }
    }

    fn is_to_be_validated(&self, old: Option<&IdentityProvider>, new: &IdentityProvider) -> bool {
        let is_other = |old: &IdentityProvider| {
            new.issuer != old.issuer || new.provider != old.provider || (new.enabled && !old.enabled)
        };
        self.basis != Basis::Changed || self.confirmed.is_some() || old.is_none_or(is_other)
    }

    /// Checks that issuer and tenant lead to one teamspace only: otherwise an administrator could claim another
    /// customer's people. For the same reason only operators may let several teamspaces share an issuer, or tell them
    /// apart by tenant. This check comes last, so that only someone who names a working issuer learns anything.
    fn check_free(
        &self,
        connection: &mut AnyConnection,
        old: Option<&IdentityProvider>,
        new: &IdentityProvider,
    ) -> Result<(), AdminError> {
        let is_same = |old: &IdentityProvider| (&old.issuer, &old.tenant) == (&new.issuer, &new.tenant);
        if self.may_share || old.is_some_and(is_same) {
            return Ok(());
        }
        if !identity_providers::is_others_issuer(connection, &new.issuer, &new.teamspace_id)? {
            return Ok(());
        }
        // Who tries many of them looks for customers.
        tracing::warn!(
            teamspace_id = new.teamspace_id,
            issuer = new.issuer,
            "a teamspace tried to save another teamspace's issuer"
        );
        Err(AdminError::IssuerUnavailable)
    }
}

/// The new key address holds for every teamspace that trusts this issuer.
fn share(
    connection: &mut AnyConnection,
    new: &IdentityProvider,
    keys: Option<Vec<TrustedKey>>,
) -> Result<(), StoreError> {
    let at = new.updated_at;
    for other in identity_providers::share_jwks_uri(connection, new)? {
        trust_notes::note_shared(connection, &other, (&new.jwks_uri, keys.clone()), at)?;
        changes::note(connection, &Changed::Teamspace(other.teamspace_id), at)?;
    }
    Ok(())
}

/// Why a change ends the tokens of the people who signed in with the provider, if it does.
fn why_revoked(old: &IdentityProvider, new: &IdentityProvider) -> Option<RevocationCause> {
    match old.enabled && !new.enabled {
        true => Some(RevocationCause::ProviderDisabled),
        false => ((&old.issuer, &old.tenant) != (&new.issuer, &new.tenant))
            .then_some(RevocationCause::ProviderChanged),
    }
}

/// Checks that there is room for a provider beside the teamspace's others, and that it can be told apart from them.
fn check_among(all: &[IdentityProvider], new: &IdentityProvider) -> Result<(), AdminError> {
    let others = || all.iter().filter(|other| other.id != new.id);
    if others().count() >= MAX_PROVIDERS {
        return Err(AdminError::TooManyIdentityProviders);
    }
    if others().any(|other| other.name == new.name) {
        return Err(AdminError::ProviderNameTaken);
    }
    match others().any(|other| (&other.issuer, &other.tenant) == (&new.issuer, &new.tenant)) {
        true => Err(AdminError::IssuerTwice),
        false => Ok(()),
    }
}

fn check_scope(at: &InTeamspace, setting: &str) -> Result<(), AdminError> {
    let snapshot = at.app.snapshot();
    let unknown = unknown_scope(&snapshot, &at.teamspace_config().teamspace.slug, setting);
    unknown.map_or(Ok(()), |scope| Err(AdminError::ScopeUnknown(scope.to_owned())))
}
