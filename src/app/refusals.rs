//! Writing down refusals that were only counted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::App;
use crate::store::StoreError;

/// The minute that `rate_limit.recorded_refusals_per_minute` is about.
const COUNT: Duration = Duration::from_secs(60);

impl App {
    /// Writes down how many refusals got no row of their own, for as long as the service runs.
    pub async fn record_refusals(self: Arc<Self>) {
        let mut timer = interval(COUNT);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            self.write_refusals().await;
        }
    }

    /// Writes them down now, and logs what cannot be written.
    pub async fn write_refusals(&self) {
        if let Err(error) = self.flush_refusals().await {
            tracing::warn!(%error, "cannot write down how many requests were refused");
        }
    }

    /// Writes the rows that stand for refusals which got none of their own; what cannot be written is counted on.
    pub async fn flush_refusals(&self) -> Result<(), StoreError> {
        let mut outcome = Ok(());
        for row in self.refusals.take(self.clock.now()) {
            let row = Arc::new(row);
            if let Err(error) = self.store.record(Arc::clone(&row)).await {
                self.refusals.give_back(&row);
                outcome = Err(error);
            }
        }
        outcome
    }
}
