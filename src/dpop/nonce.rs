//! Nonces: a sender who has a fresh one has not made its proofs in advance (RFC 9449 §8, §9, §11.2).
//!
//! Nothing is stored. A nonce is a code of the time by a key that is derived from a signing key, which all replicas share.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::UnixSeconds;
use crate::signing::{Signer, SigningKey};

/// How long a nonce is given out, in seconds. It is good for as long again.
const GIVEN_OUT: i64 = 150;

/// The nonces of a time.
#[derive(Debug)]
pub struct Nonces {
    /// None without an active key.
    current: Option<String>,
    /// The current ones of all keys, those before, and those of replicas whose clocks are ahead.
    good: Vec<String>,
}

impl Nonces {
    /// Those of this time. A nonce outlives the end of its key's turn. Without a key no nonce is good.
    pub fn at(signer: &Signer, now: UnixSeconds) -> Self {
        let turn = now.div_euclid(GIVEN_OUT);
        let turns = [turn, turn.saturating_sub(1), turn.saturating_add(1)];
        let of_key = |key| turns.map(|turn| nonce(key, turn));
        let good = signer.published().iter().flat_map(of_key).collect();
        Self { current: signer.active(now).map(|key| nonce(key, turn)), good }
    }

    /// The one that is given out.
    pub fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    /// Whether a proof with this nonce is fresh. It is no secret: everybody can ask for it.
    pub(super) fn has(&self, nonce: &str) -> bool {
        self.good.iter().any(|good| good == nonce)
    }
}

fn nonce(key: &SigningKey, turn: i64) -> String {
    URL_SAFE_NO_PAD.encode(key.nonce_code(&turn.to_be_bytes()))
}
