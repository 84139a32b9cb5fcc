//! The keys that an issuer publishes: the usable ones, and why the others are not.

use std::sync::Arc;

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::key::{ALLOWED_ALGORITHMS, Unusable, VerificationKey};
use super::shown;
use crate::model::trust::TrustedKey;

/// The most keys that are read from one set, and that are tried for one kid: with a thousand keys, one customer could
/// use up everybody's CPU.
const MAX_KEYS: usize = 100;
const MAX_CANDIDATES: usize = 4;
/// Most keys that a text names.
const MAX_NAMED: usize = 5;

/// A set of prepared keys.
pub struct KeySet {
    keys: Vec<Arc<VerificationKey>>,
    left_out: Vec<LeftOut>,
}

/// A key that is published and cannot be used.
#[derive(Debug, Clone)]
pub struct LeftOut {
    kid: Option<String>,
    why: Unusable,
}

/// Why there is no set.
#[derive(Debug, thiserror::Error)]
#[error("the key set has no usable public signing key ({ALLOWED_ALGORITHMS}; RSA of 2048 bits or more){0}")]
pub struct NoUsableKey(String);

impl KeySet {
    /// Reads a JWK Set (RFC 7517 §5); keys that we cannot use are left out.
    pub fn parse(json: &Value) -> Result<Self, NoUsableKey> {
        let published =
            json.get("keys").and_then(Value::as_array).ok_or_else(|| NoUsableKey(String::new()))?;
        let mut set = Self { keys: Vec::new(), left_out: Vec::new() };
        for jwk in published.iter().take(MAX_KEYS) {
            match VerificationKey::from_jwk(jwk) {
                Ok(key) => set.keys.push(Arc::new(key)),
                Err(why) => {
                    let kid = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
                    set.left_out.push(LeftOut { kid, why });
                }
            }
        }
        match set.keys.is_empty() {
            true => {
                Err(NoUsableKey(set.left_out_shown().map(|text| format!(": {text}")).unwrap_or_default()))
            }
            false => Ok(set),
        }
    }

    /// The set as text to be stored: the usable keys without anything that verifying does not need, and the names of
    /// the others.
    pub fn to_stored(&self) -> String {
        let keys: Vec<Value> = self.keys.iter().map(|key| key.to_jwk()).collect();
        let left_out: Vec<&str> =
            self.left_out.iter().filter_map(|left_out| left_out.kid.as_deref()).collect();
        json!({ "keys": keys, "left_out": left_out }).to_string()
    }

    /// A stored set. Its keys are checked as those of a fetched one are.
    pub fn of_stored(text: &str) -> Result<Self, NoUsableKey> {
        let stored: Value = serde_json::from_str(text).map_err(|_| NoUsableKey(String::new()))?;
        let mut set = Self::parse(&stored)?;
        let left_out = stored.get("left_out").and_then(Value::as_array).into_iter().flatten();
        set.left_out.extend(left_out.filter_map(|kid| {
            Some(LeftOut { kid: Some(kid.as_str()?.to_owned()), why: Unusable::WhenFetched })
        }));
        Ok(set)
    }

    /// The names of the usable keys, sorted.
    pub fn trusted(&self) -> Vec<TrustedKey> {
        let mut names: Vec<TrustedKey> = self.keys.iter().map(|key| key.names()).collect();
        names.sort();
        names
    }

    /// How many keys can be used.
    pub fn usable(&self) -> usize {
        self.keys.len()
    }

    /// Whether a key was left out that may have been meant for signatures.
    pub fn lacks_signing_keys(&self) -> bool {
        self.left_out.iter().any(|left_out| !left_out.why.is_for_something_else())
    }

    /// Lists the keys that were left out, and why; none when all are used.
    pub fn left_out_shown(&self) -> Option<String> {
        let said = self.left_out.iter().take(MAX_NAMED).map(|LeftOut { kid, why }| match kid {
            Some(kid) => format!("the key {} {why}", shown(kid)),
            None => format!("a key without kid {why}"),
        });
        let mut said: Vec<String> = said.collect();
        let more = self.left_out.len().saturating_sub(said.len());
        if more > 0 {
            said.push(format!("and {more} more"));
        }
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// The keys to try: those with the given kid, or without a kid the only one that fits.
    pub fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<Arc<VerificationKey>> {
        let fitting = self.keys.iter().filter(|key| key.fits(algorithm));
        let Some(kid) = kid else {
            let all: Vec<_> = fitting.cloned().collect();
            return if all.len() == 1 { all } else { Vec::new() };
        };
        let named = fitting.filter(|key| key.kid.as_deref() == Some(kid));
        let named: Vec<_> = named.take(MAX_CANDIDATES).cloned().collect();
        match self.keys.as_slice() {
            // A key need not have a kid (RFC 7517 §4.5): the only key of a set is the one that is meant.
            [only] if only.kid.is_none() && only.fits(algorithm) && self.why_left_out(kid).is_none() => {
                vec![Arc::clone(only)]
            }
            _ => named,
        }
    }

    fn why_left_out(&self, kid: &str) -> Option<&Unusable> {
        let found = self.left_out.iter().find(|left_out| left_out.kid.as_deref() == Some(kid));
        found.map(|left_out| &left_out.why)
    }

    /// Explains why no key fits, for the administrator of the issuer's teamspace.
    pub fn why_none(&self, kid: Option<&str>, algorithm: Algorithm) -> String {
        let Some(kid) = kid else {
            let fitting = self.keys.iter().filter(|key| key.fits(algorithm)).count();
            return format!("the assertion names no key; exactly one must fit its alg, and {fitting} do");
        };
        if let Some(why) = self.why_left_out(kid) {
            return format!("the key {} is there, but {why}", shown(kid));
        }
        if self.keys.iter().any(|key| key.kid.as_deref() == Some(kid)) {
            return format!("the key {} is there, but is not for the alg of the assertion", shown(kid));
        }
        format!("the key set has no key {}; it has {}", shown(kid), self.names())
    }

    fn names(&self) -> String {
        let named = self.keys.iter().filter_map(|key| key.kid.as_deref());
        let mut names: Vec<String> = named.clone().take(MAX_NAMED).map(shown).collect();
        let more = named.count().saturating_sub(names.len());
        if more > 0 {
            names.push(format!("{more} more"));
        }
        let nameless = self.keys.iter().filter(|key| key.kid.is_none()).count();
        if nameless > 0 {
            names.push(format!("{nameless} without kid"));
        }
        names.join(", ")
    }
}
