//! Proofs that were used at MCP servers, remembered by this process for as long as they could pass the clock again (RFC
//! 9449 §11.1).

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::clock::UnixSeconds;
use crate::random::short_digest;
use crate::store::ledger::ProofUse;

/// Longest time during which one proof can be accepted, in seconds: from its earliest to its latest time, and one for
/// fractions.
const LIFE: i64 = 2 * super::proof::WINDOW + 1;
/// The most proofs in each of the two generations, some 60 bytes each.
const GENERATION_SIZE: usize = 262_144;

/// Why a proof is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// It was used before.
    Used,
    /// There is no room to remember it by, so a second use would not be noticed.
    Full,
}

/// The used proofs. Only holders of a bound token add to them.
#[derive(Default)]
pub struct UsedProofs(Mutex<ProofGenerations>);

/// A generation is filled for the life of a proof, then kept for as long again.
#[derive(Default)]
struct ProofGenerations {
    young: HashSet<Box<str>>,
    old: HashSet<Box<str>>,
    young_since: UnixSeconds,
}

impl UsedProofs {
    /// Uses a proof up.
    pub fn take(&self, used: &ProofUse, now: UnixSeconds) -> Result<(), NotTaken> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back keeps them for longer.
        if now.saturating_sub(generations.young_since) >= LIFE {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_since = now;
        }
        let key = short_digest(&used.id);
        if generations.young.contains(key) || generations.old.contains(key) {
            return Err(NotTaken::Used);
        }
        if generations.young.len() >= GENERATION_SIZE {
            return Err(NotTaken::Full);
        }
        generations.young.insert(key.into());
        Ok(())
    }
}
