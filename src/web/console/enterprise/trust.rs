//! What a card says about the trust in a provider: how it changed, and what its metadata name now.

use super::super::words;
use crate::clock::UnixSeconds;
use crate::model::identity_provider::IdentityProvider;
use crate::model::trust::{MetadataDifference, TrustChange, TrustChangeKind, TrustedParts};

/// How many changes a card shows.
pub const SHOWN: i64 = 10;

/// A change of trust, as a row.
pub struct TrustRow {
    pub when: String,
    pub what: &'static str,
    pub by: String,
    /// A line for each part; empty where there was nothing.
    pub before: String,
    pub after: String,
}

/// Metadata that name something else than was saved.
pub struct Differing {
    pub since: String,
    /// The other issuer, which nobody can confirm here.
    pub issuer: Option<String>,
    /// The other address of the keys.
    pub jwks_uri: Option<String>,
}

impl TrustRow {
    /// A change as it is shown now.
    pub fn of(change: &TrustChange, now: UnixSeconds) -> Self {
        let by_itself = change.actor.is_empty();
        Self {
            when: words::ago(change.at, now),
            what: what(change.kind),
            by: if by_itself { "the identity provider".to_owned() } else { change.actor.clone() },
            before: lines(change.old.as_ref()),
            after: lines(change.new.as_ref()),
        }
    }
}

fn what(kind: TrustChangeKind) -> &'static str {
    match kind {
        TrustChangeKind::Added => "Added",
        TrustChangeKind::Changed => "Changed",
        TrustChangeKind::Enabled => "Enabled",
        TrustChangeKind::Disabled => "Disabled",
        TrustChangeKind::Keys => "Other keys",
        TrustChangeKind::Metadata => "Other metadata",
    }
}

fn lines(parts: Option<&TrustedParts>) -> String {
    let Some(parts) = parts else { return String::new() };
    let texts = [&parts.issuer, &parts.tenant, &parts.jwks_uri].into_iter().flatten().cloned();
    let keys = parts.keys.iter().flatten();
    let named = |kid: &Option<String>| kid.clone().unwrap_or_else(|| "no kid".to_owned());
    let keys = keys.map(|key| format!("{}: {}", named(&key.kid), key.thumbprint));
    texts.chain(keys).collect::<Vec<_>>().join("\n")
}

impl Differing {
    /// What is said about metadata that differ from what was saved.
    pub fn of(difference: &MetadataDifference, provider: &IdentityProvider, now: UnixSeconds) -> Self {
        let named = &difference.named;
        let issuer = (named.issuer != provider.issuer).then(|| named.issuer.clone());
        let jwks_uri = if issuer.is_none() { named.jwks_uri.clone() } else { None };
        Self { since: words::ago(difference.since, now), issuer, jwks_uri }
    }
}
