//! Handles a replaced database: restored from a backup, or without its last writes after a failover.

use super::App;
use crate::clock::{Clock, rfc3339};
use crate::config::Config;
use crate::store::state::{self, State};
use crate::store::{Store, StoreError};

/// Begins to serve a database. A restored one does not know which assertions were used after its backup, so assertions
/// issued before now are refused from here on.
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
    if store.configure(move |c| Ok::<_, StoreError>(state::serve_from(c, from)?)).await? {
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
