//! Teamspaces with the identity providers that they trust, and the choice of provider for an assertion.

use std::sync::Arc;

use crate::model::identity_provider::IdentityProvider;
use crate::model::teamspace::Teamspace;

/// A teamspace with the identity providers that it trusts, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamspaceConfig {
    /// The teamspace's own row.
    pub teamspace: Teamspace,
    /// The providers, those that are switched off included.
    pub identity_providers: Vec<Arc<IdentityProvider>>,
}

impl TeamspaceConfig {
    /// One of its identity providers.
    pub fn identity_provider(&self, id: &str) -> Option<&Arc<IdentityProvider>> {
        self.identity_providers.iter().find(|provider| provider.id == id)
    }
}

/// An identity provider with the teamspace that trusts it.
#[derive(Debug, Clone)]
pub struct TrustedProvider {
    /// The teamspace with all its providers.
    pub teamspace_config: Arc<TeamspaceConfig>,
    /// The one of them that is meant.
    pub provider: Arc<IdentityProvider>,
}

impl TrustedProvider {
    fn tenant(&self) -> Option<&str> {
        self.provider.tenant.as_deref()
    }

    fn teamspace_id(&self) -> &str {
        &self.provider.teamspace_id
    }
}

/// All identity providers with one issuer, by tenant; one without a tenant comes first. No two have the same tenant.
#[derive(Debug, Clone, Default)]
pub struct IssuerProviders(Vec<TrustedProvider>);

impl IssuerProviders {
    pub(super) fn issuer(&self) -> &str {
        self.0.first().map_or("", |trusted| &trusted.provider.issuer)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, trusted: TrustedProvider) {
        match self.place(trusted.tenant()) {
            // The database has none twice.
            Ok(at) | Err(at) => self.0.insert(at, trusted),
        }
    }

    pub(super) fn remove(&mut self, provider_id: &str) {
        self.0.retain(|trusted| trusted.provider.id != provider_id);
    }

    /// The teamspace that all of them belong to; none if several teamspaces share the issuer.
    pub fn only_teamspace(&self) -> Option<&Arc<TeamspaceConfig>> {
        let first = self.0.first()?;
        let is_same = |other: &TrustedProvider| other.teamspace_id() == first.teamspace_id();
        self.0.iter().all(is_same).then_some(&first.teamspace_config)
    }

    /// Whether a teamspace has one of them.
    pub fn is_of_teamspace(&self, teamspace_id: &str) -> bool {
        self.0.iter().any(|trusted| trusted.teamspace_id() == teamspace_id)
    }

    /// Those that are not switched off.
    pub fn enabled(&self) -> impl Iterator<Item = &TrustedProvider> {
        self.0.iter().filter(|trusted| trusted.provider.enabled)
    }

    /// Chooses the provider for an assertion of this issuer, by its `tenant` and `aud_tenant`
    /// (draft-ietf-oauth-identity-assertion-authz-grant §6.1, §6.3).
    ///
    /// A provider that pins a tenant takes only that tenant's assertions; one without a tenant takes those whose
    /// tenant nobody pins. If several teamspaces share the issuer, an unpinned tenant could be anybody's: then the
    /// assertion must name the teamspace.
    pub fn select(&self, tenant: Option<&str>, aud_tenant: Option<&str>) -> Option<&TrustedProvider> {
        let pinned = tenant.and_then(|tenant| self.with_tenant(Some(tenant)));
        let found = pinned.or_else(|| self.with_tenant(None))?;
        let is_certain = found.tenant() == tenant || self.only_teamspace().is_some();
        match aud_tenant {
            Some(named) => named == found.teamspace_config.teamspace.slug,
            None => is_certain,
        }
        .then_some(found)
    }

    /// The one that pins a tenant, or the one that pins none.
    pub fn with_tenant(&self, tenant: Option<&str>) -> Option<&TrustedProvider> {
        self.0.get(self.place(tenant).ok()?)
    }

    fn place(&self, tenant: Option<&str>) -> Result<usize, usize> {
        self.0.binary_search_by(|trusted| trusted.tenant().cmp(&tenant))
    }
}
