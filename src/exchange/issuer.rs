//! Finds the identity provider that an assertion leads to. Before the signature is verified, only the issuer counts;
//! after that, the tenants tell its providers apart.

use super::assertion::AuthenticAssertion;
use super::near_miss::{AT_THE_PROVIDER, meant_issuer};
use crate::oauth::difference::expectation;
use crate::oauth::error::{Reason, TokenError, shown};
use crate::store::snapshot::{IssuerProviders, Snapshot, TrustedProvider};

/// A result, and the teamspace and identity provider that the log row names.
pub(super) struct IssuerLookup<'s, T> {
    /// The teamspace whose administrators see the row.
    pub teamspace_id: Option<&'s str>,
    pub provider_id: &'s str,
    pub found: Result<T, TokenError>,
}

impl<'s, T> IssuerLookup<'s, T> {
    fn of_teamspace(teamspace_id: Option<&'s str>, found: Result<T, TokenError>) -> Self {
        Self { teamspace_id, provider_id: "", found }
    }
}

/// Finds the identity providers with an issuer; at least one must be switched on. Unknown issuers cause no fetch, and
/// get the same answer as a bad signature. The row names a teamspace only if no other teamspace has the issuer. With
/// `own`, only that teamspace's issuers are known.
pub(super) fn trusted_issuer<'s>(
    snapshot: &'s Snapshot,
    issuer: &str,
    own: Option<&str>,
) -> IssuerLookup<'s, &'s IssuerProviders> {
    let is_seen = |known: &&IssuerProviders| own.is_none_or(|own| known.is_of_teamspace(own));
    let Some(providers) = snapshot.providers_of(issuer).filter(is_seen) else {
        return unknown_issuer(snapshot, issuer, own);
    };
    let found = match providers.enabled().next() {
        None => Err(TokenError::unverified(Reason::ISSUER_DISABLED)),
        Some(_) => Ok(providers),
    };
    IssuerLookup::of_teamspace(only_teamspace(providers), found)
}

fn only_teamspace(providers: &IssuerProviders) -> Option<&str> {
    providers.only_teamspace().map(|teamspace_config| teamspace_config.teamspace.id.as_str())
}

/// Shows an issuer that is almost a configured one to that teamspace: it is the most common mistake. Where several
/// teamspaces share the configured one, only operators see the row.
fn unknown_issuer<'s, T>(snapshot: &'s Snapshot, issuer: &str, own: Option<&str>) -> IssuerLookup<'s, T> {
    let error = TokenError::unverified(Reason::ISSUER_UNKNOWN);
    match meant_issuer(snapshot, issuer, own) {
        None => IssuerLookup::of_teamspace(None, Err(error)),
        Some((meant, detail)) => IssuerLookup::of_teamspace(only_teamspace(meant), Err(error.detail(detail))),
    }
}

/// Finds the one identity provider that an authentic assertion leads to. Where several teamspaces share the issuer and
/// `own` is set, an assertion that leads to another teamspace leads nowhere.
pub(super) fn select<'s>(
    providers: &'s IssuerProviders,
    authentic: &AuthenticAssertion,
    own: Option<&str>,
) -> IssuerLookup<'s, &'s TrustedProvider> {
    let claims = authentic.claims();
    let selected = providers.select(claims.tenant.as_deref(), claims.aud_tenant.as_deref());
    let Some(trusted) = selected.filter(|t| own.is_none_or(|own| own == t.provider.teamspace_id)) else {
        return IssuerLookup::of_teamspace(
            only_teamspace(providers),
            Err(not_selected(providers, authentic)),
        );
    };
    let found = match trusted.provider.enabled {
        true => Ok(trusted),
        false => Err(TokenError::unverified(Reason::ISSUER_DISABLED)),
    };
    let provider = &trusted.provider;
    IssuerLookup { teamspace_id: Some(&provider.teamspace_id), provider_id: &provider.id, found }
}

/// Says what was expected if only one teamspace has the issuer. If several share it, the detail says what came and
/// nothing about any of them.
fn not_selected(providers: &IssuerProviders, authentic: &AuthenticAssertion) -> TokenError {
    let claims = authentic.claims();
    let (tenant, aud_tenant) = (claims.tenant.as_deref(), claims.aud_tenant.as_deref());
    let mismatch = |text: &'static str, detail: String| {
        TokenError::invalid_grant(Reason::TENANT_MISMATCH, text).detail(detail)
    };
    let own = providers.only_teamspace().map(|teamspace_config| &teamspace_config.teamspace.slug);
    if let (Some(own), Some(named)) = (own, aud_tenant)
        && own != named
    {
        return mismatch(
            "The assertion is for another teamspace: its aud_tenant is not the one that its issuer belongs to.",
            expectation("aud_tenant", own, named, AT_THE_PROVIDER),
        );
    }
    let came = |claim: Option<&str>| claim.map_or("none".to_owned(), shown);
    let detail = format!(
        "no identity provider with this issuer takes tenant {} with aud_tenant {}",
        came(tenant),
        came(aud_tenant)
    );
    mismatch(
        "The assertion's tenant leads to no teamspace: an administrator here has to enter it, or the provider correct it.",
        detail,
    )
}
