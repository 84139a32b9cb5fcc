//! Our signing keys: which one signs now, and which are published (RFC 7517).

mod key;
mod seal;

use serde_json::{Value, json};

use crate::clock::UnixSeconds;
use crate::config::{Config, Secret, SigningAlg};
use crate::model::signing_key::{self, split_retired};
use crate::random::{NoEntropy, token};
use crate::store::signing_keys::{self, StoredKey};
use crate::store::{Store, StoreError};
pub use key::{JwtType, SigningKey};
use seal::{open, seal};

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The database failed, or did not answer in time.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored key with this `kid` cannot be read.
    #[error("signing key {0} is damaged")]
    Damaged(String),
    /// The stored key with this `kid` needs the encryption key, which is absent or another one.
    #[error("signing key {0} is encrypted; set keys.encryption_key to the key that it was encrypted with")]
    Sealed(String),
    /// The encryption key that is configured has another length or form.
    #[error("keys.encryption_key must be 32 bytes, base64url without padding")]
    BadEncryptionKey,
    /// The stored key with this `kid` was encrypted with neither of the two keys.
    #[error(
        "signing key {0} is encrypted with another key; give the one that it was encrypted with: --old-key-file FILE"
    )]
    OtherKey(String),
    /// There is no key to encrypt with.
    #[error("there is no key to encrypt with; set `keys.encryption_key_file` to the new key first")]
    NoEncryptionKey,
    /// The cryptographic library made no key.
    #[error("a key cannot be generated")]
    Generation,
    /// The system gave no random bytes.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The cryptographic library made no signature.
    #[error("cannot sign")]
    Sign,
}

/// The keys, latest first.
#[derive(Default)]
pub struct Signer {
    keys: Vec<SigningKey>,
    jwks: String,
}

impl Signer {
    /// Prepares stored keys; at least one is needed.
    pub fn prepare(stored: &[StoredKey], config: &Config, now: UnixSeconds) -> Result<Self, SigningError> {
        let secret = config.keys.encryption_key.as_ref();
        let (published, _) = split_retired(stored, now);
        let keys = published.iter().map(|key| unpack(key, secret)).collect::<Result<Vec<_>, _>>()?;
        let public: Vec<&Value> = keys.iter().map(SigningKey::public_jwk).collect();
        let jwks = json!({ "keys": public }).to_string();
        Ok(Self { keys, jwks })
    }

    /// The key that signs at a given time. If no key is due because the clock was set back, the oldest one signs.
    pub fn active(&self, now: UnixSeconds) -> Option<&SigningKey> {
        signing_key::active(&self.keys, now).or(self.keys.last())
    }

    /// The published key with an id.
    pub fn key(&self, kid: &str) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.kid() == kid)
    }

    /// All of them, latest first.
    pub fn published(&self) -> &[SigningKey] {
        &self.keys
    }

    /// The published key that writes exactly this encoded header into its access tokens.
    pub fn key_with_header(&self, header: &str) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.writes_header(header))
    }

    /// The published key set, as it is served.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }
}

fn unpack(stored: &StoredKey, secret: Option<&Secret>) -> Result<SigningKey, SigningError> {
    let pkcs8 = open(stored, secret)?;
    let alg = match stored.alg.as_str() {
        "ES256" => SigningAlg::Es256,
        "EdDSA" => SigningAlg::EdDsa,
        "RS256" => SigningAlg::Rs256,
        _ => return Err(SigningError::Damaged(stored.kid.clone())),
    };
    SigningKey::from_pkcs8(stored.kid.clone(), alg, stored.signs_from, &pkcs8)
}

/// Makes a key, to be stored.
pub fn generate(
    config: &Config,
    now: UnixSeconds,
    signs_from: UnixSeconds,
) -> Result<StoredKey, SigningError> {
    let alg = config.access_token.signing_alg;
    let kid = token::<12>()?;
    let pkcs8 = key::generate_pkcs8(alg)?;
    let key = SigningKey::from_pkcs8(kid.clone(), alg, signs_from, &pkcs8)?;
    let (private_key, encrypted) = seal(&kid, &pkcs8, config.keys.encryption_key.as_ref())?;
    Ok(StoredKey {
        kid,
        alg: alg.as_str().to_owned(),
        private_key,
        encrypted,
        public_jwk: key.public_jwk().to_string(),
        created_at: now,
        signs_from,
        number: 0,
    })
}

/// Encrypts a stored key with the configured encryption key. `old` is the one that it may be encrypted with. Returns
/// nothing if it is encrypted with the configured one already.
pub fn reencrypt(
    stored: &StoredKey,
    config: &Config,
    old: Option<&Secret>,
) -> Result<Option<StoredKey>, SigningError> {
    let new = config.keys.encryption_key.as_ref().ok_or(SigningError::NoEncryptionKey)?;
    if stored.encrypted && open(stored, Some(new)).is_ok() {
        return Ok(None);
    }
    let pkcs8 = open(stored, old).map_err(|error| match error {
        SigningError::Sealed(kid) => SigningError::OtherKey(kid),
        other => other,
    })?;
    let (private_key, encrypted) = seal(&stored.kid, &pkcs8, Some(new))?;
    Ok(Some(StoredKey { private_key, encrypted, ..stored.clone() }))
}

/// Whether the key that signs now has this algorithm.
fn signs_with(latest_first: &[StoredKey], alg: &str, now: UnixSeconds) -> bool {
    signing_key::active(latest_first, now).is_some_and(|key| key.alg == alg)
}

/// Warns about unencrypted keys. A configured encryption key applies only to keys made after it was set; older ones
/// stay as they are.
fn warn_of_plain(stored: &[StoredKey], config: &Config) {
    if config.keys.encryption_key.is_none() {
        return;
    }
    for key in stored.iter().filter(|key| !key.encrypted) {
        tracing::warn!(
            kid = key.kid,
            "this signing key is stored in plain text, though keys.encryption_key is set; run `countersign key \
             reencrypt`, or `countersign key rotate` if older backups may be known"
        );
    }
}

/// Makes sure that there is a key with the configured algorithm, and prepares all keys.
pub async fn load(store: &Store, config: &Config, now: UnixSeconds) -> Result<Signer, SigningError> {
    let stored = store.read(signing_keys::all).await?;
    warn_of_plain(&stored, config);
    let alg = config.access_token.signing_alg.as_str();
    if signs_with(&stored, alg, now) {
        return Signer::prepare(&stored, config, now);
    }
    let new = generate(config, now, now)?;
    tracing::info!(kid = new.kid, alg, "made a signing key");
    // Another process may have made one since: inside the transaction this is certain.
    let stored = store
        .configure(move |c| -> Result<_, StoreError> {
            let stored = signing_keys::all(c)?;
            if !signs_with(&stored, &new.alg, now) {
                signing_keys::add(c, &new)?;
            }
            signing_keys::all(c)
        })
        .await?;
    Signer::prepare(&stored, config, now)
}

/// Withdraws keys whose last token has expired.
pub async fn prune(store: &Store, now: UnixSeconds) -> Result<(), StoreError> {
    let stored = store.read(signing_keys::all).await?;
    let (_, retired) = split_retired(&stored, now);
    for kid in retired.iter().map(|key| key.kid.clone()) {
        store.configure(move |c| signing_keys::remove(c, &kid, now)).await?;
    }
    Ok(())
}
