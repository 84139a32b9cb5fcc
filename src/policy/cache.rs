//! Decisions that were made before. A decision depends on nothing but the policies and the facts that they can
//! read, so that for equal ones it is the same again.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, Hash, Hasher};
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use cedar_policy::{PolicySet, Schema};
use foldhash::quality::RandomState;

use super::decision::{Decision, decide};
use super::engine::PolicyEngine;
use super::facts::{
    Access, ClaimFacts, Class, DeclaredClaims, Facts, Maybe, MemberFacts, Moment, claim_facts, class,
    moment_facts, request_facts,
};
use super::reads::{Groups, Reads};
use super::recorded::RecordedFacts;
use crate::clock::UnixSeconds;
use crate::config::PolicyCache;
use crate::model::member::Status;
use crate::model::seats::is_seat_free;
use crate::oauth::error::Reason;
use crate::store::decision_body::DecisionBody;

/// Most decisions that are kept, some 2 KiB each; when they are more it starts anew.
const MAX_DECISIONS: usize = 4096;
/// Longest facts and rulings that are kept, as JSON, in bytes: what an assertion brings along may be long.
const MAX_SIZE: usize = 4096;
/// From 1970 to 3000: times that surely have a text form, which Cedar needs. Without one nothing can be decided.
const TIMES: Range<UnixSeconds> = 0..32_503_680_000;
/// Numbers of seats that policies see as they are.
const SEATS: Range<i64> = 0..1_000_000_000;

/// A decision, and what the decision log keeps of it for all who are decided on alike.
#[derive(Debug)]
pub struct RecordedDecision {
    pub decision: Decision,
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

/// The facts as the policies can tell them apart: equal ones lead to the same decision. Shared facts always count;
/// others as far as policies read them.
struct Seen<'a> {
    facts: &'a Facts,
    reads: Reads,
    member: SeenMember<'a>,
    groups: Vec<&'a str>,
}

/// What of the membership counts in any case.
#[derive(PartialEq, Eq, Hash)]
enum SeenMember<'a> {
    /// One newcomer meets the same seats as the next, until none is free.
    Absent {
        has_email: bool,
        limit: Option<i64>,
        full: bool,
    },
    Present {
        status: Status,
        linking: bool,
        email_domain: Option<&'a str>,
    },
}

/// As much of a fact as counts.
#[derive(PartialEq, Eq, Hash)]
enum Glimpse<T> {
    Nothing,
    Presence(bool),
    Value(T),
}

fn glimpse<T: Maybe>(class: Class, read: Access, value: impl FnOnce() -> T) -> Glimpse<T> {
    match (class, read) {
        (Class::Shared, _) | (_, Access::Value) => Glimpse::Value(value()),
        (_, Access::Presence) => Glimpse::Presence(value().get().is_some()),
        (_, Access::No) => Glimpse::Nothing,
    }
}

macro_rules! hash_facts {
    (
        [$of:expr, $reads:expr, $state:expr]
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($dclass:ident $dname:ident => $dneed:ident $dkind:ident in $dplace:ident = $read:expr, $dfrom:literal;)* }
    ) => {
        $(glimpse(class!($class), $reads.$name, || &$of.$name).hash($state);)*
        $(glimpse(class!($dclass), $reads.$dname, || ($read)($of)).hash($state);)*
    };
}

macro_rules! same_facts {
    (
        [$one:expr, $other:expr, $reads:expr]
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($dclass:ident $dname:ident => $dneed:ident $dkind:ident in $dplace:ident = $read:expr, $dfrom:literal;)* }
    ) => {
        true
        $(&& glimpse(class!($class), $reads.$name, || &$one.$name) == glimpse(class!($class), $reads.$name, || &$other.$name))*
        $(&& glimpse(class!($dclass), $reads.$dname, || ($read)($one)) == glimpse(class!($dclass), $reads.$dname, || ($read)($other)))*
    };
}

impl Hash for Seen<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (facts, reads, state) = (self.facts, &self.reads, state);
        let (claims, moment) = (&facts.claims, &facts.moment());
        (facts.structure(), &self.member, &self.groups).hash(state);
        claim_facts!(hash_facts claims, reads.claims, state);
        moment_facts!(hash_facts moment, reads.moment, state);
        request_facts!(hash_facts facts, reads.request, state);
    }
}

impl PartialEq for Seen<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (facts, others, reads) = (self.facts, other.facts, &self.reads);
        let (moment, other_moment) = (&facts.moment(), &others.moment());
        (facts.structure(), &self.member, &self.groups) == (others.structure(), &other.member, &other.groups)
            && self.reads == other.reads
            && claim_facts!(same_facts & facts.claims, &others.claims, reads.claims)
            && moment_facts!(same_facts moment, other_moment, reads.moment)
            && request_facts!(same_facts facts, others, reads.request)
    }
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
        let rulings = serde_json::to_string(&decision.rulings).unwrap_or_default();
        let body = Arc::new(DecisionBody::new(rulings, RecordedFacts::in_common(facts)));
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
        let rulings = self.body.decisions().len();
        let is_small = || serde_json::to_string(facts).is_ok_and(|json| json.len() + rulings <= MAX_SIZE);
        !denied_by_error && !self.decision.rulings.iter().any(|ruling| erred(&ruling.reasons)) && is_small()
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
    fn seen<'f>(&self, facts: &'f Facts) -> Option<Seen<'f>> {
        Seen::of(facts, self.reads().of(facts), self.named_groups())
    }

    fn find(&self, hash: u64, seen: &Seen<'_>) -> Option<Arc<RecordedDecision>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (facts, decision) = known.get(&hash)?;
        (Seen::of(facts, seen.reads, self.named_groups()).as_ref() == Some(seen))
            .then(|| Arc::clone(decision))
    }
}

impl<'a> Seen<'a> {
    /// None where policies may see other values than we.
    fn of(facts: &'a Facts, reads: Reads, named_groups: &BTreeSet<String>) -> Option<Self> {
        let groups = match reads.groups {
            Groups::Unread => Vec::new(),
            Groups::Named => {
                let named = |group: &&String| named_groups.contains(&facts.group_id(group));
                facts.groups().iter().filter(named).map(String::as_str).collect()
            }
            Groups::All => facts.groups().iter().map(String::as_str).collect(),
        };
        let member = SeenMember::of(facts)?;
        TIMES.contains(&facts.now).then_some(Self { facts, reads, member, groups })
    }
}

impl<'a> SeenMember<'a> {
    fn of(facts: &'a Facts) -> Option<Self> {
        Some(match facts.member {
            MemberFacts::Present { status, linking, ref email_domain, role: _ } => {
                Self::Present { status, linking, email_domain: email_domain.as_deref() }
            }
            MemberFacts::Absent { seats_used, seats_limit } => {
                let plain =
                    SEATS.contains(&seats_used) && seats_limit.is_none_or(|limit| SEATS.contains(&limit));
                plain.then_some(())?;
                let full = !is_seat_free(seats_used, seats_limit);
                let has_email = facts.claims.email.is_some();
                Self::Absent { has_email, limit: seats_limit, full }
            }
        })
    }
}
