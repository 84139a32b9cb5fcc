//! Keeps in the database what was fetched about issuers: their keys, for the time in which an issuer does not answer,
//! and every change of keys and metadata, for people.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::clock::{MAX_DIFFERENCE, UnixSeconds};
use crate::model::actor_kind::ActorKind;
use crate::model::identity_provider::IdentityProvider;
use crate::model::trust::{NamedByMetadata, TrustChange, TrustChangeKind, TrustedKey, TrustedParts};
use crate::random::digest;
use crate::store::admin_events::{self, NewAdminEvent};
use crate::store::issuer_keys::{self, StoredKeys};
use crate::store::{AnyConnection, Store, StoreError, identity_providers, trust_changes};

/// A provider may change its metadata as often as it likes. The audit log gets one row in this time, in seconds.
const AUDIT_INTERVAL: i64 = 3600;

/// What was fetched about an issuer in one go.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The issuer, as it is configured.
    pub issuer: String,
    /// The configured address of its keys.
    pub jwks_uri: String,
    /// The time of the fetch.
    pub at: UnixSeconds,
    /// What its metadata names.
    pub named: NamedByMetadata,
    /// Its keys; none if they could not be fetched.
    pub keys: Option<ObservedKeys>,
}

/// Keys as they were fetched.
#[derive(Debug, Clone)]
pub struct ObservedKeys {
    /// The text of the set that is stored.
    pub stored: String,
    /// The names of the usable keys, sorted.
    pub names: Vec<TrustedKey>,
    /// For how many seconds they are good without asking again.
    pub max_age: i64,
}

impl Observation {
    /// Tells it from others, but for its time.
    pub fn digest(&self) -> String {
        let keys = self.keys.as_ref().map(|keys| keys.stored.as_str());
        digest(&json!([self.jwks_uri, self.named, keys]).to_string())
    }
}

/// The changes that an observation brought to light.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Noticed {
    keys: u64,
    metadata: u64,
}

/// How many changes this process was the first to notice.
#[derive(Debug, Default)]
struct TrustCounts {
    keys: AtomicU64,
    metadata: AtomicU64,
}

/// Writes observations to the database.
#[derive(Clone)]
pub struct TrustRecord {
    store: Store,
    counts: Arc<TrustCounts>,
}

impl TrustRecord {
    /// A record in this database.
    pub fn new(store: Store) -> Self {
        Self { store, counts: Arc::default() }
    }

    /// How often providers published other keys, as far as this process was the first to notice.
    pub fn key_changes(&self) -> u64 {
        self.counts.keys.load(Ordering::Relaxed)
    }

    /// How often their metadata began to name something else, in the same sense.
    pub fn metadata_changes(&self) -> u64 {
        self.counts.metadata.load(Ordering::Relaxed)
    }

    /// The stored keys of an issuer from an address.
    pub async fn stored(&self, issuer: &str, jwks_uri: &str) -> Result<Option<StoredKeys>, StoreError> {
        let (issuer, jwks_uri) = (issuer.to_owned(), jwks_uri.to_owned());
        let found = self.store.read(move |c| issuer_keys::find(c, &issuer)).await?;
        Ok(found.filter(|keys| keys.jwks_uri == jwks_uri))
    }

    /// Writes what is new about an issuer, all of it or nothing.
    pub async fn write(&self, seen: Observation) -> Result<(), StoreError> {
        let noticed = self.store.write(move |c| write(c, &seen)).await?;
        self.counts.keys.fetch_add(noticed.keys, Ordering::Relaxed);
        self.counts.metadata.fetch_add(noticed.metadata, Ordering::Relaxed);
        Ok(())
    }

    /// Writes to the audit log that a client's metadata document has other keys than before.
    pub async fn note_client_keys(
        &self,
        client_id: &str,
        (old, new): (&Value, &Value),
        at: UnixSeconds,
    ) -> Result<(), StoreError> {
        let event = NewAdminEvent {
            at,
            actor: client_id.to_owned(),
            actor_kind: ActorKind::ClientDocument,
            actor_id: client_id.to_owned(),
            address: String::new(),
            action: "client_document.keys_changed".to_owned(),
            object: client_id.to_owned(),
            teamspace_id: None,
            request_id: String::new(),
            old_value: Some(old.to_string()),
            new_value: Some(new.to_string()),
        };
        self.store.write(move |c| Ok::<_, StoreError>(admin_events::append(c, &event)?)).await
    }
}

fn write(connection: &mut AnyConnection, seen: &Observation) -> Result<Noticed, StoreError> {
    connection.lock_trust()?;
    let mut noticed = Noticed::default();
    let mut providers = identity_providers::with_issuer(connection, &seen.issuer)?;
    // Somebody may have saved another address since the keys were fetched.
    providers.retain(|provider| provider.jwks_uri == seen.jwks_uri);
    if providers.is_empty() {
        return Ok(noticed);
    }
    let has_new_keys = store_keys(connection, seen)?;
    for provider in &providers {
        if has_new_keys {
            noticed.keys += u64::from(note_keys(connection, seen, provider)?);
        }
        let is_new = note_metadata(connection, seen, provider)?;
        noticed.metadata += u64::from(is_new && !seen.named.agrees(&seen.issuer, &seen.jwks_uri));
    }
    Ok(noticed)
}

