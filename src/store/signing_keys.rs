//! Our own signing keys, as they are kept.

use diesel::dsl::max;
use diesel::prelude::*;

use super::changes::{self, Changed};
use super::schema::signing_keys;
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;
use crate::model::signing_key::Scheduled;

/// A signing key.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = signing_keys)]
pub struct StoredKey {
    /// The key's identifier in the key set and in every token's header (RFC 7517 §4.5).
    pub kid: String,
    /// The JWS algorithm (RFC 7518 §3.1): `ES256`, `EdDSA` or `RS256`.
    pub alg: String,
    /// PKCS#8, base64url, encrypted if a key for that is configured.
    pub private_key: String,
    /// Whether `private_key` is encrypted with `keys.encryption_key`.
    pub encrypted: bool,
    /// JSON: the public key as the key set publishes it (RFC 7517 §4).
    pub public_jwk: String,
    /// The time at which it was made.
    pub created_at: UnixSeconds,
    /// The key is published before it signs, so that verifiers with a cached key set know it by then.
    pub signs_from: UnixSeconds,
    /// Keys have numbers in the order in which they were added: [`add`] gives them.
    pub number: i64,
}

impl Scheduled for StoredKey {
    fn signs_from(&self) -> UnixSeconds {
        self.signs_from
    }
}

/// All of them, latest first.
pub fn all(connection: &mut AnyConnection) -> Result<Vec<StoredKey>, StoreError> {
    Ok(signing_keys::table
        .select(StoredKey::as_select())
        .order((
            signing_keys::signs_from.desc(),
            signing_keys::number.desc(),
            signing_keys::created_at.desc(),
            signing_keys::kid.asc(),
        ))
        .load(connection)?)
}

/// Adds a key, for every process on this database. It comes before the others that sign from the same second on.
pub fn add(connection: &mut AnyConnection, key: &StoredKey) -> Result<(), StoreError> {
    // This comes first, so that only one process at a time finds out whether there is a key.
    changes::note(connection, &Changed::SigningKeys, key.created_at)?;
    let last: Option<i64> = signing_keys::table.select(max(signing_keys::number)).first(connection)?;
    let key = StoredKey { number: last.unwrap_or_default() + 1, ..key.clone() };
    diesel::insert_into(signing_keys::table).values(key).execute(connection)?;
    Ok(())
}

/// Stores a key's private part as it is encrypted now. Processes that run have it in memory, and need not hear of it.
pub fn replace_private_part(connection: &mut AnyConnection, key: &StoredKey) -> Result<(), StoreError> {
    diesel::update(signing_keys::table.find(&key.kid))
        .set((signing_keys::private_key.eq(&key.private_key), signing_keys::encrypted.eq(key.encrypted)))
        .execute(connection)?;
    Ok(())
}

/// Withdraws a key, for every process on this database.
pub fn remove(connection: &mut AnyConnection, kid: &str, now: UnixSeconds) -> Result<usize, StoreError> {
    let deleted =
        diesel::delete(signing_keys::table.filter(signing_keys::kid.eq(kid))).execute(connection)?;
    if deleted > 0 {
        changes::note(connection, &Changed::SigningKeys, now)?;
    }
    Ok(deleted)
}
