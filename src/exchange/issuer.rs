//! From the issuer of an assertion to the identity provider that it leads to. Before the signature is good only the
//! issuer counts; then the tenants tell which of its providers it is.

use super::assertion::AuthenticAssertion;
use super::claims::expectation;
use crate::oauth::error::{Reason, TokenError, shown};
use crate::store::sign_ins::NewSignIn;
use crate::store::snapshot::{IssuerProviders, Snapshot, TrustedProvider};

/// The identity providers with an issuer, one of them switched on at least. Unknown issuers cause no fetch, and get
/// the same answer as a bad signature. The row names a teamspace only where no other has the issuer.
pub(super) fn trusted_issuer<'s>(
    snapshot: &'s Snapshot,
    issuer: &str,
    record: &mut NewSignIn,
) -> Result<&'s IssuerProviders, TokenError> {
    let Some(providers) = snapshot.providers_of(issuer) else {
        return Err(unknown_issuer(snapshot, issuer, record));
    };
    record.teamspace_id = providers.only_teamspace().map(|tenancy| tenancy.teamspace.id.clone());
    match providers.enabled().next() {
        None => Err(TokenError::unverified(Reason::ISSUER_DISABLED)),
        Some(_) => Ok(providers),
    }
}

/// An issuer that misses a configured one by a slash is shown to that teamspace: the commonest mistake.
fn unknown_issuer(snapshot: &Snapshot, issuer: &str, record: &mut NewSignIn) -> TokenError {
    let error = TokenError::unverified(Reason::ISSUER_UNKNOWN);
    let other = match issuer.strip_suffix('/') {
        Some(without) => without.to_owned(),
        None => format!("{issuer}/"),
    };
    match snapshot.providers_of(&other).and_then(IssuerProviders::only_teamspace) {
        None => error,
        Some(tenancy) => {
            record.teamspace_id = Some(tenancy.teamspace.id.clone());
            error.detail(format!("configured is {other}; they differ only by a trailing slash"))
        }
    }
}

/// The one identity provider that an authentic assertion leads to. What is wrong with it is told later, in its turn:
/// here the row learns whose sign-in it is.
pub(super) fn select<'s>(
    providers: &'s IssuerProviders,
    authentic: &AuthenticAssertion,
    record: &mut NewSignIn,
) -> Result<&'s TrustedProvider, TokenError> {
    let claims = authentic.claims();
    let selected = providers.select(claims.tenant.as_deref(), claims.aud_tenant.as_deref());
    let Some(trusted) = selected else { return Err(not_selected(providers, authentic)) };
    let (teamspace_id, id) = (&trusted.provider.teamspace_id, &trusted.provider.id);
    if record.teamspace_id.is_none() {
        record.teamspace_id = Some(teamspace_id.clone());
    }
    record.identity_provider_id.clone_from(id);
    match trusted.provider.enabled {
        true => Ok(trusted),
        false => Err(TokenError::unverified(Reason::ISSUER_DISABLED)),
    }
}

/// Says what was expected where one teamspace alone has the issuer. Where several share it, the detail tells what came
/// and nothing of any of them.
pub(super) fn not_selected(providers: &IssuerProviders, authentic: &AuthenticAssertion) -> TokenError {
    let claims = authentic.claims();
    let (tenant, aud_tenant) = (claims.tenant.as_deref(), claims.aud_tenant.as_deref());
    let mismatch = |text: &'static str, detail: String| {
        TokenError::invalid_grant(Reason::TENANT_MISMATCH, text).detail(detail)
    };
    let own = providers.only_teamspace().map(|tenancy| &tenancy.teamspace.slug);
    if let (Some(own), Some(named)) = (own, aud_tenant)
        && own != named
    {
        return mismatch("The assertion is for another teamspace.", expectation("aud_tenant", own, named));
    }
    let came = |claim: Option<&str>| claim.map_or("none".to_owned(), shown);
    let detail = format!(
        "no identity provider with this issuer takes tenant {} with aud_tenant {}",
        came(tenant),
        came(aud_tenant)
    );
    mismatch("The assertion's tenant leads to no teamspace.", detail)
}