/// Stores the keys, unless another process has fetched them later. Returns whether they are others than the stored
/// ones. A time in the future is wrong, whoever wrote it.
fn store_keys(connection: &mut AnyConnection, seen: &Observation) -> Result<bool, StoreError> {
    let Some(keys) = &seen.keys else { return Ok(false) };
    let before = issuer_keys::find(connection, &seen.issuer)?;
    let is_later =
        |before: &StoredKeys| before.fetched_at > seen.at && before.fetched_at <= seen.at + MAX_DIFFERENCE;
    if before.as_ref().is_some_and(is_later) {
        return Ok(false);
    }
    let is_same = |before: &StoredKeys| before.jwks_uri == seen.jwks_uri && before.keys == keys.stored;
    let has_new = !before.as_ref().is_some_and(is_same);
    // For the same keys the time is enough, and that only when the old one no longer covers them.
    let is_due = |before: &StoredKeys| !(0..keys.max_age).contains(&(seen.at - before.fetched_at));
    if has_new || before.as_ref().is_some_and(is_due) {
        let row = StoredKeys {
            issuer: seen.issuer.clone(),
            jwks_uri: seen.jwks_uri.clone(),
            keys: keys.stored.clone(),
            fetched_at: seen.at,
            max_age: keys.max_age,
        };
        issuer_keys::put(connection, &row)?;
    }
    Ok(has_new)
}

/// Notes that a provider publishes other keys than were last known. Returns whether it does.
fn note_keys(
    connection: &mut AnyConnection,
    seen: &Observation,
    provider: &IdentityProvider,
) -> Result<bool, StoreError> {
    let Some(keys) = &seen.keys else { return Ok(false) };
    let old = trust_changes::last_keys(connection, &provider.id)?;
    if old.as_ref() == Some(&keys.names) {
        return Ok(false);
    }
    let of = |keys| TrustedParts { keys: Some(keys), ..TrustedParts::default() };
    let (old, new) = (old.map(of), Some(of(keys.names.clone())));
    trust_changes::append(connection, &by_provider(seen, provider, TrustChangeKind::Keys, (old, new)))?;
    Ok(true)
}

fn by_provider(
    seen: &Observation,
    provider: &IdentityProvider,
    kind: TrustChangeKind,
    (old, new): (Option<TrustedParts>, Option<TrustedParts>),
) -> TrustChange {
    let (provider_id, none) = (provider.id.clone(), String::new());
    TrustChange { provider_id, at: seen.at, kind, actor: none.clone(), request_id: none, old, new }
}

/// Notes that the metadata names something else than it did. Returns whether it does.
fn note_metadata(
    connection: &mut AnyConnection,
    seen: &Observation,
    provider: &IdentityProvider,
) -> Result<bool, StoreError> {
    let newest = trust_changes::newest_of_metadata(connection, std::slice::from_ref(&provider.id))?;
    let newest = newest.get(&provider.id);
    let saved = NamedByMetadata { issuer: seen.issuer.clone(), jwks_uri: Some(seen.jwks_uri.clone()) };
    let before = newest.and_then(named_in).unwrap_or(saved);
    if before == seen.named {
        return Ok(false);
    }
    let parts = |named: &NamedByMetadata| TrustedParts {
        issuer: Some(named.issuer.clone()),
        jwks_uri: named.jwks_uri.clone(),
        ..TrustedParts::default()
    };
    let sides = (Some(parts(&before)), Some(parts(&seen.named)));
    trust_changes::append(connection, &by_provider(seen, provider, TrustChangeKind::Metadata, sides))?;
    if newest.is_none_or(|newest| seen.at - newest.at >= AUDIT_INTERVAL) {
        admin_events::append(connection, &audit_row(seen, provider, &before))?;
    }
    Ok(true)
}

/// What the metadata named, by a change of it.
pub fn named_in(change: &TrustChange) -> Option<NamedByMetadata> {
    let new = change.new.as_ref()?;
    Some(NamedByMetadata { issuer: new.issuer.clone()?, jwks_uri: new.jwks_uri.clone() })
}

fn audit_row(seen: &Observation, provider: &IdentityProvider, before: &NamedByMetadata) -> NewAdminEvent {
    let value = |named: &NamedByMetadata| {
        json!({ "metadata": { "issuer": named.issuer, "jwks_uri": named.jwks_uri } }).to_string()
    };
    NewAdminEvent {
        at: seen.at,
        actor: provider.name.clone(),
        actor_kind: ActorKind::IdentityProvider,
        actor_id: provider.id.clone(),
        address: String::new(),
        action: "identity_provider.metadata_changed".to_owned(),
        object: provider.id.clone(),
        teamspace_id: Some(provider.teamspace_id.clone()),
        request_id: String::new(),
        old_value: Some(value(before)),
        new_value: Some(value(&seen.named)),
    }
}
