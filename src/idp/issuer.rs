//! Checks an identity provider when an administrator saves it, item by item.

use serde::Serialize;
use url::Url;

use super::discovery::{DiscoveryError, Metadata, check_jwks_uri, discover};
use super::fetch::{FetchError, Fetcher};
use super::key_set::KeySet;
use crate::model::identity_provider::Provider;

/// How one check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    /// It does not hinder, but is worth knowing.
    Warning,
    Failed,
    /// An earlier check failed.
    NotReached,
}

/// One check and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A stable code; the first that failed is the problem's code.
    pub code: &'static str,
    pub outcome: Outcome,
    pub message: String,
}

/// The checks in their order, and what they found.
#[derive(Debug)]
pub struct Inspection {
    pub checks: Vec<Check>,
    /// Where the keys are; none when a check failed.
    pub jwks_uri: Option<String>,
}

impl Inspection {
    /// The first check that failed.
    pub fn failure(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.outcome == Outcome::Failed)
    }
}

/// The checks by which an issuer is judged, in order.
pub const ORDER: [&str; 6] =
    ["issuer_url", "issuer_not_self", "org_authorization_server", "metadata", "jwks", "id_jag_supported"];

/// An issuer as it was typed, and who did.
#[derive(Debug, Clone, Copy)]
pub struct Proposed<'a> {
    pub provider: Provider,
    pub issuer: &'a str,
    /// Our own issuer identifier.
    pub own: &'a str,
    /// Whether who asks may learn no more about the network than that something cannot be reached.
    pub confined: bool,
}

impl Proposed<'_> {
    /// The error as it is told to who asks; operators find it in the log.
    fn told(&self, error: FetchError) -> FetchError {
        tracing::info!(issuer = self.issuer, %error, "cannot check an identity provider");
        if self.confined { error.confined() } else { error }
    }
}

/// Judges an issuer. The fetcher is that of its teamspace.
pub async fn inspect(fetcher: &Fetcher, proposed: Proposed<'_>) -> Inspection {
    let mut inspection = Inspection { checks: Vec::with_capacity(ORDER.len()), jwks_uri: None };
    if let Err(failed) = run(fetcher, proposed, &mut inspection).await {
        inspection.checks.push(failed);
        inspection.jwks_uri = None;
    }
    for code in ORDER.iter().skip(inspection.checks.len()) {
        let message = "not reached".to_owned();
        inspection.checks.push(Check { code, outcome: Outcome::NotReached, message });
    }
    inspection
}

fn check(code: &'static str, outcome: Outcome, message: impl Into<String>) -> Check {
    Check { code, outcome, message: message.into() }
}

async fn run(fetcher: &Fetcher, proposed: Proposed<'_>, inspection: &mut Inspection) -> Result<(), Check> {
    let (checks, issuer) = (&mut inspection.checks, proposed.issuer);
    checks.push(check_url(fetcher, issuer)?);
    checks.push(check_not_self(issuer, proposed.own)?);
    checks.push(check_org_server(proposed.provider, issuer)?);
    let metadata = discover(fetcher, issuer).await.map_err(|error| {
        let error = match error {
            DiscoveryError::Fetch(error) => proposed.told(error).into(),
            other => other,
        };
        check("metadata", Outcome::Failed, format!("The issuer's metadata: {error}."))
    })?;
    checks.push(check("metadata", Outcome::Passed, "The metadata names exactly this issuer."));
    let (jwks_uri, passed) = check_jwks(fetcher, proposed, &metadata).await?;
    checks.push(passed);
    checks.push(check_id_jag(&metadata));
    inspection.jwks_uri = Some(jwks_uri);
    Ok(())
}

/// OpenID Connect Discovery §3: https, a host, no query, no fragment; ours adds: a public address.
fn check_url(fetcher: &Fetcher, issuer: &str) -> Result<Check, Check> {
    let fail = |why: &str| check("issuer_url", Outcome::Failed, format!("The issuer {why}."));
    let url = fetcher.check_url(issuer).map_err(|e| fail(&e.to_string()))?;
    if url.query().is_some() || url.fragment().is_some() || issuer.contains(['?', '#']) {
        return Err(fail("must have no query and no fragment"));
    }
    if issuer.len() > 512 || issuer.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(fail("must be at most 512 characters without white space"));
    }
    Ok(check("issuer_url", Outcome::Passed, "The issuer is an https URL."))
}

/// draft-ietf-oauth-identity-assertion-authz-grant §9.3: our own tokens are no assertions.
fn check_not_self(issuer: &str, own: &str) -> Result<Check, Check> {
    let code = "issuer_not_self";
    match issuer.trim_end_matches('/') == own {
        true => {
            Err(check(code, Outcome::Failed, "This is Countersign's own issuer, not an identity provider."))
        }
        false => Ok(check(code, Outcome::Passed, "The issuer is not Countersign itself.")),
    }
}

/// At Okta, ID-JAGs come from the org authorization server only.
fn check_org_server(provider: Provider, issuer: &str) -> Result<Check, Check> {
    let code = "org_authorization_server";
    let path = Url::parse(issuer).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
    let custom = path.ends_with("/oauth2") || path.contains("/oauth2/");
    if custom {
        let message = "This is a custom authorization server (/oauth2/…). ID-JAGs come from the org \
            authorization server: enter the issuer without that path, such as https://your-org.okta.com.";
        return Err(check(code, Outcome::Failed, message));
    }
    if provider == Provider::Okta && !path.is_empty() {
        let message = "An Okta org issuer has no path: enter it as https://your-org.okta.com.";
        return Err(check(code, Outcome::Failed, message));
    }
    Ok(check(code, Outcome::Passed, "The issuer is not a custom authorization server."))
}

async fn check_jwks(
    fetcher: &Fetcher,
    proposed: Proposed<'_>,
    metadata: &Metadata,
) -> Result<(String, Check), Check> {
    let fail = |why: String| check("jwks", Outcome::Failed, why);
    let uri = metadata.jwks_uri.clone().ok_or_else(|| fail("The metadata has no jwks_uri.".into()))?;
    let unfetched = |e: FetchError| fail(format!("The issuer's jwks_uri {}.", proposed.told(e)));
    check_jwks_uri(fetcher, &metadata.issuer, &uri).map_err(unfetched)?;
    let fetched = fetcher.get(&uri).await.map_err(unfetched)?;
    let keys = KeySet::parse(&fetched.json).map_err(|e| fail(format!("At jwks_uri, {e}.")))?;
    let found = format!("{} usable signing key(s) found.", keys.usable());
    let outcome = if keys.lacks_signing_keys() { Outcome::Warning } else { Outcome::Passed };
    let message = match keys.left_out_shown() {
        None => found,
        Some(left_out) => format!("{found} Left out: {left_out}."),
    };
    Ok((uri, check("jwks", outcome, message)))
}

/// Identity providers need not say that they issue ID-JAGs, so this only warns.
fn check_id_jag(metadata: &Metadata) -> Check {
    let code = "id_jag_supported";
    match metadata.announces_id_jags {
        true => check(code, Outcome::Passed, "The issuer announces ID-JAGs."),
        false => check(
            code,
            Outcome::Warning,
            "The metadata does not announce ID-JAGs (identity_chaining_requested_token_types_supported); \
             check that the feature is on at the identity provider.",
        ),
    }
}
