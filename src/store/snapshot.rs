//! The whole configuration in memory: an exchange reads no configuration from the database.
//!
//! The collections share their unchanged parts with the snapshot before: one change costs as much with a hundred
//! thousand teamspaces as with ten.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdSet;

use super::changes::{self, Changed};
use super::state::Generation;
pub use super::teamspace_config::{IssuerProviders, TeamspaceConfig, TrustedProvider};
use super::{AnyConnection, StoreError, clients, identity_providers, kill_switches, resources, teamspaces};
use crate::model::client::RegisteredClient;
use crate::model::identity_provider::IdentityProvider;
use crate::model::kill_switch::KillSwitches;
use crate::model::resource::Resource;
use crate::model::teamspace::Teamspace;

/// Teamspaces that are read at a time.
const PORTION: i64 = 500;

/// A text that things are found by.
trait Key<T> {
    fn of(thing: &T) -> &str;
}

/// An object that is found by one of its own texts, which is not stored twice.
struct By<K, T>(Arc<T>, PhantomData<K>);

impl<K: Key<T>, T> By<K, T> {
    fn new(thing: &Arc<T>) -> Self {
        Self(Arc::clone(thing), PhantomData)
    }

    fn key(&self) -> &str {
        K::of(&self.0)
    }
}

impl<K, T> Clone for By<K, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

impl<K: Key<T>, T> Borrow<str> for By<K, T> {
    fn borrow(&self) -> &str {
        self.key()
    }
}

impl<K: Key<T>, T> PartialEq for By<K, T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<K: Key<T>, T> Eq for By<K, T> {}

impl<K: Key<T>, T> PartialOrd for By<K, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Key<T>, T> Ord for By<K, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key())
    }
}

/// Declares the texts that things are found by.
macro_rules! keys {
    ($($name:ident: $thing:ty => |$it:ident| $key:expr;)*) => {$(
        struct $name;
        impl Key<$thing> for $name {
            fn of($it: &$thing) -> &str {
                $key
            }
        }
    )*};
}

keys! {
    Slug: TeamspaceConfig => |teamspace_config| &teamspace_config.teamspace.slug;
    Id: TeamspaceConfig => |teamspace_config| &teamspace_config.teamspace.id;
    Issuer: IssuerProviders => |providers| providers.issuer();
    ClientId: RegisteredClient => |client| &client.client_id;
    Identifier: Resource => |resource| &resource.identifier;
    ResourceId: Resource => |resource| &resource.id;
    Normalized: Resource => |resource| &resource.normalized;
}

/// The configuration at one generation.
#[derive(Default, Clone)]
pub struct Snapshot {
    /// The generation of the database that it was read at.
    pub generation: Generation,
    by_slug: OrdSet<By<Slug, TeamspaceConfig>>,
    by_id: OrdSet<By<Id, TeamspaceConfig>>,
    by_issuer: OrdSet<By<Issuer, IssuerProviders>>,
    clients: OrdSet<By<ClientId, RegisteredClient>>,
    resources: OrdSet<By<Identifier, Resource>>,
    resources_by_id: OrdSet<By<ResourceId, Resource>>,
    resources_by_credential: Arc<HashMap<String, Arc<Resource>>>,
    by_normalized: OrdSet<By<Normalized, Resource>>,
    kill_switches: KillSwitches,
}

impl Snapshot {
    /// Reads everything at once.
    pub fn load(connection: &mut AnyConnection) -> Result<Self, StoreError> {
        let mut snapshot = Self { generation: changes::current(connection)?, ..Self::default() };
        snapshot.load_teamspaces(connection)?;
        for client in clients::all(connection)? {
            snapshot.clients.insert(By::new(&Arc::new(client)));
        }
        snapshot.load_resources(connection)?;
        snapshot.kill_switches = kill_switches::all(connection)?;
        Ok(snapshot)
    }

    /// This snapshot with the changes up to a generation.
    pub fn with(
        &self,
        connection: &mut AnyConnection,
        generation: Generation,
        changed: &[Changed],
    ) -> Result<Self, StoreError> {
        let mut new = Self { generation, ..self.clone() };
        for change in changed {
            match change {
                Changed::Teamspace(id) => new.reload_teamspace(connection, id)?,
                Changed::Client(id) => {
                    new.clients.remove(id.as_str());
                    new.clients
                        .extend(clients::find(connection, id)?.map(|client| By::new(&Arc::new(client))));
                }
                Changed::Resource(_) => new.load_resources(connection)?,
                Changed::KillSwitches => new.kill_switches = kill_switches::all(connection)?,
                Changed::Members(_) | Changed::SigningKeys => {}
            }
        }
        Ok(new)
    }

    /// They are read in portions: otherwise the rows would take as much memory again, and leave holes.
    fn load_teamspaces(&mut self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let mut last = String::new();
        loop {
            let teamspaces = teamspaces::after_slug(connection, &last, PORTION)?;
            let Some(end) = teamspaces.last() else { return Ok(()) };
            last.clone_from(&end.slug);
            let ids: Vec<&str> = teamspaces.iter().map(|teamspace| teamspace.id.as_str()).collect();
            let mut providers: HashMap<String, Vec<Arc<IdentityProvider>>> = HashMap::new();
            for provider in identity_providers::of_teamspaces(connection, &ids)? {
                providers.entry(provider.teamspace_id.clone()).or_default().push(Arc::new(provider));
            }
            for teamspace in teamspaces {
                let identity_providers = providers.remove(&teamspace.id).unwrap_or_default();
                self.insert_teamspace(TeamspaceConfig { teamspace, identity_providers });
            }
        }
    }

