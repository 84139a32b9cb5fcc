//! A sign-in under way. All there is to know of it follows from what the browser keeps in a cookie.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::{Nonce, PkceCodeVerifier};
use subtle::ConstantTimeEq as _;

use super::error::SignInError;
use crate::clock::{MAX_DIFFERENCE, UnixSeconds};
use crate::random::{NoEntropy, digest, secret};

/// How long somebody may take at the provider, in seconds.
pub const LIFETIME: i64 = 600;

/// A sign-in that has begun and is not finished.
pub struct Attempt {
    secret: String,
    started_at: UnixSeconds,
    /// The page that it leads to; empty for the first one.
    pub next: String,
}

impl Attempt {
    /// Begins one.
    pub fn begin(next: String, now: UnixSeconds) -> Result<Self, NoEntropy> {
        Ok(Self { secret: secret()?, started_at: now, next })
    }

    /// The text that the browser keeps.
    pub fn to_cookie(&self) -> String {
        format!("{}.{}.{}", self.secret, self.started_at, URL_SAFE_NO_PAD.encode(&self.next))
    }

    /// The one that a browser kept.
    pub fn from_cookie(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (secret, started_at, next) = (parts.next()?, parts.next()?, parts.next()?);
        let is_whole = URL_SAFE_NO_PAD.decode(secret).is_ok_and(|bytes| bytes.len() == 32);
        if !is_whole || parts.next().is_some() {
            return None;
        }
        let next = String::from_utf8(URL_SAFE_NO_PAD.decode(next).ok()?).ok()?;
        Some(Self { secret: secret.to_owned(), started_at: started_at.parse().ok()?, next })
    }

    /// Whether an answer of the provider is for this one, and comes in time.
    pub fn check(&self, state: &str, now: UnixSeconds) -> Result<(), SignInError> {
        if !bool::from(self.state().as_bytes().ct_eq(state.as_bytes())) {
            return Err(SignInError::WrongState);
        }
        // Another replica may have begun it, whose clock may be ahead.
        let (from, until) =
            (self.started_at.checked_sub(MAX_DIFFERENCE), self.started_at.checked_add(LIFETIME));
        let is_in_time = from.is_some_and(|from| now >= from) && until.is_some_and(|until| now < until);
        if is_in_time { Ok(()) } else { Err(SignInError::TooLate) }
    }

    /// The value that binds the provider's answer to this browser.
    pub fn state(&self) -> String {
        self.derive("state")
    }

    /// The value that binds the ID token to this sign-in.
    pub(super) fn nonce(&self) -> Nonce {
        Nonce::new(self.derive("nonce"))
    }

    /// The value that binds the code to this sign-in (RFC 7636).
    pub(super) fn verifier(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.derive("verifier"))
    }

    /// The name under which the database knows that it was finished.
    pub fn digest(&self) -> String {
        digest(&self.secret)
    }

    fn derive(&self, label: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
        let text = format!("{label} {} {}", self.started_at, self.next);
        URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes()))
    }
}
