//! The proofs: no policy can fail, none is dead, and nothing is permitted beyond the invariants.

use std::time::{Duration, Instant};

use cedar_policy::{Effect, Entities, Policy, PolicyId, PolicySet, RequestEnv, Schema};
use cedar_policy_symcc::{CompiledPolicy, CompiledPolicySet, Env};
use serde::{Serialize, Serializer};

use super::assumptions::{Assumptions, defined};
use super::counterexample::{DecidingPolicy, FoundAnswer, FoundCase, confirm, decide, errors};
use super::invariant::{ActionLimits, Invariant, InvariantSentence};
use super::solver::{Prover, Undecided, told};
use crate::policy::Validated;
use crate::policy::engine::constraints::applies;

/// The question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofKind {
    /// Evaluating the policy never fails; a failure would turn the decision into a denial.
    NeverErrors,
    /// There is a request that the policy matches.
    CanMatch,
    /// Every permitted request of an action stays within an invariant.
    Invariant,
}

/// A proof that was tried.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    /// The kind of statement that was tried.
    pub kind: ProofKind,
    /// The policy's `@id`, or the invariant's file.
    pub subject: String,
    /// The action's name, of an invariant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The statement to be proved, in words.
    pub claim: String,
    /// How long the solver took; whole milliseconds in JSON.
    #[serde(rename = "milliseconds", serialize_with = "milliseconds")]
    pub time: Duration,
    /// Whether the statement holds.
    #[serde(flatten)]
    pub outcome: ProofOutcome,
}

/// How a proof ended.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ProofOutcome {
    /// The statement holds for every request.
    Proved,
    /// The statement does not hold: here is a request that it fails for.
    Refuted(Box<Refutation>),
    /// No answer, and so no proof.
    Undecided {
        /// Why the solver gave no answer.
        why: String,
    },
}

/// A request that refutes a proof.
#[derive(Debug, Clone, Serialize)]
pub struct Refutation {
    /// The violation, in words.
    pub what: String,
    /// The policies of the set that are at fault.
    pub policies: Vec<DecidingPolicy>,
    /// The sentence of the broken invariant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<InvariantSentence>,
    /// The request, where one shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<FoundCase>,
}

/// A request environment, ready to be asked about.
struct ProofEnvironment {
    environment: RequestEnv,
    assumptions: Assumptions,
    /// The policy set, with a forbid for everything that cannot occur.
    policies: Result<CompiledPolicySet, Undecided>,
}

/// Tries every proof, and reports each as soon as it ends. A proof without an answer does not stop the others.
pub async fn prove(
    prover: &mut Prover,
    policies: &Validated,
    invariants: &[Invariant],
    mut each: impl FnMut(Proof),
) -> Result<(), Undecided> {
    let environments = policies.schema.request_envs();
    let mut places: Vec<ProofEnvironment> = environments
        .map(|environment| ProofEnvironment::of(environment, policies))
        .collect::<Result<_, _>>()?;
    places.sort_by(|a, b| a.action().cmp(b.action()));
    let action_groups = policies.schema.action_entities().map_err(Undecided::because)?;
    let mut session = ProofSession { prover, policies, places: &places, action_groups: &action_groups };
    for file in &policies.files {
        for policy in file.policies.iter().filter_map(|id| policies.set.policy(&PolicyId::new(id))) {
            each(session.never_errors(policy, &file.name).await);
            each(session.can_match(policy, &file.name).await);
        }
    }
    for invariant in invariants {
        for policy in invariant.policies() {
            each(session.never_errors(policy, &invariant.file).await);
            // If a forbid matched nothing, everything would count as proved.
            if policy.effect() == Effect::Forbid {
                each(session.can_match(policy, &invariant.file).await);
            }
        }
        for place in &places {
            if let Some(proof) = session.keeps(invariant, place).await {
                each(proof);
            }
        }
    }
    Ok(())
}

impl ProofEnvironment {
    fn of(environment: RequestEnv, policies: &Validated) -> Result<Self, Undecided> {
        let schema = &policies.schema;
        let assumptions = Assumptions::of(&environment, schema)?;
        let policies = policies.deciding(environment.action());
        let policies = bounded(&policies.set, &assumptions, &environment, schema);
        Ok(Self { environment, assumptions, policies })
    }

    fn action(&self) -> &str {
        self.environment.action().id().unescaped()
    }

    fn undecided(&self, why: &Undecided) -> ProofOutcome {
        ProofOutcome::Undecided { why: format!("{}: {why}", self.action()) }
    }
}

fn compiled(policy: &Policy, environment: &RequestEnv, schema: &Schema) -> Result<CompiledPolicy, Undecided> {
    CompiledPolicy::compile(policy, environment, schema).map_err(|error| Undecided::because(told(&error)))
}

/// The set with a forbid for everything that cannot occur: two such sets differ only in requests that can occur.
pub(super) fn bounded(
    set: &PolicySet,
    assumptions: &Assumptions,
    environment: &RequestEnv,
    schema: &Schema,
) -> Result<CompiledPolicySet, Undecided> {
    let mut set = set.clone();
    set.add(assumptions.broken()?).map_err(Undecided::because)?;
    CompiledPolicySet::compile(&set, environment, schema).map_err(|error| Undecided::because(told(&error)))
}

/// A request that the first set permits and the second does not.
pub(super) async fn beyond(
    prover: &mut Prover,
    first: &CompiledPolicySet,
    second: &CompiledPolicySet,
) -> Result<Option<Env>, Undecided> {
    prover.ask(async |c| c.check_implies_with_counterexample_opt(first, second).await).await
}

