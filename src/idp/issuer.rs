//! Checks an identity provider, item by item, when an administrator saves it.

use url::Url;

use super::checks::{Finding, IssuerCheck};
use super::discovery::{DiscoveryError, Metadata, check_jwks_uri, discover};
use super::fetch::{FetchError, Fetcher};
use super::key_set::KeySet;
use crate::clock::UnixSeconds;
use crate::model::identity_provider::Provider;
use crate::model::trust::TrustedKey;

/// The checks as far as they got, and their results.
#[derive(Debug)]
pub struct Inspection {
    /// The checks in order. If one failed, it is the last.
    pub checks: Vec<IssuerCheck>,
    /// The address of the keys, and the keys there; none when a check failed.
    pub keys: Option<(String, Vec<TrustedKey>)>,
    /// The issuer's time when it sent its metadata, if it said so.
    pub date: Option<UnixSeconds>,
}

/// An issuer as it was typed, and who did.
#[derive(Debug, Clone, Copy)]
pub struct Proposed<'a> {
    pub provider: Provider,
    pub issuer: &'a str,
    /// Our own issuer identifier.
    pub own: &'a str,
    /// Whether the asker may learn about the network only that something cannot be reached.
    pub confined: bool,
}

impl Proposed<'_> {
    /// The error as the asker may see it; operators find the full one in the log.
    fn told(&self, error: FetchError) -> FetchError {
        tracing::info!(issuer = self.issuer, %error, "cannot check an identity provider");
        if self.confined { error.confined() } else { error }
    }
}

/// Checks an issuer. The fetcher is the one for its teamspace.
pub async fn inspect(fetcher: &Fetcher, proposed: Proposed<'_>) -> Inspection {
    let mut inspection = Inspection { checks: Vec::new(), keys: None, date: None };
    if let Err(failed) = run(fetcher, proposed, &mut inspection).await {
        inspection.checks.push(failed);
        inspection.keys = None;
    }
    inspection
}

async fn run(
    fetcher: &Fetcher,
    proposed: Proposed<'_>,
    inspection: &mut Inspection,
) -> Result<(), IssuerCheck> {
    let (checks, issuer) = (&mut inspection.checks, proposed.issuer);
    checks.push(check_url(fetcher, issuer)?);
    checks.push(check_not_self(issuer, proposed.own)?);
    checks.push(check_own_server(proposed.provider, issuer)?);
    let metadata = discover(fetcher, issuer).await;
    let metadata = metadata.map_err(|error| IssuerCheck::of("metadata", no_metadata(proposed, error)))?;
    inspection.date = metadata.date;
    checks.push(IssuerCheck::passed("metadata", "The metadata names exactly this issuer."));
    let (jwks_uri, keys) =
        fetch_keys(fetcher, proposed, &metadata).await.map_err(|e| IssuerCheck::of("jwks", e))?;
    checks.push(check_keys(&keys));
    checks.push(check_id_jag(&metadata));
    inspection.keys = Some((jwks_uri, keys.trusted()));
    Ok(())
}

/// OpenID Connect Discovery §3: https, a host, no query, no fragment. We add: a public address.
fn check_url(fetcher: &Fetcher, issuer: &str) -> Result<IssuerCheck, IssuerCheck> {
    let fail = |step, why: &str| Finding::failed(step, format!("The issuer {why}."));
    let failed = |finding| IssuerCheck::of("issuer_url", finding);
    let url = fetcher.check_url(issuer).map_err(|error| {
        let remedy = error.remedy(issuer);
        let step = if matches!(error, FetchError::PrivateAddress) { "public_host" } else { "https" };
        let found = Finding::failed(step, with_remedy(format!("The issuer {error}."), remedy.as_deref()));
        failed(match (error, remedy) {
            (FetchError::NotHttps, None) => with_https(issuer, found),
            _ => found,
        })
    })?;
    if url.query().is_some() || url.fragment().is_some() || issuer.contains(['?', '#']) {
        return Err(failed(fail("https", "must have no query and no fragment")));
    }
    if issuer.len() > 512 || issuer.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(failed(fail("https", "must be at most 512 characters without white space")));
    }
    Ok(IssuerCheck::passed("issuer_url", "The issuer is an https URL."))
}

fn with_remedy(text: String, remedy: Option<&str>) -> String {
    remedy.map_or_else(|| text.clone(), |remedy| format!("{text} {remedy}"))
}

/// Suggests the address with https, if only http is wrong.
fn with_https(issuer: &str, finding: Finding) -> Finding {
    match issuer.strip_prefix("http://") {
        Some(rest) => finding.compared(format!("https://{rest}"), issuer),
        None => finding,
    }
}

