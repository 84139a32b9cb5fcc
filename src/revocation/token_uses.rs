//! Counts how often tokens are looked at. Each look costs two additions; the counts are written in steps.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::KnownToken;
use crate::clock::UnixSeconds;
use crate::store::token_uses::{self, TokenUse};
use crate::store::{Store, StoreError};

/// The most tokens whose uses are counted between two writes.
const MOST_TOKENS: usize = 100_000;
/// Tokens that one transaction writes.
const PORTION: usize = 500;

/// Who looked at a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookedAtBy {
    /// A resource server, by introspection.
    Introspection,
    /// A proxy, by forward-auth.
    ForwardAuth,
}

/// The uses of one token that are not written yet.
#[derive(Debug, Default)]
pub struct UseCounter {
    introspections: AtomicI64,
    forward_auths: AtomicI64,
    first_used_at: AtomicI64,
    last_used_at: AtomicI64,
    /// Whether the token is among those to be written.
    is_listed: AtomicBool,
}

/// The tokens that were used since the last write.
#[derive(Default)]
pub struct TokenUses {
    used: Mutex<Vec<Arc<KnownToken>>>,
    uncounted: AtomicU64,
}

impl TokenUses {
    /// Counts a look at an active token.
    pub fn count(&self, token: &Arc<KnownToken>, by: LookedAtBy, now: UnixSeconds) {
        let uses = &token.uses;
        let count = match by {
            LookedAtBy::Introspection => &uses.introspections,
            LookedAtBy::ForwardAuth => &uses.forward_auths,
        };
        count.fetch_add(1, Ordering::Relaxed);
        uses.last_used_at.store(now, Ordering::Relaxed);
        if !uses.is_listed.swap(true, Ordering::AcqRel) {
            uses.first_used_at.store(now, Ordering::Relaxed);
            self.list(token);
        }
    }

    fn list(&self, token: &Arc<KnownToken>) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() < MOST_TOKENS {
            used.push(Arc::clone(token));
        } else {
            // It stays unlisted, so that it is counted again after the next write.
            token.uses.is_listed.store(false, Ordering::Release);
            self.uncounted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many looks found no room.
    pub fn uncounted(&self) -> u64 {
        self.uncounted.load(Ordering::Relaxed)
    }

    /// Writes the counts. Those of a portion that cannot be written are lost.
    pub async fn flush(&self, store: &Store) -> Result<(), StoreError> {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        for portion in used.chunks(PORTION) {
            let uses: Vec<TokenUse> = portion.iter().map(|token| token.take_uses()).collect();
            store.write(move |c| token_uses::add(c, &uses)).await?;
        }
        Ok(())
    }
}

impl KnownToken {
    /// What was counted since the last time.
    fn take_uses(&self) -> TokenUse {
        let uses = &self.uses;
        // From here on, another look lists the token again.
        uses.is_listed.store(false, Ordering::Release);
        TokenUse {
            token_id: self.token.token_id.clone(),
            introspections: uses.introspections.swap(0, Ordering::Relaxed),
            forward_auths: uses.forward_auths.swap(0, Ordering::Relaxed),
            first_used_at: uses.first_used_at.load(Ordering::Relaxed),
            last_used_at: uses.last_used_at.load(Ordering::Relaxed),
            expires_at: self.token.expires_at,
        }
    }
}
