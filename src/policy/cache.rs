//! Decisions that were made before. A decision depends on nothing but the policies and the facts that they can
//! read, so that for equal ones it is the same again.

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher as _;
use std::ops::{Deref, Range};
use std::sync::{Arc, PoisonError, RwLock};

use cedar_policy::{PolicySet, Schema};
use foldhash::quality::RandomState;

use super::decision::{Decision, decide};
use super::engine::PolicyEngine;
use super::facts::{
    ClaimFacts, ClientFacts, Facts, MemberFacts, OptionalClaim, ResourceFacts, TeamspaceFacts, weekday,
};
use super::reads::{Groups, Reads};
use crate::clock::UnixSeconds;
use crate::model::member::Status;
use crate::oauth::error::Reason;
use crate::oauth::scope::Candidates;
use crate::store::grounds::Reference;

/// Most decisions that are kept, some 2 KiB each; when they are more it starts anew.
const MAX_DECISIONS: usize = 4096;
/// Longest facts and rulings that are kept, as JSON, in bytes: what an assertion brings along may be long.
const MAX_SIZE: usize = 4096;
/// From 1970 to 3000: times that surely have a text form, which Cedar needs. Without one nothing can be decided.
const TIMES: Range<UnixSeconds> = 0..32_503_680_000;
/// Numbers of seats that policies see as they are.
const SEATS: Range<i64> = 0..1_000_000_000;

/// A decision, and its rulings as the decision log keeps them.
#[derive(Debug)]
pub struct RecordedDecision {
    pub decision: Decision,
    /// JSON.
    pub rulings: String,
    /// To what all who are decided on alike have in common.
    pub grounds: Reference,
}

/// A policy set in force with what it has decided; another set begins with nothing.
#[derive(Debug)]
pub struct CompiledPolicies {
    engine: PolicyEngine,
    /// By a hash of what the policies saw. Which one it is says the comparison.
    known: RwLock<HashMap<u64, (Facts, Arc<RecordedDecision>)>>,
    hasher: RandomState,
}

/// The facts as the policies can tell them apart: equal ones lead to the same decision.
#[derive(PartialEq, Eq, Hash)]
struct Seen<'a> {
    now: Option<UnixSeconds>,
    weekday: Option<i64>,
    teamspace: &'a TeamspaceFacts,
    client: &'a ClientFacts,
    claims: SeenClaims<'a>,
    member: SeenMember<'a>,
    resource: &'a ResourceFacts,
    candidates: &'a Candidates,
    key_bound: bool,
}

#[derive(PartialEq, Eq, Hash)]
enum SeenMember<'a> {
    /// One newcomer meets the same seats as the next, until none is free.
    Absent {
        limit: Option<i64>,
        full: bool,
        used: Option<i64>,
    },
    Present {
        status: Status,
        linking: bool,
        email_domain: Option<&'a str>,
    },
}

#[derive(PartialEq, Eq, Hash)]
struct SeenClaims<'a> {
    iss: &'a str,
    sub: Option<&'a str>,
    tenant: Option<&'a str>,
    aud_tenant: Option<&'a str>,
    has_email: bool,
    email: Option<&'a str>,
    email_domain: Option<&'a str>,
    email_verified: Option<bool>,
    amr: &'a [String],
    acr: Option<&'a str>,
    auth_age: Option<i64>,
    scopes: Option<&'a [String]>,
    resources: &'a [String],
    has_groups: Option<bool>,
    groups: Vec<&'a str>,
    not_known: &'a [OptionalClaim],
}

/// Decides, or says again what was decided about the same.
pub fn decide_recorded(policies: &CompiledPolicies, facts: &Facts) -> Arc<RecordedDecision> {
    let groups = policies.named_groups();
    let reads = policies.reads().of(facts);
    let Some(seen) = Seen::of(facts, reads, groups) else {
        return Arc::new(RecordedDecision::of(policies, facts));
    };
    let hash = policies.hasher.hash_one(&seen);
    if let Some((known, decision)) = policies.known.read().unwrap_or_else(PoisonError::into_inner).get(&hash)
        && Seen::of(known, reads, groups).as_ref() == Some(&seen)
    {
        return Arc::clone(decision);
    }
    let decision = Arc::new(RecordedDecision::of(policies, facts));
    if decision.is_worth_keeping(facts) {
        policies.keep(hash, facts, &decision);
    }
    decision
}