/// draft-ietf-oauth-identity-assertion-authz-grant §9.3: our own tokens are not assertions.
fn check_not_self(issuer: &str, own: &str) -> Result<IssuerCheck, IssuerCheck> {
    let code = "issuer_not_self";
    if issuer.trim_end_matches('/') == own {
        let message = "This is Countersign's own issuer, not an identity provider.";
        return Err(IssuerCheck::of(code, Finding::failed("other_server", message)));
    }
    Ok(IssuerCheck::passed(code, "The issuer is not Countersign itself."))
}

/// ID-JAGs come from the organization's own server: at Okta the org authorization server, at Microsoft the tenant's.
fn check_own_server(provider: Provider, issuer: &str) -> Result<IssuerCheck, IssuerCheck> {
    let code = "org_authorization_server";
    let fail = |message: &str| Finding::failed("own_server", message);
    let failed = |finding| Err(IssuerCheck::of(code, finding));
    let path = Url::parse(issuer).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
    if path.ends_with("/oauth2") || path.contains("/oauth2/") {
        return failed(without_path(
            issuer,
            fail(
                "This is a custom authorization server (/oauth2/…). ID-JAGs come from the org \
                 authorization server: enter the issuer without that path, such as https://your-org.okta.com.",
            ),
        ));
    }
    if provider == Provider::Okta && !path.is_empty() {
        let message = "An Okta org issuer has no path: enter it as https://your-org.okta.com.";
        return failed(without_path(issuer, fail(message)));
    }
    let is_shared = ["/common", "/organizations", "/consumers"].iter().any(|shared| path.starts_with(shared));
    if provider == Provider::Entra && is_shared {
        return failed(fail(
            "This address is shared by all Microsoft tenants. Enter your tenant's own issuer: \
             https://login.microsoftonline.com/<tenant id>/v2.0.",
        ));
    }
    Ok(IssuerCheck::passed(code, "The issuer is not a custom authorization server."))
}

/// Suggests the issuer without its path, which should have been entered.
pub fn without_path(issuer: &str, finding: Finding) -> Finding {
    match Url::parse(issuer) {
        Ok(url) => finding.compared(url.origin().ascii_serialization(), issuer),
        Err(_) => finding,
    }
}

fn no_metadata(proposed: Proposed<'_>, error: DiscoveryError) -> Finding {
    let told = |error: &dyn std::fmt::Display| format!("The issuer's metadata: {error}.");
    match error {
        DiscoveryError::Fetch(error) => {
            let error = proposed.told(error);
            let step = if error.is_answer() { "metadata_document" } else { "answers" };
            Finding::failed(step, with_remedy(told(&error), error.remedy(proposed.issuer).as_deref()))
        }
        DiscoveryError::Malformed => Finding::failed("metadata_document", told(&error)),
        DiscoveryError::IssuerDiffers { ref expected, ref found } => {
            Finding::failed("same_issuer", told(&error)).compared(found, expected)
        }
    }
}

async fn fetch_keys(
    fetcher: &Fetcher,
    proposed: Proposed<'_>,
    metadata: &Metadata,
) -> Result<(String, KeySet), Finding> {
    let fail = |why: String| Finding::failed("key_set", why);
    let uri = metadata.jwks_uri.clone().ok_or_else(|| fail("The metadata has no jwks_uri.".into()))?;
    // What the metadata says is not repeated to everybody.
    let is_named =
        !proposed.confined && Url::parse(proposed.issuer).is_ok_and(|url| fetcher.is_private_origin(&url));
    let unfetched = |e: FetchError| {
        let remedy = e.remedy(&uri).filter(|_| is_named);
        fail(with_remedy(format!("The issuer's jwks_uri {}.", proposed.told(e)), remedy.as_deref()))
    };
    check_jwks_uri(fetcher, &metadata.issuer, &uri).map_err(unfetched)?;
    let fetched = fetcher.get(&uri).await.map_err(unfetched)?;
    let keys = KeySet::parse(&fetched.json);
    let keys = keys.map_err(|e| Finding::failed("usable_key", format!("At jwks_uri, {e}.")))?;
    Ok((uri, keys))
}

fn check_keys(keys: &KeySet) -> IssuerCheck {
    let found = format!("{} usable signing key(s) found.", keys.usable());
    let message = match keys.left_out_shown() {
        None => found,
        Some(left_out) => format!("{found} Left out: {left_out}."),
    };
    match keys.lacks_signing_keys() {
        true => IssuerCheck::of("jwks", Finding::warning("usable_key", message)),
        false => IssuerCheck::passed("jwks", message),
    }
}

/// Identity providers need not announce that they issue ID-JAGs, so this is only a warning.
fn check_id_jag(metadata: &Metadata) -> IssuerCheck {
    let code = "id_jag_supported";
    if metadata.announces_id_jags {
        return IssuerCheck::passed(code, "The issuer announces ID-JAGs.");
    }
    let message = "The metadata does not announce ID-JAGs (identity_chaining_requested_token_types_supported); \
        check that the feature is on at the identity provider.";
    IssuerCheck::of(code, Finding::warning("id_jag_announced", message))
}
