//! The whole configuration in memory: an exchange reads no configuration from the database.

use std::collections::HashMap;
use std::sync::Arc;

use super::clients::{self, RegisteredClient};
use super::identity_providers::{self, IdentityProvider};
use super::resources::{self, Resource};
use super::teamspaces::{self, Teamspace};
use super::{AnyConnection, StoreError, generation};

/// A teamspace with the identity provider that it believes, if one is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenancy {
    pub teamspace: Teamspace,
    pub identity_provider: Option<IdentityProvider>,
}

/// What was configured at one generation.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub generation: i64,
    tenancies: Vec<Arc<Tenancy>>,
    by_slug: HashMap<String, usize>,
    by_issuer: HashMap<String, usize>,
    clients: HashMap<String, Arc<RegisteredClient>>,
    resources: Vec<Arc<Resource>>,
    by_identifier: HashMap<String, usize>,
}

impl Snapshot {
    /// Reads everything at once.
    pub fn load(connection: &mut AnyConnection) -> Result<Self, StoreError> {
        // The generation first: a change that comes in between is then noticed as a newer one.
        let generation = generation(connection)?;
        let mut providers: HashMap<String, IdentityProvider> = identity_providers::all(connection)?
            .into_iter()
            .map(|provider| (provider.teamspace_id.clone(), provider))
            .collect();
        let tenancies = teamspaces::all(connection)?.into_iter().map(|teamspace| {
            let identity_provider = providers.remove(&teamspace.id);
            Arc::new(Tenancy { teamspace, identity_provider })
        });
        Ok(Self::of(generation, tenancies.collect(), clients::all(connection)?, resources::all(connection)?))
    }

    fn of(
        generation: i64,
        tenancies: Vec<Arc<Tenancy>>,
        clients: Vec<RegisteredClient>,
        resources: Vec<Resource>,
    ) -> Self {
        let by_slug = tenancies.iter().enumerate().map(|(i, t)| (t.teamspace.slug.clone(), i)).collect();
        let by_issuer = tenancies
            .iter()
            .enumerate()
            .filter_map(|(i, t)| Some((t.identity_provider.as_ref()?.issuer.clone(), i)))
            .collect();
        let by_identifier = resources.iter().enumerate().map(|(i, r)| (r.normalized.clone(), i)).collect();
        let clients = clients.into_iter().map(|c| (c.client_id.clone(), Arc::new(c))).collect();
        let resources = resources.into_iter().map(Arc::new).collect();
        Self { generation, tenancies, by_slug, by_issuer, clients, resources, by_identifier }
    }

    /// Every teamspace, by slug.
    pub fn tenancies(&self) -> &[Arc<Tenancy>] {
        &self.tenancies
    }

    /// A teamspace by its slug.
    pub fn tenancy(&self, slug: &str) -> Option<&Arc<Tenancy>> {
        self.by_slug.get(slug).and_then(|i| self.tenancies.get(*i))
    }

    /// The slug of a teamspace, by its id.
    pub fn slug_of(&self, id: &str) -> Option<String> {
        self.tenancies.iter().find(|t| t.teamspace.id == id).map(|t| t.teamspace.slug.clone())
    }

    /// The teamspace that believes an issuer, compared byte for byte.
    pub fn tenancy_of_issuer(&self, issuer: &str) -> Option<&Arc<Tenancy>> {
        self.by_issuer.get(issuer).and_then(|i| self.tenancies.get(*i))
    }

    /// A client by its id.
    pub fn client(&self, client_id: &str) -> Option<&Arc<RegisteredClient>> {
        self.clients.get(client_id)
    }

    /// Every client, in no order.
    pub fn clients(&self) -> impl Iterator<Item = &Arc<RegisteredClient>> {
        self.clients.values()
    }

    /// Every resource, by identifier.
    pub fn resources(&self) -> &[Arc<Resource>] {
        &self.resources
    }

    /// A resource by its normalized identifier.
    pub fn resource(&self, normalized: &str) -> Option<&Arc<Resource>> {
        self.by_identifier.get(normalized).and_then(|i| self.resources.get(*i))
    }
}
