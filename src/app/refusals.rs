//! Writes down refusals that were only counted.

use std::sync::Arc;

use super::App;
use crate::store::StoreError;

impl App {
    /// Writes the rows that stand for counted refusals. Those that cannot be written stay counted.
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
