//! Our signing keys: makes new ones and withdraws old ones.

use serde_json::{Value, json};

use super::change::Change;
use super::error::AdminError;
use crate::clock::{UnixSeconds, rfc3339};
use crate::config::{Config, Secret};
use crate::model::signing_key::{PUBLISH_AHEAD, active};
use crate::signing::{self, Signer, generate};
use crate::store::Store;
use crate::store::signing_keys::{self, StoredKey};

/// Makes a new key. It is published at once. It signs from now on, or after a delay, so that verifiers know it by
/// then.
pub async fn rotate(
    store: &Store,
    config: &Config,
    at_once: bool,
    now: UnixSeconds,
) -> Result<StoredKey, AdminError> {
    let key = next(store, config, at_once, now).await?;
    store
        .write(move |c| {
            rotated(&key).record_of_command(c, now)?;
            signing_keys::add(c, &key)?;
            Ok(key)
        })
        .await
}

/// Makes the next key, which signs from now on or after a delay.
pub(super) async fn next(
    store: &Store,
    config: &Config,
    at_once: bool,
    now: UnixSeconds,
) -> Result<StoredKey, AdminError> {
    // If it were made with another encryption key than the existing ones, the service could not use it.
    Signer::prepare(&store.read(signing_keys::all).await?, config, now)?;
    Ok(generate(config, now, if at_once { now } else { now + PUBLISH_AHEAD })?)
}

/// The change that a new key is.
pub(super) fn rotated(key: &StoredKey) -> Change {
    Change::noted("signing_key.rotate", &key.kid, None).with(view(key))
}

/// Encrypts all stored keys with the configured encryption key, and tells how many were not before. `old` is the key
/// that they may be encrypted with.
pub async fn reencrypt(
    store: &Store,
    config: &Config,
    old: Option<Secret>,
    now: UnixSeconds,
) -> Result<usize, AdminError> {
    let config = config.clone();
    store
        .configure(move |c| {
            let keys = signing_keys::all(c)?;
            let anew = keys.iter().map(|key| signing::reencrypt(key, &config, old.as_ref()));
            let anew: Vec<StoredKey> = anew.filter_map(Result::transpose).collect::<Result<_, _>>()?;
            anew.iter().try_for_each(|key| signing_keys::replace_private_part(c, key))?;
            if !anew.is_empty() {
                let change = Change::noted("signing_key.reencrypt", "", None);
                change.with(json!({ "keys": anew.len() })).record_of_command(c, now)?;
            }
            Ok(anew.len())
        })
        .await
}

/// Withdraws a key that is not signing now. Its tokens stop working once verifiers have fetched the key set again.
pub async fn remove(store: &Store, kid: String, now: UnixSeconds) -> Result<(), AdminError> {
    store
        .configure(move |c| {
            let keys = signing_keys::all(c)?;
            if active(&keys, now).is_some_and(|key| key.kid == kid) {
                return Err(AdminError::KeySigns);
            }
            let removed = keys.iter().find(|key| key.kid == kid).map(view);
            if signing_keys::remove(c, &kid, now)? == 0 {
                return Err(AdminError::NoSuchKey);
            }
            let change = Change::noted("signing_key.remove", kid, None).replacing(removed);
            Ok(change.record_of_command(c, now)?)
        })
        .await
}

/// A key as the audit log keeps it.
fn view(key: &StoredKey) -> Value {
    json!({
        "alg": key.alg,
        "encrypted": key.encrypted,
        "created_at": rfc3339(key.created_at),
        "signs_from": rfc3339(key.signs_from),
    })
}
