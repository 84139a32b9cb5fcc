//! Remembers decisions. A decision depends only on the policies and the facts that they can read, so equal facts lead
//! to the same decision.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use cedar_policy::{PolicySet, Schema};
use foldhash::quality::RandomState;

use super::control::{CacheControl, MAX_DECISIONS, is_small};
use super::key::CacheKey;
use super::recorded::RecordedFacts;
use super::tool_memory::ToolMemory;
use crate::model::decision_body::DecisionBody;
use crate::oauth::error::Reason;
use crate::policy::engine::decision::{Decision, decide};
use crate::policy::engine::set::PolicyEngine;
use crate::policy::facts::{DeclaredClaims, Facts};

/// A decision with the part of it that the decision log shares between equal sign-ins.
#[derive(Debug)]
pub struct RecordedDecision {
    /// The answers and what follows from them.
    pub decision: Decision,
    /// The answers and the shared facts as JSON, kept once for all rows that have them.
    pub body: Arc<DecisionBody>,
}

/// A policy set in force with its remembered decisions; a new set begins with none.
#[derive(Debug)]
pub struct CompiledPolicies {
    engine: PolicyEngine,
    /// The decisions by a hash of the facts that the policies saw. A comparison picks the right one.
    known: RwLock<HashMap<u64, (Facts, Arc<RecordedDecision>)>>,
    hasher: RandomState,
    about_tools: ToolMemory,
}

/// Decides, or returns the remembered decision for equal facts.
pub fn decide_recorded(
    policies: &CompiledPolicies,
    facts: &Facts,
    control: &CacheControl,
) -> Arc<RecordedDecision> {
    let seen = if control.is_enabled() { policies.seen(facts) } else { None };
    let Some(seen) = seen else {
        return Arc::new(RecordedDecision::of(policies, facts));
    };
    let known = policies.find(policies.hasher.hash_one(&seen), &seen);
    if let Some(known) = known {
        return if control.is_recheck_due() { recheck(policies, facts, known, control) } else { known };
    }
    let made = Arc::new(RecordedDecision::of(policies, facts));
    policies.remember(facts, &made);
    made
}

/// Makes a remembered decision again. If it differs, that is reported, and the new decision replaces the old.
fn recheck(
    policies: &CompiledPolicies,
    facts: &Facts,
    known: Arc<RecordedDecision>,
    control: &CacheControl,
) -> Arc<RecordedDecision> {
    let made = Arc::new(RecordedDecision::of(policies, facts));
    if known.decision == made.decision {
        return known;
    }
    control.note_difference(&facts.teamspace.slug, &known.told(), &made.told());
    policies.remember(facts, &made);
    made
}

impl RecordedDecision {
    fn of(policies: &PolicyEngine, facts: &Facts) -> Self {
        let decision = decide(policies, facts);
        // Plain data always serializes; a gap in the log would show otherwise.
        let answers = serde_json::to_string(&decision.answers).unwrap_or_default();
        let body = Arc::new(DecisionBody::new(answers, RecordedFacts::in_common(facts)));
        Self { decision, body }
    }

    /// The outcome in a few words that say nothing about the person.
    fn told(&self) -> String {
        match &self.decision.outcome {
            Ok(permitted) => format!("granted {} scopes", permitted.scopes().len()),
            Err(denial) => denial.reasons.iter().map(Reason::as_str).collect::<Vec<_>>().join(", "),
        }
    }

    /// An error may be temporary, such as a stack that was too small.
    fn is_worth_keeping(&self, facts: &Facts) -> bool {
        let erred = |reasons: &[Reason]| reasons.contains(&Reason::POLICY_ERROR);
        let denied_by_error = self.decision.outcome.as_ref().is_err_and(|denial| erred(&denial.reasons));
        !denied_by_error
            && !self.decision.answers.iter().any(|answer| erred(&answer.reasons))
            && is_small(facts, self.body.decisions().len())
    }
}

impl Deref for CompiledPolicies {
    type Target = PolicyEngine;

    fn deref(&self) -> &PolicyEngine {
        &self.engine
    }
}

impl CompiledPolicies {
    /// Compiles a set that was validated against the schema, with ids from `@id`. The custom claims are the schema's.
    pub fn compile(set: &PolicySet, schema: &Schema, declared: DeclaredClaims) -> Result<Self, String> {
        let engine = PolicyEngine::compile(set, schema, declared)?;
        Ok(Self {
            engine,
            known: RwLock::default(),
            hasher: RandomState::default(),
            about_tools: ToolMemory::default(),
        })
    }

    /// The remembered decisions about tools.
    pub(super) fn about_tools(&self) -> &ToolMemory {
        &self.about_tools
    }

    /// Remembers a decision for all facts that look the same to the policies. If it is not worth keeping, it still
    /// removes an older one.
    pub fn remember(&self, facts: &Facts, decision: &Arc<RecordedDecision>) {
        let Some(seen) = self.seen(facts) else { return };
        let hash = self.hasher.hash_one(&seen);
        let is_kept = decision.is_worth_keeping(facts);
        if !is_kept && !self.known.read().unwrap_or_else(PoisonError::into_inner).contains_key(&hash) {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_DECISIONS {
            known.clear();
        }
        match is_kept {
            true => drop(known.insert(hash, (facts.clone(), Arc::clone(decision)))),
            false => drop(known.remove(&hash)),
        }
    }

    /// The facts as the policies see them; none if the policies may see other values than we do, and where there are
    /// authorization details: hardly any two requests have the same.
    fn seen<'f>(&self, facts: &'f Facts) -> Option<CacheKey<'f>> {
        if facts.candidates.details.is_some() {
            return None;
        }
        CacheKey::of(facts, self.reads().of(facts), self.named_groups())
    }

    fn find(&self, hash: u64, seen: &CacheKey<'_>) -> Option<Arc<RecordedDecision>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (facts, decision) = known.get(&hash)?;
        (CacheKey::of(facts, seen.reads, self.named_groups()).as_ref() == Some(seen))
            .then(|| Arc::clone(decision))
    }
}
