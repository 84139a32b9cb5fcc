//! Verified tokens by their digest: a token that comes again is not verified again.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest;
use foldhash::quality::RandomState;
use tokio::sync::OnceCell;

use super::UseCounter;
use crate::policy::TokenFacts;
use crate::token::{AccessToken, TokenMarks};

/// The most tokens in each of the two generations: about a kilobyte each, and a few more for those whose sign-in policies
/// about tools were asked about.
const GENERATION_SIZE: usize = 32_768;

type TokenDigest = [u8; 32];

/// A verified token, with what belongs to it for one resource.
#[derive(Debug)]
pub struct KnownToken {
    /// Its claims.
    pub token: AccessToken,
    /// The id of the resource that its audience led to.
    pub resource_id: String,
    /// What can revoke it.
    pub marks: TokenMarks,
    /// How often it was looked at.
    pub uses: UseCounter,
    /// The email of its member, once somebody needed it; empty if there is none.
    pub email: OnceCell<String>,
    /// The facts of the sign-in that led to it, once somebody needed them; none if the log does not have them.
    pub facts: OnceCell<Option<TokenFacts>>,
}

/// The tokens that were verified. Nobody without a valid token can add one.
#[derive(Default)]
pub struct KnownTokens(RwLock<TokenGenerations>);

/// When the young generation is full, it becomes the old one, and tokens that were not used since are dropped.
#[derive(Default)]
struct TokenGenerations {
    young: HashMap<TokenDigest, Arc<KnownToken>, RandomState>,
    old: HashMap<TokenDigest, Arc<KnownToken>, RandomState>,
}

fn digest_of(token: &str) -> TokenDigest {
    let mut digested = [0; 32];
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    digested.iter_mut().zip(digest.as_ref()).for_each(|(byte, of_digest)| *byte = *of_digest);
    digested
}

impl KnownTokens {
    /// A token that was verified before; otherwise `verify` says what it is.
    pub fn find_or(
        &self,
        token: &str,
        verify: impl FnOnce() -> Option<KnownToken>,
    ) -> Option<Arc<KnownToken>> {
        let digest = digest_of(token);
        let (known, is_young) = self.find(&digest);
        match known {
            Some(known) if is_young => Some(known),
            Some(known) => Some(self.keep(digest, known)),
            None => Some(self.keep(digest, Arc::new(verify()?))),
        }
    }

    fn find(&self, digest: &TokenDigest) -> (Option<Arc<KnownToken>>, bool) {
        let generations = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match generations.young.get(digest) {
            Some(known) => (Some(Arc::clone(known)), true),
            None => (generations.old.get(digest).cloned(), false),
        }
    }

    fn keep(&self, digest: TokenDigest, token: Arc<KnownToken>) -> Arc<KnownToken> {
        let mut generations = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if generations.young.len() >= GENERATION_SIZE {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(digest, Arc::clone(&token));
        token
    }
}
