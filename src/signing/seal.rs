//! Encryption of private keys at rest: AES-256-GCM if a key for that is configured.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::SigningError;
use crate::config::Secret;
use crate::store::signing_keys::StoredKey;

const NONCE: usize = 12;

fn cipher(secret: &Secret) -> Result<RandomizedNonceKey, SigningError> {
    let bytes = URL_SAFE_NO_PAD.decode(secret.expose()).map_err(|_| SigningError::BadEncryptionKey)?;
    RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| SigningError::BadEncryptionKey)
}

/// The stored text, and whether it is encrypted. The kid is authenticated with it, so that two rows
/// cannot be swapped.
pub(super) fn seal(kid: &str, pkcs8: &[u8], secret: Option<&Secret>) -> Result<(String, bool), SigningError> {
    let Some(secret) = secret else { return Ok((URL_SAFE_NO_PAD.encode(pkcs8), false)) };
    let mut sealed = pkcs8.to_vec();
    let nonce = cipher(secret)?
        .seal_in_place_append_tag(Aad::from(kid), &mut sealed)
        .map_err(|_| SigningError::Generation)?;
    let all: Vec<u8> = nonce.as_ref().iter().copied().chain(sealed).collect();
    Ok((URL_SAFE_NO_PAD.encode(all), true))
}

/// The PKCS#8 of a stored key.
pub(super) fn open(stored: &StoredKey, secret: Option<&Secret>) -> Result<Vec<u8>, SigningError> {
    let damaged = || SigningError::Damaged(stored.kid.clone());
    let bytes = URL_SAFE_NO_PAD.decode(&stored.private_key).map_err(|_| damaged())?;
    if !stored.encrypted {
        return Ok(bytes);
    }
    let secret = secret.ok_or_else(|| SigningError::Sealed(stored.kid.clone()))?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE).ok_or_else(damaged)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
    let mut sealed = sealed.to_vec();
    let opened = cipher(secret)?
        .open_in_place(nonce, Aad::from(stored.kid.as_str()), &mut sealed)
        .map_err(|_| SigningError::Sealed(stored.kid.clone()))?;
    Ok(opened.to_vec())
}
