//! Names in the policies that nothing in the configuration has.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use super::App;
use crate::config::check_document_url;
use crate::model::identity_provider::ClaimType;
use crate::policy::CompiledPolicies;
use crate::policy::engine::references::{Kind, Reference};
use crate::store::changes::Changed;
use crate::store::snapshot::Snapshot;

/// Most names that the log and an answer list.
pub const MAX_LISTED: usize = 100;

/// The names that the log has mentioned already.
#[derive(Default)]
pub(super) struct ToldNames(Mutex<BTreeSet<(Kind, String)>>);

impl App {
    /// The names in the policies in force that the configuration does not have.
    pub fn unknown_names(&self) -> Vec<Reference> {
        unknown_names(&self.policies().compiled, &self.snapshot())
    }

    /// Logs unknown names, each once until it is known again.
    pub(super) fn tell_unknown_names(&self) {
        let unknown = self.unknown_names();
        let mut told = self.told_names.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = |named: &&Reference| !told.contains(&(named.kind, named.name.clone()));
        let new: Vec<&Reference> = unknown.iter().filter(is_new).collect();
        for Reference { kind, name, policies } in new.iter().take(MAX_LISTED) {
            tracing::warn!(
                kind = kind.name(),
                name,
                ?policies,
                "policies name things that are not configured"
            );
        }
        if new.len() > MAX_LISTED {
            tracing::warn!(
                more = new.len() - MAX_LISTED,
                "policies name more things that are not configured"
            );
        }
        *told = unknown.into_iter().map(|named| (named.kind, named.name)).collect();
    }
}

/// The names in a set of policies that the configuration does not have.
pub fn unknown_names(policies: &CompiledPolicies, snapshot: &Snapshot) -> Vec<Reference> {
    let scopes = scopes(snapshot);
    policies.references().without(|kind, name| match kind {
        Kind::Teamspace => snapshot.teamspace_config(name).is_some(),
        Kind::Resource => snapshot.resource_named(name).is_some(),
        Kind::Scope => scopes.contains(name),
        // A URL is the id of a metadata document, which the configuration allows or not.
        Kind::Client => snapshot.client(name).is_some() || check_document_url(name).is_ok(),
        Kind::CustomClaim => {
            let claim_type = policies.declared_claims().type_of(name);
            claim_type.is_some_and(|claim_type| states_claim(snapshot, name, claim_type))
        }
    })
}

/// Whether a change can make a name unknown or known.
pub(super) fn changes_names(changed: Option<&[Changed]>) -> bool {
    let concerns = |change: &Changed| {
        matches!(change, Changed::Teamspace(_) | Changed::Resource(_) | Changed::Client(_))
    };
    changed.is_none_or(|changed| changed.iter().any(concerns))
}

/// Whether an identity provider declares a custom claim with this type.
fn states_claim(snapshot: &Snapshot, name: &str, claim_type: ClaimType) -> bool {
    let providers =
        snapshot.teamspace_configs().flat_map(|teamspace_config| &teamspace_config.identity_providers);
    let mut claims = providers.flat_map(|provider| &provider.custom_claims);
    claims.any(|claim| claim.name == name && claim.claim_type == claim_type)
}

fn scopes(snapshot: &Snapshot) -> HashSet<&str> {
    let scopes = snapshot.resources().flat_map(|resource| &resource.scopes);
    scopes.map(|scope| scope.name.as_str()).collect()
}
