//! Turns for newcomers. Where policies read the number of taken seats, many requests decided at once with the same
//! number would let only one person in, and all others would have to be decided again. So in each teamspace newcomers
//! come one after another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::oauth::error::{Reason, TokenError};

/// The most newcomers of a teamspace that wait or have their turn: each holds a slot of the gate.
const MAX_WAITING: usize = 128;

/// A newcomer's turn, until it is dropped.
pub type NewcomerTurn = OwnedMutexGuard<()>;

/// The teamspaces with newcomers who wait.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<String, Arc<AsyncMutex<()>>>>);

/// Too many wait already.
#[derive(Debug, thiserror::Error)]
#[error("too many newcomers of the teamspace wait for their turn")]
pub struct Busy;

impl Turns {
    /// Waits for a turn; who came first is first.
    pub async fn take(&self, teamspace_id: &str) -> Result<NewcomerTurn, Busy> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Each that waits holds one of them.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            let turn = turns.entry(teamspace_id.to_owned()).or_default();
            if Arc::strong_count(turn) > MAX_WAITING {
                return Err(Busy);
            }
            Arc::clone(turn)
        };
        Ok(turn.lock_owned().await)
    }
}

impl From<Busy> for TokenError {
    fn from(busy: Busy) -> Self {
        Self::unavailable(Reason::INTERNAL, busy)
    }
}
