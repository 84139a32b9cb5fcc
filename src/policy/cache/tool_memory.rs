//! Remembers decisions about tools, as those about sign-ins are.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::quality::RandomState;

use super::control::{CacheControl, MAX_DECISIONS, is_small};
use super::key::CacheKey;
use crate::policy::engine::set::PolicyEngine;
use crate::policy::engine::tools::{ToolDecision, ToolQuestion, decide_about_token};
use crate::policy::facts::Facts;

/// The longest tool name that is kept, in bytes: callers choose it.
const MAX_NAME: usize = 256;

/// Decisions by a hash of the question and the facts that the policies saw. A comparison picks the right one.
#[derive(Debug, Default)]
pub(super) struct ToolMemory {
    known: RwLock<HashMap<u64, RememberedTool>>,
    hasher: RandomState,
}

#[derive(Debug)]
struct RememberedTool {
    /// None: the list of tools.
    name: Option<String>,
    facts: Facts,
    decision: Arc<ToolDecision>,
}

impl ToolMemory {
    /// Decides, or returns the remembered decision for equal facts. `policies` are always the same for one memory.
    pub fn decide(
        &self,
        policies: &PolicyEngine,
        facts: &Facts,
        asked: ToolQuestion<'_>,
        control: &CacheControl,
    ) -> Arc<ToolDecision> {
        let decide = || Arc::new(decide_about_token(policies, facts, asked));
        let reads = policies.reads().of_token(facts);
        let seen =
            control.is_enabled().then(|| CacheKey::of(facts, reads, policies.named_groups())).flatten();
        let Some(seen) = seen else { return decide() };
        let hash = self.hasher.hash_one((asked, &seen));
        let known = self.find(hash, asked, &seen, policies);
        if let Some(known) = &known
            && !control.is_recheck_due()
        {
            return Arc::clone(known);
        }
        let made = decide();
        match known {
            Some(known) if known == made => return known,
            Some(known) => control.note_difference(
                &facts.teamspace.slug,
                &format!("allowed: {}", known.answer.allowed),
                &format!("allowed: {}", made.answer.allowed),
            ),
            None => {}
        }
        self.remember(hash, asked, facts, &made);
        made
    }

    fn find(
        &self,
        hash: u64,
        asked: ToolQuestion<'_>,
        seen: &CacheKey<'_>,
        policies: &PolicyEngine,
    ) -> Option<Arc<ToolDecision>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let RememberedTool { name, facts, decision } = known.get(&hash)?;
        let same = CacheKey::of(facts, seen.reads, policies.named_groups()).as_ref() == Some(seen);
        (name.as_deref() == asked.tool() && same).then(|| Arc::clone(decision))
    }

    /// If a decision is not worth keeping, an older one is still removed.
    fn remember(&self, hash: u64, asked: ToolQuestion<'_>, facts: &Facts, decision: &Arc<ToolDecision>) {
        let name = asked.tool().map(str::to_owned);
        let is_short = name.as_ref().is_none_or(|name| name.len() <= MAX_NAME);
        let is_kept = is_short && !decision.is_undecided() && is_small(facts, 0);
        if !is_kept && !self.known.read().unwrap_or_else(PoisonError::into_inner).contains_key(&hash) {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_DECISIONS {
            known.clear();
        }
        match is_kept {
            true => {
                let decision = Arc::clone(decision);
                known.insert(hash, RememberedTool { name, facts: facts.clone(), decision });
            }
            false => drop(known.remove(&hash)),
        }
    }
}