    fn reload_teamspace(&mut self, connection: &mut AnyConnection, id: &str) -> Result<(), StoreError> {
        let old = self.teamspace_config_by_id(id).cloned();
        if let Some(old) = &old {
            self.by_slug.remove(old.teamspace.slug.as_str());
            self.by_id.remove(id);
            for provider in &old.identity_providers {
                self.change_issuer(&provider.issuer, |known| known.remove(&provider.id));
            }
        }
        let new = teamspaces::find(connection, id)?;
        let slug = |teamspace: Option<&Teamspace>| teamspace.map(|teamspace| teamspace.slug.clone());
        let renamed = slug(old.as_ref().map(|old| &old.teamspace)) != slug(new.as_ref());
        if let Some(teamspace) = new {
            let providers = identity_providers::of_teamspaces(connection, &[id])?;
            let identity_providers = providers.into_iter().map(Arc::new).collect();
            self.insert_teamspace(TeamspaceConfig { teamspace, identity_providers });
        }
        // Resources are offered to teamspaces by their slugs.
        if renamed { self.load_resources(connection) } else { Ok(()) }
    }

    fn insert_teamspace(&mut self, teamspace_config: TeamspaceConfig) {
        let teamspace_config = Arc::new(teamspace_config);
        self.by_slug.insert(By::new(&teamspace_config));
        self.by_id.insert(By::new(&teamspace_config));
        for provider in &teamspace_config.identity_providers {
            let (teamspace_config, provider) = (Arc::clone(&teamspace_config), Arc::clone(provider));
            let issuer = provider.issuer.clone();
            self.change_issuer(&issuer, |known| known.insert(TrustedProvider { teamspace_config, provider }));
        }
    }

    fn change_issuer(&mut self, issuer: &str, change: impl FnOnce(&mut IssuerProviders)) {
        let known = self.by_issuer.remove(issuer);
        let mut providers = known.map(|By(providers, _)| Arc::unwrap_or_clone(providers)).unwrap_or_default();
        change(&mut providers);
        if !providers.is_empty() {
            self.by_issuer.insert(By::new(&Arc::new(providers)));
        }
    }

    /// All of them are read: there are few, and one with a new identifier would be hard to find.
    fn load_resources(&mut self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let resources: Vec<_> = resources::all(connection)?.into_iter().map(Arc::new).collect();
        self.resources = resources.iter().map(By::new).collect();
        self.by_normalized = resources.iter().map(By::new).collect();
        self.resources_by_id = resources.iter().map(By::new).collect();
        let with_credentials = |resource: &Arc<Resource>| {
            let ids = resource.credentials.iter().map(|credential| credential.client_id.clone());
            ids.map(|id| (id, Arc::clone(resource))).collect::<Vec<_>>()
        };
        self.resources_by_credential = Arc::new(resources.iter().flat_map(with_credentials).collect());
        Ok(())
    }

    /// Every teamspace, by slug.
    pub fn teamspace_configs(&self) -> impl Iterator<Item = &Arc<TeamspaceConfig>> {
        self.by_slug.iter().map(|By(teamspace_config, _)| teamspace_config)
    }

    /// The teamspaces from a slug on, by slug.
    pub fn teamspace_configs_from(&self, slug: &str) -> impl Iterator<Item = &Arc<TeamspaceConfig>> {
        let from = (Bound::Included(slug), Bound::Unbounded);
        self.by_slug.range::<_, str>(from).map(|By(teamspace_config, _)| teamspace_config)
    }

    /// A teamspace by its slug.
    pub fn teamspace_config(&self, slug: &str) -> Option<&Arc<TeamspaceConfig>> {
        self.by_slug.get(slug).map(|By(teamspace_config, _)| teamspace_config)
    }

    /// A teamspace by its id.
    pub fn teamspace_config_by_id(&self, id: &str) -> Option<&Arc<TeamspaceConfig>> {
        self.by_id.get(id).map(|By(teamspace_config, _)| teamspace_config)
    }

    /// The slug of a teamspace, by its id.
    pub fn slug_of(&self, id: &str) -> Option<String> {
        self.teamspace_config_by_id(id).map(|teamspace_config| teamspace_config.teamspace.slug.clone())
    }

    /// The identity providers with an issuer, compared byte for byte.
    pub fn providers_of(&self, issuer: &str) -> Option<&IssuerProviders> {
        self.by_issuer.get(issuer).map(|By(providers, _)| &**providers)
    }

    /// A client by its id.
    pub fn client(&self, client_id: &str) -> Option<&Arc<RegisteredClient>> {
        self.clients.get(client_id).map(|By(client, _)| client)
    }

    /// Every client, by id.
    pub fn clients(&self) -> impl Iterator<Item = &Arc<RegisteredClient>> {
        self.clients.iter().map(|By(client, _)| client)
    }

    /// The kill switches that are on.
    pub fn kill_switches(&self) -> &KillSwitches {
        &self.kill_switches
    }

    /// Every resource, by identifier.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.iter().map(|By(resource, _)| resource)
    }

    /// A resource by its id.
    pub fn resource_by_id(&self, id: &str) -> Option<&Arc<Resource>> {
        self.resources_by_id.get(id).map(|By(resource, _)| resource)
    }

    /// The resource that has credentials with this id.
    pub fn resource_by_credential(&self, client_id: &str) -> Option<&Arc<Resource>> {
        self.resources_by_credential.get(client_id)
    }

    /// A resource by its identifier, byte for byte.
    pub fn resource_named(&self, identifier: &str) -> Option<&Arc<Resource>> {
        self.resources.get(identifier).map(|By(resource, _)| resource)
    }

    /// A resource by its normalized identifier.
    pub fn resource(&self, normalized: &str) -> Option<&Arc<Resource>> {
        self.by_normalized.get(normalized).map(|By(resource, _)| resource)
    }
}
