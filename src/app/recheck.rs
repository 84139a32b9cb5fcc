//! Asks the issuers that no sign-in needs, so that changes of their metadata and keys are noticed within a day.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::App;
use crate::clock::DAY;
use crate::store::snapshot::TrustedProvider;
use crate::store::{StoreError, issuer_keys};

/// Issuers that are read from the database at a time.
const PORTION: i64 = 200;
/// Issuers that are asked at the same time: few, since nobody waits for the answers.
const AT_ONCE: usize = 4;
/// How long an issuer that did not answer is left alone, in seconds.
const PAUSE: i64 = 3600;

impl App {
    /// Asks each issuer of an enabled provider whose keys no process has fetched for a day.
    pub async fn recheck_issuers(self: &Arc<Self>) -> Result<(), StoreError> {
        let before = self.clock.now() - DAY;
        let mut after = String::new();
        loop {
            let from = after;
            let read = move |c: &mut _| issuer_keys::not_fetched_since(c, before, &from, PORTION);
            let issuers = self.store.list(read).await?;
            let Some(last) = issuers.last() else { return Ok(()) };
            after = last.clone();
            self.look_at(issuers).await;
        }
    }

    async fn look_at(self: &Arc<Self>, issuers: Vec<String>) {
        let mut looks = JoinSet::new();
        for issuer in issuers {
            if looks.len() >= AT_ONCE {
                looks.join_next().await;
            }
            let app = Arc::clone(self);
            looks.spawn(async move { app.look_at_issuer(&issuer).await });
        }
        looks.join_all().await;
    }

    async fn look_at_issuer(&self, issuer: &str) {
        let snapshot = self.snapshot();
        let trusted = snapshot.providers_of(issuer).and_then(|providers| providers.enabled().next());
        if let Some(TrustedProvider { teamspace_config, provider }) = trusted {
            self.issuer_keys.look(&teamspace_config.teamspace.slug, provider, PAUSE).await;
        }
    }
}
