//! Mutation: each policy is dropped in turn. When no case notices, that policy is not tested.

use cedar_policy::{PolicyId, PolicySet};

use super::Case;
use super::run::run;
use crate::policy::{CompiledPolicies, Validated};

/// The policies that can be dropped without any case failing. `progress` is told each policy's number.
///
/// # Errors
/// When the set without one of its policies cannot be built, which would be a defect.
pub fn survivors(
    validated: &Validated,
    cases: &[Case],
    mut progress: impl FnMut(usize),
) -> Result<Vec<String>, String> {
    let mut survivors = Vec::new();
    let mut ids: Vec<&PolicyId> = validated.set.policies().map(cedar_policy::Policy::id).collect();
    ids.sort();
    for (index, id) in ids.into_iter().enumerate() {
        progress(index + 1);
        let kept = validated.set.policies().filter(|policy| policy.id() != id).cloned();
        let mutant = PolicySet::from_policies(kept).map_err(|error| error.to_string())?;
        let mutant = CompiledPolicies::compile(&mutant, &validated.schema)?;
        if cases.iter().all(|case| run(&mutant, case).failures.is_empty()) {
            survivors.push(id.to_string());
        }
    }
    Ok(survivors)
}
