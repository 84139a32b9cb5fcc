//! Takes over what was written to the database, by this process or another: the configuration, revocations and keys.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{App, StartError, references, replaced};
use crate::model::revocation::Revocation;
use crate::signing;
use crate::store::changes::{self, Changed, ConfigDelta};
use crate::store::ledger::{self, ClientAssertionUse};
use crate::store::snapshot::{Snapshot, TeamspaceConfig};
use crate::store::{AnyConnection, Conflict, StoreError, revocations as store_revocations};

impl App {
    /// Reloads whatever was written to the database. An issuer whose configuration changed is asked again.
    ///
    /// The configuration comes first and by itself: even when a signing key is broken, a disabled client or issuer
    /// must be out.
    pub async fn reload(&self) -> Result<(), StartError> {
        let _one_at_a_time = self.reloading.lock().await;
        let old = self.snapshot();
        if let Some((new, changed)) = self.store.read(move |c| catch_up(c, &old)).await? {
            if changed.is_none() {
                replaced::begin_to_serve(&self.store, &self.config, &*self.clock).await?;
            }
            if changed.as_ref().is_none_or(|changed| changed.contains(&Changed::SigningKeys)) {
                self.keys_stale.store(true, Ordering::Relaxed);
            }
            self.forget_changed(&new, changed.as_deref());
            self.snapshot.store(Arc::new(new));
            if references::changes_names(changed.as_deref()) {
                self.tell_unknown_names();
            }
        }
        self.revoked.follow(&self.store, &*self.clock).await?;
        if self.keys_stale.load(Ordering::Relaxed) {
            self.reload_keys().await;
        }
        Ok(())
    }

    /// Records revocations that leave the configuration as it is, and returns once they are in force in this process.
    pub async fn revoke(&self, revocations: Vec<Revocation>) -> Result<(), StartError> {
        self.store.write(move |c| add_revocations(c, &revocations)).await?;
        self.follow_revocations().await
    }

    /// Records revocations for a client that authenticated by an assertion, and uses the assertion up in the same
    /// transaction. Writes nothing if it was used before.
    pub async fn revoke_once(
        &self,
        used: ClientAssertionUse,
        revocations: Vec<Revocation>,
    ) -> Result<Option<Conflict>, StartError> {
        let write = move |c: &mut AnyConnection| -> Result<Option<Conflict>, StoreError> {
            let conflict = ledger::consume_client_assertion(c, &used)?;
            if conflict.is_none() {
                add_revocations(c, &revocations)?;
            }
            Ok(conflict)
        };
        let conflict = self.store.write(write).await?;
        self.follow_revocations().await?;
        Ok(conflict)
    }

    /// Uses up an assertion by which somebody authenticated for something that writes nothing.
    pub async fn use_client_assertion(
        &self,
        used: ClientAssertionUse,
    ) -> Result<Option<Conflict>, StoreError> {
        self.store.write(move |c| ledger::consume_client_assertion(c, &used)).await
    }

    async fn follow_revocations(&self) -> Result<(), StartError> {
        let _one_at_a_time = self.reloading.lock().await;
        Ok(self.revoked.follow(&self.store, &*self.clock).await?)
    }

    /// Reloads the signing keys. If they cannot be read now, the next poll tries again.
    async fn reload_keys(&self) {
        match signing::load(&self.store, &self.config, self.clock.now()).await {
            Ok(signer) => {
                self.signer.store(Arc::new(signer));
                self.keys_stale.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                tracing::error!(%error, "cannot load the signing keys; the previous ones stay in force")
            }
        }
    }

    /// Forgets cached knowledge about the changed parts, or all of it when the changes are unknown.
    fn forget_changed(&self, new: &Snapshot, changed: Option<&[Changed]>) {
        let old = self.snapshot();
        let Some(changed) = changed else {
            self.member_cache.forget_all(new.generation.number);
            return old.teamspace_configs().for_each(|before| self.forget_issuers(before, new));
        };
        for change in changed {
            match change {
                Changed::Teamspace(id) => {
                    if let Some(before) = old.teamspace_config_by_id(id) {
                        self.forget_issuers(before, new);
                    }
                }
                Changed::Members(teamspace_id) => {
                    self.member_cache.forget_teamspace(teamspace_id, new.generation.number);
                }
                Changed::Client(id) => self.client_keys.forget(id),
                Changed::Resource(id) => {
                    let credentials =
                        old.resource_by_id(id).into_iter().flat_map(|resource| &resource.credentials);
                    credentials.for_each(|credential| self.client_keys.forget(&credential.client_id));
                }
                Changed::SigningKeys | Changed::KillSwitches => {}
            }
        }
    }

    /// Where several teamspaces share an issuer, none of them can force its keys to be fetched again.
    fn forget_issuers(&self, before: &TeamspaceConfig, new: &Snapshot) {
        for provider in &before.identity_providers {
            let (issuer, id) = (provider.issuer.as_str(), provider.id.as_str());
            let after = new.providers_of(issuer);
            let is_shared = after.is_some_and(|providers| providers.only_teamspace().is_none());
            let is_same =
                || new.teamspace_config_by_id(&before.teamspace.id).and_then(|t| t.identity_provider(id));
            if !is_shared && is_same() != Some(provider) {
                self.issuer_keys.forget(issuer);
            }
        }
    }
}

fn add_revocations(connection: &mut AnyConnection, revocations: &[Revocation]) -> Result<(), StoreError> {
    revocations.iter().try_for_each(|revocation| store_revocations::add(connection, revocation))
}

/// The current configuration and what changed in it (`None` for everything); nothing when it is the same.
type CaughtUp = Option<(Snapshot, Option<Vec<Changed>>)>;

fn catch_up(connection: &mut AnyConnection, old: &Snapshot) -> Result<CaughtUp, StoreError> {
    Ok(match changes::since(connection, old.generation)? {
        (_, ConfigDelta::Nothing) => None,
        (latest, ConfigDelta::Some(changed)) => {
            Some((old.with(connection, latest, &changed)?, Some(changed)))
        }
        (_, ConfigDelta::Everything) => Some((Snapshot::load(connection)?, None)),
    })
}
