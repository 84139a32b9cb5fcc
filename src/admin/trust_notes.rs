//! Notes in a provider's trust history what an administrator saved.

use super::caller::ChangeAuthor;
use crate::clock::UnixSeconds;
use crate::model::identity_provider::IdentityProvider;
use crate::model::trust::{TrustChange, TrustChangeKind, TrustedKey, TrustedParts};
use crate::store::{AnyConnection, StoreError, trust_changes};

/// Who changed the trust where another teamspace, or an operator for it, saved an issuer that both have.
const SOMEBODY_ELSE: &str = "outside this teamspace";

/// A provider's side of a change.
fn parts(provider: &IdentityProvider) -> TrustedParts {
    TrustedParts {
        issuer: Some(provider.issuer.clone()),
        tenant: provider.tenant.clone(),
        jwks_uri: Some(provider.jwks_uri.clone()),
        keys: None,
    }
}

/// Notes that an administrator saved a provider, if that changes whom the teamspace trusts. `keys` are those that the
/// checks have seen.
pub(super) fn note_saved(
    connection: &mut AnyConnection,
    (old, new): (Option<&IdentityProvider>, &IdentityProvider),
    keys: Option<Vec<TrustedKey>>,
    author: &ChangeAuthor,
) -> Result<(), StoreError> {
    let kind = match old {
        None => TrustChangeKind::Added,
        Some(old) if parts(old) != parts(new) => TrustChangeKind::Changed,
        Some(old) if !old.enabled && new.enabled => TrustChangeKind::Enabled,
        Some(old) if old.enabled && !new.enabled => TrustChangeKind::Disabled,
        Some(_) => return Ok(()),
    };
    let (old_parts, new_parts) = match (kind, old) {
        (TrustChangeKind::Disabled, _) => (Some(parts(new)), None),
        (TrustChangeKind::Enabled | TrustChangeKind::Added, _) | (_, None) => (None, Some(parts(new))),
        (_, Some(old)) => (Some(parts(old)), Some(parts(new))),
    };
    let old_keys = if old_parts.is_some() { trust_changes::last_keys(connection, &new.id)? } else { None };
    let change = TrustChange {
        provider_id: new.id.clone(),
        at: new.updated_at,
        kind,
        actor: author.name.clone(),
        request_id: author.origin.request_id.clone(),
        old: old_parts.map(|parts| TrustedParts { keys: old_keys, ..parts }),
        new: new_parts.map(|parts| TrustedParts { keys, ..parts }),
    };
    trust_changes::append(connection, &change)
}

/// Notes that the keys of a provider come from another address, since somebody else has saved its issuer.
pub(super) fn note_shared(
    connection: &mut AnyConnection,
    other: &IdentityProvider,
    (jwks_uri, keys): (&str, Option<Vec<TrustedKey>>),
    at: UnixSeconds,
) -> Result<(), StoreError> {
    let old = TrustedParts { keys: trust_changes::last_keys(connection, &other.id)?, ..parts(other) };
    let new = TrustedParts { jwks_uri: Some(jwks_uri.to_owned()), keys, ..parts(other) };
    let change = TrustChange {
        provider_id: other.id.clone(),
        at,
        kind: TrustChangeKind::Changed,
        actor: SOMEBODY_ELSE.to_owned(),
        request_id: String::new(),
        old: Some(old),
        new: Some(new),
    };
    trust_changes::append(connection, &change)
}