struct ProofSession<'a> {
    prover: &'a mut Prover,
    policies: &'a Validated,
    places: &'a [ProofEnvironment],
    action_groups: &'a Entities,
}

impl<'a> ProofSession<'a> {
    /// The environments for the actions in the policy's head. In the others, no part of it is evaluated.
    fn places_of(&self, policy: &Policy) -> impl Iterator<Item = &'a ProofEnvironment> + use<'a> {
        let (constraint, groups) = (policy.action_constraint(), self.action_groups);
        self.places.iter().filter(move |place| applies(&constraint, place.environment.action(), groups))
    }

    async fn never_errors(&mut self, policy: &Policy, file: &str) -> Proof {
        let started = Instant::now();
        let mut outcome = ProofOutcome::Proved;
        for place in self.places_of(policy) {
            match self.error(policy, file, place).await {
                Ok(None) => {}
                Ok(Some(finding)) => {
                    outcome = ProofOutcome::Refuted(Box::new(finding));
                    break;
                }
                Err(why) => outcome = place.undecided(&why),
            }
        }
        Proof {
            kind: ProofKind::NeverErrors,
            subject: policy.id().to_string(),
            action: None,
            claim: "its evaluation never fails".to_owned(),
            time: started.elapsed(),
            outcome,
        }
    }

    async fn error(
        &mut self,
        policy: &Policy,
        file: &str,
        place: &ProofEnvironment,
    ) -> Result<Option<Refutation>, Undecided> {
        let ProofEnvironment { environment, assumptions, .. } = place;
        let found = failure(self.prover, policy, environment, assumptions, &self.policies.schema).await?;
        let Some(env) = found else { return Ok(None) };
        let errors = errors(&PolicySet::from_policies([policy.clone()]).map_err(Undecided::because)?, &env);
        confirm(!errors.is_empty(), &env, &place.assumptions)?;
        let deciding = DecidingPolicy { id: policy.id().to_string(), file: file.to_owned() };
        Ok(Some(Refutation {
            what: format!("{deciding} fails: {}", errors.join("; ")),
            policies: vec![deciding],
            broken: Vec::new(),
            case: Some(FoundCase::of(&env)),
        }))
    }

    async fn can_match(&mut self, policy: &Policy, file: &str) -> Proof {
        let started = Instant::now();
        let deciding = DecidingPolicy { id: policy.id().to_string(), file: file.to_owned() };
        let mut outcome = ProofOutcome::Refuted(Box::new(Refutation {
            what: format!("no request can match {deciding}"),
            policies: vec![deciding],
            broken: Vec::new(),
            case: None,
        }));
        for place in self.places_of(policy) {
            match self.is_dead(policy, place).await {
                Ok(true) => {}
                Ok(false) => {
                    outcome = ProofOutcome::Proved;
                    break;
                }
                Err(why) => outcome = place.undecided(&why),
            }
        }
        Proof {
            kind: ProofKind::CanMatch,
            subject: policy.id().to_string(),
            action: None,
            claim: "a request can match it".to_owned(),
            time: started.elapsed(),
            outcome,
        }
    }

    async fn is_dead(&mut self, policy: &Policy, place: &ProofEnvironment) -> Result<bool, Undecided> {
        let schema = &self.policies.schema;
        let policy = compiled(policy, &place.environment, schema)?;
        let possible = compiled(place.assumptions.holds(), &place.environment, schema)?;
        self.prover.ask(async |c| c.check_matches_disjoint_opt(&policy, &possible).await).await
    }

    /// None when the invariant does not cover this action.
    async fn keeps(&mut self, invariant: &Invariant, place: &ProofEnvironment) -> Option<Proof> {
        let started = Instant::now();
        let limits = invariant.about(place.environment.action())?;
        let outcome = match self.excess(&limits, place).await {
            Ok(None) => ProofOutcome::Proved,
            Ok(Some(finding)) => ProofOutcome::Refuted(Box::new(finding)),
            Err(why) => place.undecided(&why),
        };
        Some(Proof {
            kind: ProofKind::Invariant,
            subject: invariant.file.clone(),
            action: Some(place.action().to_owned()),
            claim: limits.claim(),
            time: started.elapsed(),
            outcome,
        })
    }

    async fn excess(
        &mut self,
        limits: &ActionLimits<'_>,
        place: &ProofEnvironment,
    ) -> Result<Option<Refutation>, Undecided> {
        let permitted = limits.set()?;
        let bound = bounded(&permitted, &place.assumptions, &place.environment, &self.policies.schema)?;
        let policies = place.policies.as_ref().map_err(Undecided::clone)?;
        let Some(env) = beyond(self.prover, policies, &bound).await? else { return Ok(None) };
        let answer = FoundAnswer::of(self.policies.deciding(place.environment.action()), &env);
        let (kept, deciding) = decide(&permitted, &env);
        confirm(answer.allowed && !kept, &env, &place.assumptions)?;
        Ok(Some(Refutation {
            what: answer.to_string(),
            policies: answer.policies,
            broken: limits.broken(&deciding),
            case: Some(FoundCase::of(&env)),
        }))
    }
}

/// A request on which the evaluation of a policy fails.
pub(super) async fn failure(
    prover: &mut Prover,
    policy: &Policy,
    environment: &RequestEnv,
    assumptions: &Assumptions,
    schema: &Schema,
) -> Result<Option<Env>, Undecided> {
    let within = compiled(&assumptions.within(policy)?, environment, schema)?;
    let defined = compiled(&defined(policy)?, environment, schema)?;
    prover.ask(async |c| c.check_matches_implies_with_counterexample_opt(&within, &defined).await).await
}

fn milliseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(time.as_millis())
}
