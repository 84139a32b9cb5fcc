//! The identity providers: the checks of the admin API, on each issuer that an enabled setting names.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::line::Lines;
use super::many::each;
use super::patient::Patient;
use crate::idp::checks::{IssuerCheck, Outcome};
use crate::idp::discovery::{DiscoveryError, discover};
use crate::idp::issuer::{Inspection, Proposed, inspect};
use crate::model::identity_provider::IdentityProvider;
use crate::store::snapshot::Snapshot;

/// How long one issuer may take.
const FOR_ONE: Duration = Duration::from_secs(7);

/// An issuer and who trusts it.
struct TrustedIssuer {
    provider: Arc<IdentityProvider>,
    /// Slugs. The first one's private origins apply.
    teamspaces: Vec<String>,
}

/// Checks each distinct issuer.
pub(super) async fn examine(patient: &Arc<Patient>, lines: &Lines) {
    let Some(stored) = &patient.stored else {
        return lines.warn(
            "identity_providers",
            "The identity providers were not asked, since the database cannot be read.",
            "See the lines about the database.",
        );
    };
    let issuers = enabled(&stored.snapshot);
    if issuers.is_empty() {
        lines.warn(
            "identity_providers",
            "No teamspace has an enabled identity provider, so nobody can sign in.",
            "Add one in the console, or with `countersign provider create`.",
        );
    }
    let check = |issuer: TrustedIssuer| {
        let (patient, lines) = (Arc::clone(patient), lines.clone());
        async move {
            if timeout(FOR_ONE, check_issuer(&patient, &issuer, &lines)).await.is_err() {
                let message = format!("It did not answer everything within {} s.", FOR_ONE.as_secs());
                lines.fail(&issuer.provider.issuer, message, fix("metadata"));
            }
        }
    };
    tokio::join!(each(issuers, "identity providers", lines, check), console(patient, lines));
}

/// The issuers of enabled identity providers, in their order.
fn enabled(snapshot: &Snapshot) -> Vec<TrustedIssuer> {
    let mut issuers: BTreeMap<String, TrustedIssuer> = BTreeMap::new();
    for teamspace_config in snapshot.teamspace_configs() {
        for provider in teamspace_config.identity_providers.iter().filter(|provider| provider.enabled) {
            let new = || TrustedIssuer { provider: Arc::clone(provider), teamspaces: Vec::new() };
            let known = issuers.entry(provider.issuer.clone()).or_insert_with(new);
            if known.teamspaces.last() != Some(&teamspace_config.teamspace.slug) {
                known.teamspaces.push(teamspace_config.teamspace.slug.clone());
            }
        }
    }
    issuers.into_values().collect()
}

async fn check_issuer(
    patient: &Patient,
    TrustedIssuer { provider, teamspaces }: &TrustedIssuer,
    lines: &Lines,
) {
    let issuer = &provider.issuer;
    let fetcher = patient.fetcher.on_behalf_of(teamspaces.first().map_or("", String::as_str));
    let proposed =
        Proposed { provider: provider.provider, issuer, own: &patient.config.issuer, confined: false };
    let began = Instant::now();
    let Inspection { checks, keys, date } = inspect(&fetcher, proposed).await;
    let took = began.elapsed().as_millis();
    patient.readings.note(issuer, date, patient.clock.now());
    let whose = whose(teamspaces);
    let with = |outcome| checks.iter().find(|check: &&IssuerCheck| check.outcome == outcome);
    if let Some(failed) = with(Outcome::Failed) {
        return lines.fail(issuer, format!("{} ({whose})", failed.message), fix(&failed.code));
    }
    // Keys are still taken from the saved address, until an administrator confirms the other one.
    if let Some((named, _)) = keys.as_ref().filter(|(named, _)| *named != provider.jwks_uri) {
        let saved = &provider.jwks_uri;
        let message = format!("Its metadata names the keys at {named}, but {saved} was saved ({whose})");
        return lines.warn(issuer, message, fix("jwks_uri"));
    }
    if let Some(warning) = with(Outcome::Warning) {
        return lines.warn(issuer, format!("{} {took} ms ({whose})", warning.message), fix(&warning.code));
    }
    let found = checks.iter().find(|check| check.code == "jwks").map_or("", |check| &check.message);
    lines.ok(
        issuer,
        format!("Metadata and keys are good, and it announces ID-JAGs. {found} {took} ms ({whose})"),
    );
}

fn whose(teamspaces: &[String]) -> String {
    let first = teamspaces.first().map_or("", String::as_str);
    match teamspaces.len() {
        0 | 1 => format!("teamspace {first}"),
        all => format!("teamspace {first} and {} more", all - 1),
    }
}

/// The remedy for a check of `idp::checks` that did not pass.
fn fix(code: &str) -> &'static str {
    match code {
        "issuer_url" => {
            "Correct the issuer. A provider in your own network needs its exact origin in `fetch.private_origins`."
        }
        "metadata" => "Look at its /.well-known/openid-configuration from this machine with `curl -v`.",
        "jwks" => {
            "Look at its `jwks_uri`: it must hold public keys for RS256, PS256, ES256, ES384 or EdDSA, and be reachable \
             from this machine."
        }
        "jwks_uri" => {
            "Ask whoever runs it. If the new address is right, confirm it in the console, or with `countersign provider \
             confirm-jwks-uri`."
        }
        "id_jag_supported" => {
            "Switch on Cross App Access, or what your provider calls ID-JAG. If people sign in, nothing needs doing: not \
             every provider announces it."
        }
        _ => {
            "Enter the issuer of the organization's own authorization server at the teamspace's identity provider."
        }
    }
}

/// Where people sign in to the console.
async fn console(patient: &Patient, lines: &Lines) {
    let Some(oidc) = patient.config.console.oidc.as_ref().filter(|_| patient.config.console.enabled) else {
        return;
    };
    match discover(&patient.fetcher.for_operators(), &oidc.issuer).await {
        Ok(metadata) => {
            patient.readings.note(&oidc.issuer, metadata.date, patient.clock.now());
            lines.ok("console.oidc", format!("{} has metadata that names exactly this issuer.", oidc.issuer));
        }
        Err(error) => {
            let remedy = match &error {
                DiscoveryError::Fetch(error) => error.remedy(&oidc.issuer),
                _ => None,
            };
            let message = format!("{}: {error}. Nobody can sign in to the console by it.", oidc.issuer);
            lines.fail("console.oidc", message, remedy.unwrap_or_else(|| fix("metadata").to_owned()));
        }
    }
}
