//! The key that authenticates seals. It is derived from `keys.encryption_key`, which is not in the database: write
//! access to the database alone is not enough to forge our seals.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Seal;
use crate::config::Secret;
use crate::random::short_digest;

/// A key for seals.
#[derive(Clone)]
pub struct SealKey {
    key: Key,
    id: String,
}

impl SealKey {
    /// The key that belongs to an encryption key.
    pub fn of(secret: &Secret) -> Self {
        let own = sign(&Key::new(HMAC_SHA256, secret.expose().as_bytes()), b"countersign log seals");
        let key = Key::new(HMAC_SHA256, own.as_ref());
        let id = URL_SAFE_NO_PAD.encode(sign(&key, b"id"));
        Self { id: short_digest(&id).to_owned(), key }
    }

    /// Its name in seals, which does not reveal the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Authenticates a seal, including the note about pruning.
    pub(super) fn authenticate(&self, seal: &mut Seal) {
        self.id.clone_into(&mut seal.key_id);
        seal.code = self.code(seal);
    }

    /// Whether this key made the seal's code.
    pub(super) fn made(&self, seal: &Seal) -> bool {
        let code = self.code(seal);
        verify_slices_are_equal(code.as_bytes(), seal.code.as_bytes()).is_ok()
    }

    fn code(&self, seal: &Seal) -> String {
        let pruned = seal.pruned_before.map(|before| before.to_string()).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(sign(&self.key, format!("{}\0{pruned}", seal.digest).as_bytes()))
    }
}
