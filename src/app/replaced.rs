//! Handles a replaced database: restored from a backup, or without its last writes after a failover.

use super::App;
use crate::clock::{Clock, rfc3339};
use crate::config::Config;
use crate::model::revocation::{Revocation, RevocationCause};
use crate::store::state::{self, State};
use crate::store::{AnyConnection, Store, StoreError, revocations};

/// Begins to serve a database. A restored one does not know which assertions were used after its backup, so assertions
/// issued before now are refused from here on. Nor does it know what was revoked since, so every token ends.
pub(super) async fn begin_to_serve(
    store: &Store,
    config: &Config,
    clock: &dyn Clock,
) -> Result<(), StoreError> {
    if !store.read(State::read).await?.is_restored() {
        return Ok(());
    }
    // An issuer's clock may be ahead by as much.
    let from = clock.now() + config.assertion.clock_skew.as_secs() + 1;
    let ended = Revocation::of_everything(RevocationCause::DatabaseRestored, clock.now());
    let serve = move |c: &mut AnyConnection| -> Result<bool, StoreError> {
        let is_first = state::serve_from(c, from)?;
        if is_first {
            revocations::add_of_all_issued(c, ended)?;
        }
        Ok(is_first)
    };
    if store.configure(serve).await? {
        let from = rfc3339(from);
        tracing::warn!(from, "the database was restored: assertions issued before this time are refused");
    }
    Ok(())
}

impl App {
    /// Forgets what this process knows about the database's content. The configuration is left out: its generations
    /// show a change by themselves.
    pub(super) async fn forget_database(&self) -> Result<(), StoreError> {
        tracing::error!("the database was replaced; everything remembered about it is read again");
        self.member_cache.forget_all(self.snapshot().generation.number);
        self.forget_kept_sets();
        self.store.forget_bodies();
        begin_to_serve(&self.store, &self.config, &*self.clock).await
    }
}
