//! Random identifiers and secrets, and the digests under which secrets are kept.

use aws_lc_rs::digest;
use aws_lc_rs::rand::fill;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The operating system gave no random bytes. Without them nothing may be issued.
#[derive(Debug, thiserror::Error)]
#[error("no random bytes from the system")]
pub struct NoEntropy;

/// `N` random bytes as base64url: only unreserved URL characters, so that both encodings of
/// HTTP Basic credentials (raw, and form-encoded as in RFC 6749 §2.3.1) are the same text.
pub fn token<const N: usize>() -> Result<String, NoEntropy> {
    let mut bytes = [0u8; N];
    fill(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A random number.
pub fn number() -> Result<i64, NoEntropy> {
    let mut bytes = [0u8; 8];
    fill(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(i64::from_ne_bytes(bytes))
}

/// A secret of 256 bits.
pub fn secret() -> Result<String, NoEntropy> {
    token::<32>()
}

/// SHA-256 as base64url. Secrets carry 256 random bits, so a slow hash would add nothing but
/// a way to exhaust the token endpoint's CPU.
pub fn digest(value: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, value.as_bytes()))
}

/// The first 132 bits of a [`digest()`]: that is still too long for anyone to find a collision, and half the size as a
/// key.
pub fn short_digest(digest: &str) -> &str {
    digest.get(..22).unwrap_or(digest)
}
