//! Decisions that were made before. A decision depends on nothing but the policies and the facts that they can
//! read, so that for equal ones it is the same again.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use cedar_policy::{PolicySet, Schema};
use foldhash::quality::RandomState;

use super::key::CacheKey;
use super::recorded::RecordedFacts;
use crate::config::PolicyCache;
use crate::model::decision_body::DecisionBody;
use crate::oauth::error::Reason;
use crate::policy::engine::decision::{Decision, decide};
use crate::policy::engine::set::PolicyEngine;
use crate::policy::facts::{DeclaredClaims, Facts};

/// Most decisions that are kept, some 2 KiB each; when they are more it starts anew.
const MAX_DECISIONS: usize = 4096;
/// Longest facts and answers that are kept, as JSON, in bytes: what an assertion brings along may be long.
const MAX_SIZE: usize = 4096;

/// A decision, and what the decision log keeps of it for all who are decided on alike.
#[derive(Debug)]
pub struct RecordedDecision {
    /// The answers and what follows from them.
    pub decision: Decision,
    /// The answers and the shared facts as JSON, kept once for all rows that have them.
    pub body: Arc<DecisionBody>,
}

/// A policy set in force with what it has decided; another set begins with nothing.
#[derive(Debug)]
pub struct CompiledPolicies {
    engine: PolicyEngine,
    /// By a hash of what the policies saw. Which one it is says the comparison.
    known: RwLock<HashMap<u64, (Facts, Arc<RecordedDecision>)>>,
    hasher: RandomState,
}

/// How remembered decisions are used, and how often one that was made again came out otherwise.
#[derive(Debug)]
pub struct CacheControl {
    settings: PolicyCache,
    hits: AtomicU64,
    differences: AtomicU64,
}

impl CacheControl {
    /// With nothing counted yet.
    pub fn new(settings: PolicyCache) -> Self {
        Self { settings, hits: AtomicU64::new(0), differences: AtomicU64::new(0) }
    }

    /// How many remembered decisions were not those that were made again.
    pub fn differences(&self) -> u64 {
        self.differences.load(Ordering::Relaxed)
    }

    /// Whether the decision that was found is to be made again: one in so many.
    fn is_recheck_due(&self) -> bool {
        match u64::from(self.settings.recheck_one_in) {
            0 => false,
            one_in => self.hits.fetch_add(1, Ordering::Relaxed) % one_in == one_in - 1,
        }
    }
}

/// Decides, or says again what was decided about the same.
pub fn decide_recorded(
    policies: &CompiledPolicies,
    facts: &Facts,
    control: &CacheControl,
) -> Arc<RecordedDecision> {
    let seen = if control.settings.enabled { policies.seen(facts) } else { None };
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

/// Makes a remembered decision again. A difference is told, and the one made again takes the other's place.
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
    control.differences.fetch_add(1, Ordering::Relaxed);
    known.tell_difference(&made, facts);
    policies.remember(facts, &made);
    made
}

impl RecordedDecision {
    fn of(policies: &PolicyEngine, facts: &Facts) -> Self {
        let decision = decide(policies, facts);
        // Plain data always serializes; the log would show the gap.
        let answers = serde_json::to_string(&decision.answers).unwrap_or_default();
        let body = Arc::new(DecisionBody::new(answers, RecordedFacts::in_common(facts)));
        Self { decision, body }
    }

    /// Says what differs without saying whom it is about.
    fn tell_difference(&self, made: &Self, facts: &Facts) {
        let told = |decision: &Decision| match &decision.outcome {
            Ok(permitted) => format!("granted {} scopes", permitted.scopes().len()),
            Err(denial) => denial.reasons.iter().map(Reason::as_str).collect::<Vec<_>>().join(", "),
        };
        tracing::error!(
            teamspace = %facts.teamspace.slug,
            remembered = %told(&self.decision),
            made_again = %told(&made.decision),
            "a remembered decision was wrong; the one made again takes effect. Set policy_cache.enabled = false, and report it"
        );
    }

    /// An error may be one of the moment, such as a stack that was too small.
    fn is_worth_keeping(&self, facts: &Facts) -> bool {
        let erred = |reasons: &[Reason]| reasons.contains(&Reason::POLICY_ERROR);
        let denied_by_error = self.decision.outcome.as_ref().is_err_and(|denial| erred(&denial.reasons));
        let answers = self.body.decisions().len();
        let is_small = || serde_json::to_string(facts).is_ok_and(|json| json.len() + answers <= MAX_SIZE);
        !denied_by_error && !self.decision.answers.iter().any(|answer| erred(&answer.reasons)) && is_small()
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
        Ok(Self { engine, known: RwLock::default(), hasher: RandomState::default() })
    }

    /// Remembers a decision for all facts that the policies cannot tell from these. One that is not worth keeping takes
    /// an older one's place all the same.
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

    /// What the policies see of facts; none where they may see other values than we.
    fn seen<'f>(&self, facts: &'f Facts) -> Option<CacheKey<'f>> {
        CacheKey::of(facts, self.reads().of(facts), self.named_groups())
    }

    fn find(&self, hash: u64, seen: &CacheKey<'_>) -> Option<Arc<RecordedDecision>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (facts, decision) = known.get(&hash)?;
        (CacheKey::of(facts, seen.reads, self.named_groups()).as_ref() == Some(seen))
            .then(|| Arc::clone(decision))
    }
}