impl RecordedDecision {
    fn of(policies: &PolicyEngine, facts: &Facts) -> Self {
        let decision = decide(policies, facts);
        // Plain data always serializes; the log would show the gap.
        let rulings = serde_json::to_string(&decision.rulings).unwrap_or_default();
        Self { decision, rulings, grounds: Reference::default() }
    }

    /// An error may be one of the moment, such as a stack that was too small.
    fn is_worth_keeping(&self, facts: &Facts) -> bool {
        let erred = |reasons: &[Reason]| reasons.contains(&Reason::POLICY_ERROR);
        let denied_by_error = self.decision.outcome.as_ref().is_err_and(|denial| erred(&denial.reasons));
        let is_small =
            || serde_json::to_string(facts).is_ok_and(|json| json.len() + self.rulings.len() <= MAX_SIZE);
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
    /// Compiles a set that was validated against the schema, with ids from `@id`.
    pub fn compile(set: &PolicySet, schema: &Schema) -> Result<Self, String> {
        let engine = PolicyEngine::compile(set, schema)?;
        Ok(Self { engine, known: RwLock::default(), hasher: RandomState::default() })
    }

    /// Forgets its decisions, and with them what the database is believed to have of them.
    pub fn forget_decisions(&self) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn keep(&self, hash: u64, facts: &Facts, decision: &Arc<RecordedDecision>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_DECISIONS {
            known.clear();
        }
        known.insert(hash, (facts.clone(), Arc::clone(decision)));
    }
}

impl<'a> Seen<'a> {
    /// None where policies may see other values than we.
    fn of(facts: &'a Facts, reads: Reads, named_groups: &BTreeSet<String>) -> Option<Self> {
        // Each by its name: a new fact does not pass unseen.
        let Facts { now, teamspace, client, claims, member, resource, candidates, key_bound } = facts;
        let member = SeenMember::of(member, reads)?;
        let groups = match reads.groups {
            Groups::Unread => Vec::new(),
            Groups::Named => {
                let named = |group: &&String| named_groups.contains(&facts.group_id(group));
                facts.groups().iter().filter(named).map(String::as_str).collect()
            }
            Groups::All => facts.groups().iter().map(String::as_str).collect(),
        };
        TIMES.contains(now).then_some(Self {
            now: reads.now.then_some(*now),
            weekday: reads.weekday.then(|| weekday(*now)),
            teamspace,
            client,
            claims: SeenClaims::of(claims, reads, groups),
            member,
            resource,
            candidates,
            key_bound: *key_bound,
        })
    }
}

impl<'a> SeenMember<'a> {
    fn of(member: &'a MemberFacts, reads: Reads) -> Option<Self> {
        Some(match *member {
            MemberFacts::Present { status, linking, ref email_domain } => {
                Self::Present { status, linking, email_domain: email_domain.as_deref() }
            }
            MemberFacts::Absent { seats_used, seats_limit } => {
                let plain =
                    SEATS.contains(&seats_used) && seats_limit.is_none_or(|limit| SEATS.contains(&limit));
                plain.then_some(())?;
                let full = seats_limit.is_some_and(|limit| seats_used >= limit);
                Self::Absent { limit: seats_limit, full, used: reads.seats_used.then_some(seats_used) }
            }
        })
    }
}

impl<'a> SeenClaims<'a> {
    fn of(claims: &'a ClaimFacts, reads: Reads, seen_groups: Vec<&'a str>) -> Self {
        let ClaimFacts {
            iss,
            sub,
            tenant,
            aud_tenant,
            email,
            email_verified,
            amr,
            acr,
            auth_age,
            scopes,
            resources,
            groups,
            not_known,
        } = claims;
        Self {
            iss,
            sub: reads.subject.then_some(sub),
            tenant: tenant.as_deref(),
            aud_tenant: aud_tenant.as_deref(),
            has_email: email.is_some(),
            email: email.as_deref().filter(|_| reads.email),
            email_domain: claims.email_domain(),
            email_verified: *email_verified,
            amr,
            acr: acr.as_deref(),
            auth_age: auth_age.filter(|_| reads.auth_age),
            scopes: scopes.as_deref(),
            resources,
            has_groups: reads.has_groups.then_some(groups.is_some()),
            groups: seen_groups,
            not_known,
        }
    }
}
