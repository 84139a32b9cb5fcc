//! Which policies the cases put to the test.

use std::collections::BTreeSet;

use cedar_policy::Effect;
use serde::Serialize;

use super::run::Observed;
use crate::policy::CompiledPolicies;

/// A gap: something that no case has shown.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// How many policies there are.
    pub policies: usize,
    /// Policies that decided nothing in any case.
    pub undecided: Vec<String>,
    /// Permits that no case has seen fail to match: their conditions are not tested.
    pub never_unmatched: Vec<String>,
}

impl Coverage {
    /// Whether something is not shown.
    pub fn has_gaps(&self) -> bool {
        !self.undecided.is_empty() || !self.never_unmatched.is_empty()
    }
}

/// The coverage of the policies by the cases.
pub fn coverage<'a>(policies: &CompiledPolicies, observed: impl Iterator<Item = &'a Observed>) -> Coverage {
    let (mut decided, mut unmatched) = (BTreeSet::new(), BTreeSet::new());
    for answer in observed.flat_map(|observed| &observed.answers) {
        for id in &answer.policies {
            match (policies.effect(id), answer.allowed) {
                // A refusal names the permits that were not met.
                (Some(Effect::Permit), false) => unmatched.insert(id.clone()),
                _ => decided.insert(id.clone()),
            };
        }
        if answer.allowed {
            let others = policies.permits(answer.action).filter(|id| !answer.policies.contains(id));
            unmatched.extend(others);
        }
    }
    let conditional_permit =
        |id: &String| policies.effect(id) == Some(Effect::Permit) && policies.is_conditional(id);
    Coverage {
        policies: policies.ids().count(),
        undecided: policies.ids().filter(|id| !decided.contains(id)).collect(),
        never_unmatched: policies
            .ids()
            .filter(conditional_permit)
            .filter(|id| !unmatched.contains(id))
            .collect(),
    }
}
