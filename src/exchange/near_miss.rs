//! Near misses: a value that is almost the expected one, and what to change. They are for the decision log and for
//! explanations; the wire never tells them.

use std::sync::Arc;

use crate::model::resource::Resource;
use crate::oauth::difference::{Difference, chosen_labels, expectation};
use crate::oauth::error::shown;
use crate::store::snapshot::{IssuerProviders, Snapshot};

/// The remedy where the identity provider has the wrong value.
pub(super) const AT_THE_PROVIDER: &str =
    "Enter the expected one at the identity provider, character by character.";
/// The remedy where the request has the wrong value.
pub(super) const IN_THE_CLIENT: &str = "Have the client ask for the expected one, character by character.";
const SAVE_THE_ISSUER: &str = "Save the identity provider with the issuer that the assertion names.";
const IF_YOURS: &str = "If that host is yours and leads to the same identity provider, save the issuer that the assertion names.";
const WITH_HTTPS: &str = "An issuer is named with https: correct it at the identity provider.";

/// The longest issuer that near misses are looked for, in bytes: as long as one may be.
const MAX_ISSUER: usize = 512;
/// The domains of Okta organizations, which may have a custom domain as well.
const OF_OKTA: [&str; 4] = ["okta.com", "oktapreview.com", "okta-emea.com", "okta-gov.com"];

/// The same for the audience. Often it is another address of this server.
pub(super) fn of_audience(issuer: &str, found: &str) -> String {
    let told = expectation("aud", issuer, found, AT_THE_PROVIDER);
    let below = found.strip_prefix(issuer).and_then(|rest| rest.strip_prefix('/'));
    match below.is_some_and(|rest| !rest.trim_matches('/').is_empty()) {
        true => format!("{told}; that is an address below this server's issuer. {AT_THE_PROVIDER}"),
        false => told,
    }
}

/// The remark on an audience that is an MCP server of the teamspace.
pub(super) fn audience_is_resource(snapshot: &Snapshot, teamspace: &str, found: &[String]) -> Option<String> {
    let is_offered = |named: &String| {
        snapshot.resource_named(named).is_some_and(|resource| resource.is_published_to(teamspace))
    };
    found
        .iter()
        .any(is_offered)
        .then(|| format!("; that is an MCP server, which belongs into resource. {AT_THE_PROVIDER}"))
}

/// A resource that nobody offers to the teamspace, and the one that may be meant.
pub(super) fn of_resource<'r>(
    offered: impl Iterator<Item = &'r Arc<Resource>>,
    found: &str,
    remedy: &str,
) -> String {
    let mut offered = offered.map(|resource| resource.identifier.as_str());
    match offered.find(|identifier| Difference::between(identifier, found).is_some()) {
        Some(meant) => expectation("resource", meant, found, remedy),
        None => format!("resource {}", shown(found)),
    }
}

/// The configured issuer that may be meant by an unknown one, with its identity providers. Only exact look-ups are
/// made, so that the number of teamspaces does not matter; within `own`, its issuers are compared one by one.
pub(super) fn meant_issuer<'s>(
    snapshot: &'s Snapshot,
    issuer: &str,
    own: Option<&str>,
) -> Option<(&'s IssuerProviders, String)> {
    if issuer.len() > MAX_ISSUER {
        return None;
    }
    let of_own = own.and_then(|id| snapshot.teamspace_config_by_id(id)).into_iter();
    let of_own = of_own.flat_map(|config| config.identity_providers.iter());
    let of_own = of_own.map(|provider| provider.issuer.clone());
    let is_near = |meant: &String| Difference::between(meant, issuer).is_some();
    let is_seen = |known: &&IssuerProviders| own.is_none_or(|own| known.is_of_teamspace(own));
    of_own.chain(variants(issuer)).filter(is_near).find_map(|meant| {
        let known = snapshot.providers_of(&meant).filter(is_seen)?;
        let remedy = match Difference::between(&meant, issuer)? {
            Difference::CustomDomain => IF_YOURS,
            Difference::Scheme if issuer.starts_with("http:") => WITH_HTTPS,
            _ => SAVE_THE_ISSUER,
        };
        Some((known, expectation("iss", &meant, issuer, remedy)))
    })
}

/// The issuers that differ from one in a single detail.
fn variants(issuer: &str) -> Vec<String> {
    let mut variants = vec![issuer.to_ascii_lowercase()];
    variants.push(match issuer.strip_suffix('/') {
        Some(without) => without.to_owned(),
        None => format!("{issuer}/"),
    });
    let Some((scheme, behind)) = issuer.split_once("://") else { return variants };
    let other_scheme = if scheme == "http" { "https" } else { "http" };
    variants.push(format!("{other_scheme}://{behind}"));
    let (authority, path) = behind.split_at(behind.find('/').unwrap_or(behind.len()));
    variants.push(format!("{scheme}://{}{path}", authority.to_ascii_lowercase()));
    match authority.rsplit_once(':') {
        Some((host, _)) => variants.push(format!("{scheme}://{host}{path}")),
        None => variants.push(format!("{scheme}://{authority}:443{path}")),
    }
    if scheme == "https" && matches!(path, "" | "/") {
        let organizations = chosen_labels(authority).take(8);
        let named = |label: &str| OF_OKTA.map(|domain| format!("https://{label}.{domain}{path}"));
        variants.extend(organizations.flat_map(named));
    }
    variants
}
