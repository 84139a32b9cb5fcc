//! The decision: one pure function of policies and facts.

use cedar_policy::{Context, Entities, EntityUid};
use serde::{Deserialize, Serialize};

use super::clauses::PolicyFinding;
use super::denial::{Denial, EngineAnswer};
use super::details::check_details;
use super::not_known::check_known;
use super::set::{PolicyEngine, Question};
use crate::model::seats::is_seat_free;
use crate::oauth::authorization_details::{Detail, DetailCandidate};
use crate::oauth::error::{ErrorCode, Reason};
use crate::oauth::scope::{Candidates, is_never_granted};
use crate::policy::action::Action;
use crate::policy::facts::{ConfigurationFacts, Facts, FactsError, MemberFacts, OptionalClaim, to_context};

/// One question with its answer, as the decision log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyAnswer {
    /// The action that was asked about.
    pub action: Action,
    /// The resource of the question, as policies write it.
    pub resource: String,
    /// Whether policies permitted it.
    pub allowed: bool,
    /// The policies that determined the answer; if none permitted, also the permits whose conditions were not met.
    pub policies: Vec<String>,
    /// The reasons of a refusal, the most telling one first; empty when it is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// The shortest `@lifetime` of the permits, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<i64>,
}

/// Proof that policies permitted an exchange. Only [`decide`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct Permitted {
    scopes: Vec<String>,
    details: Vec<Detail>,
    lifetime: Option<i64>,
}

impl Permitted {
    /// The scopes that may be granted, in the order of the candidates.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// The authorization details that may be granted, in the order of the candidates.
    pub fn details(&self) -> &[Detail] {
        &self.details
    }

    /// The longest life of the token in seconds, where a permit has a `@lifetime`: the shortest of those that grant
    /// the resource, the scopes and the details.
    pub fn lifetime(&self) -> Option<i64> {
        self.lifetime
    }
}

/// The outcome, and the answers that led to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Decision {
    /// Each question with its answer, in the order of asking; they end with the first refusal that settles it.
    pub answers: Vec<PolicyAnswer>,
    /// The permission, or the reason for the refusal.
    pub outcome: Result<Permitted, Denial>,
}

/// The refusal of a request for scopes that gets none.
const NO_SCOPE: (ErrorCode, &str) = (ErrorCode::InvalidScope, "None of the requested scopes can be granted.");

/// Decides an exchange: trust the issuer, admit the person, then grant the resource, each scope and each authorization
/// detail. The first no ends it, except for scopes and details: the token carries the permitted ones. Whatever the
/// policies permit, nobody gets in without a seat, or without an email that no permit does without, and a request for
/// scopes or details that gets none is refused.
pub fn decide(policies: &PolicyEngine, facts: &Facts) -> Decision {
    let (mut answers, mut refused) = (Vec::new(), RefusedParts::default());
    if let Err(denial) = check_known(policies, facts, || policies.reads_about(facts)) {
        return Decision { answers, outcome: Err(denial) };
    }
    let outcome = match Evaluation::assemble(policies, facts) {
        Ok(evaluation) => evaluation.decide(&mut answers, &mut refused),
        Err(error) => {
            tracing::error!(%error, "cannot decide");
            Err(Denial::undecidable())
        }
    };
    answers.extend(out_of_bounds(&facts.candidates));
    let outcome = outcome.and_then(|permitted| {
        check_member(policies, facts, &answers)?;
        check_scopes(facts, &permitted, &answers, || common_denial(policies, facts, &refused.scopes))?;
        check_details(&facts.candidates, &permitted.details, refused.details)?;
        Ok(permitted)
    });
    Decision { answers, outcome }
}

/// An answer with the part that each named policy had in it.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// The question and its answer.
    #[serde(flatten)]
    pub answer: PolicyAnswer,
    /// The part of every policy that the answer names.
    pub findings: Vec<PolicyFinding>,
}

/// Decides, and explains which clauses made the difference.
pub fn explain(policies: &PolicyEngine, facts: &Facts) -> (Vec<Explained>, Result<Permitted, Denial>) {
    let Decision { answers, outcome } = decide(policies, facts);
    (explain_answers(policies, facts, answers), outcome)
}

/// Explains which clauses made the difference in a decision on these facts.
pub fn explain_answers(policies: &PolicyEngine, facts: &Facts, answers: Vec<PolicyAnswer>) -> Vec<Explained> {
    match Evaluation::assemble(policies, facts) {
        Ok(evaluation) => answers.into_iter().map(|answer| evaluation.explain(answer)).collect(),
        // The decision was that nothing can be decided, and says so.
        Err(_) => Vec::new(),
    }
}

/// The refusals that do not end a decision.
#[derive(Default)]
struct RefusedParts {
    scopes: Vec<Denial>,
    details: Vec<(Detail, Denial)>,
}

/// Answers for the scopes and details that no policy was asked about, because they cannot be granted at all.
fn out_of_bounds(candidates: &Candidates) -> impl Iterator<Item = PolicyAnswer> {
    let refused = |action, resource: String, reason: &Reason| PolicyAnswer {
        action,
        resource,
        allowed: false,
        policies: Vec::new(),
        reasons: vec![reason.clone()],
        lifetime: None,
    };
    let scopes = candidates.refused.iter();
    let scopes = scopes.map(move |(scope, reason)| refused(Action::GrantScope, scope.clone(), reason));
    let details = candidates.details.iter().flat_map(|details| &details.refused);
    let details = details
        .map(move |detail| refused(Action::GrantDetail, detail.to_string(), &Reason::DETAIL_NOT_AUTHORIZED));
    scopes.chain(details)
}

/// Refuses, whatever policies say: members who are suspended or removed, and newcomers without a seat. Newcomers without
/// an email are refused as well, unless a permit that lets them in says that it means them.
fn check_member(policies: &PolicyEngine, facts: &Facts, answers: &[PolicyAnswer]) -> Result<(), Denial> {
    let is_meant = || {
        let asked =
            answers.iter().filter(|answer| answer.action == Action::ProvisionMember && answer.allowed);
        let mut permits = asked.flat_map(|answer| &answer.policies);
        permits.any(|id| policies.annotations().get(id).is_some_and(|said| said.admits_without_email))
    };
    match &facts.member {
        MemberFacts::Present { status, .. } if !status.holds_seat() => Err(Denial::of(
            ErrorCode::AccessDenied,
            Reason::MEMBER_INACTIVE,
            "This member is suspended or was removed.",
        )),
        // One that cannot be read is not the same as none.
        MemberFacts::Absent { .. } if facts.claims.not_known.contains(&OptionalClaim::Email) => {
            Err(Denial::not_known())
        }
        MemberFacts::Absent { .. } if facts.claims.email.is_none() && !is_meant() => Err(Denial::of(
            ErrorCode::InvalidGrant,
            Reason::EMAIL_MISSING,
            "The assertion carries no email claim.",
        )),
        // The database enforces the limit as well, but could only fail; this gives the reason.
        MemberFacts::Absent { seats_used, seats_limit } if !is_seat_free(*seats_used, *seats_limit) => {
            Err(Denial::of(
                ErrorCode::AccessDenied,
                Reason::MEMBER_LIMIT_REACHED,
                "The teamspace is at its member limit.",
            ))
        }
        _ => Ok(()),
    }
}

/// Refuses if scopes were asked for and none is granted (RFC 6749 §3.3).
fn check_scopes(
    facts: &Facts,
    permitted: &Permitted,
    answers: &[PolicyAnswer],
    common: impl FnOnce() -> Option<Denial>,
) -> Result<(), Denial> {
    if !permitted.scopes().is_empty() || !facts.candidates.asked {
        return Ok(());
    }
    let scopes = answers.iter().filter(|answer| answer.action == Action::GrantScope);
    let reason = scopes.flat_map(|answer| answer.reasons.first()).next();
    let reason = reason.cloned().unwrap_or(Reason::SCOPE_NOT_AUTHORIZED);
    let (code, text) = NO_SCOPE;
    let denial = common().unwrap_or_else(|| Denial::of(code, reason.clone(), text));
    Err(Denial { reasons: vec![reason], neutral: NO_SCOPE, ..denial })
}

/// The refusal of the policies that refuse every scope, if they alone refuse and have a message.
fn common_denial(policies: &PolicyEngine, facts: &Facts, refused: &[Denial]) -> Option<Denial> {
    let (first, others) = refused.split_first()?;
    if facts.candidates.refused.iter().any(|(scope, _)| !is_never_granted(scope)) {
        return None;
    }
    let said = |id: &&String| policies.annotations().get(id).is_some_and(|said| said.message.is_some());
    let in_all = |id: &&String| others.iter().all(|other| other.policies.contains(id));
    let common: Vec<String> = first.policies.iter().filter(in_all).filter(said).cloned().collect();
    let told = policies.annotations().get(common.first()?)?;
    let denial = Denial::of(told.error, told.reason.clone(), told.text());
    Some(Denial { policies: common, ..denial })
}

/// Decides whether an administrator may save an issuer on a teamspace.
pub fn decide_configuration(
    policies: &PolicyEngine,
    facts: &ConfigurationFacts,
) -> (PolicyAnswer, Result<(), Denial>) {
    let asked = with_configuration(policies, facts, |question| policies.ask(&question));
    let asked = asked.unwrap_or_else(|error| {
        tracing::error!(%error, "cannot decide");
        EngineAnswer::undecidable(Vec::new())
    });
    let answer = PolicyAnswer::of(Action::ConfigureIssuer, facts.teamspace.slug.clone(), &asked);
    (answer, asked.denial.map_or(Ok(()), Err))
}

/// Decides whether an administrator may save an issuer, and says which clauses made the difference.
pub fn explain_configuration(policies: &PolicyEngine, facts: &ConfigurationFacts) -> Explained {
    let (answer, _) = decide_configuration(policies, facts);
    let findings =
        with_configuration(policies, facts, |question| policies.findings(&question, &answer.policies));
    // In this case the answer says that nothing could be decided.
    Explained { findings: findings.unwrap_or_default(), answer }
}

pub(in crate::policy) fn with_configuration<T>(
    policies: &PolicyEngine,
    facts: &ConfigurationFacts,
    ask: impl FnOnce(Question<'_>) -> T,
) -> Result<T, FactsError> {
    let entities = policies.world(facts.entities()?)?;
    let context = to_context(facts.context())?;
    Ok(ask(Question {
        action: Action::ConfigureIssuer,
        principal: facts.issuer(),
        resource: facts.teamspace(),
        ancestors: Vec::new(),
        context: &context,
        entities: &entities,
    }))
}

/// The facts in Cedar's form, built once for all questions of an exchange.
pub(in crate::policy) struct Evaluation<'a> {
    policies: &'a PolicyEngine,
    facts: &'a Facts,
    entities: Entities,
    /// One for all questions.
    context: Context,
}

impl<'a> Evaluation<'a> {
    pub(in crate::policy) fn assemble(
        policies: &'a PolicyEngine,
        facts: &'a Facts,
    ) -> Result<Self, FactsError> {
        Ok(Self {
            policies,
            facts,
            entities: policies.world_of(facts)?,
            context: to_context(facts.whole_context()?)?,
        })
    }

    fn decide(
        &self,
        answers: &mut Vec<PolicyAnswer>,
        refused: &mut RefusedParts,
    ) -> Result<Permitted, Denial> {
        let facts = self.facts;
        self.ask(answers, Action::TrustIssuer, facts.teamspace())?;
        self.ask(answers, facts.member_action(), facts.teamspace())?;
        self.ask(answers, Action::GrantResource, facts.server())?;
        let mut scopes = Vec::new();
        for name in &facts.candidates.scopes {
            match self.ask(answers, Action::GrantScope, Facts::scope(name)) {
                Ok(()) => scopes.push(name.clone()),
                Err(denial) => refused.scopes.push(denial),
            }
        }
        let mut details = Vec::new();
        for DetailCandidate { detail, .. } in facts.details() {
            match self.ask(answers, Action::GrantDetail, Facts::detail(&detail.to_string())) {
                Ok(()) => details.push(detail.clone()),
                Err(denial) => refused.details.push((detail.clone(), denial)),
            }
        }
        // A question that was answered no has none.
        let lifetime = answers.iter().filter_map(|answer| answer.lifetime).min();
        Ok(Permitted { scopes, details, lifetime })
    }

    fn ask(
        &self,
        answers: &mut Vec<PolicyAnswer>,
        action: Action,
        resource: EntityUid,
    ) -> Result<(), Denial> {
        let shown = resource.id().unescaped().to_owned();
        let answer = self.policies.ask(&self.question(action, resource));
        answers.push(PolicyAnswer::of(action, shown, &answer));
        answer.denial.map_or(Ok(()), Err)
    }

    fn ancestors(&self, action: Action) -> Vec<EntityUid> {
        match action {
            Action::GrantScope | Action::GrantDetail => vec![self.facts.server(), self.facts.teamspace()],
            Action::GrantResource => vec![self.facts.teamspace()],
            _ => Vec::new(),
        }
    }

    fn question(&self, action: Action, resource: EntityUid) -> Question<'_> {
        let principal = if action == Action::TrustIssuer { self.facts.issuer() } else { self.facts.user() };
        let (context, entities) = (&self.context, &self.entities);
        Question { action, principal, resource, ancestors: self.ancestors(action), context, entities }
    }

    /// The question that was answered.
    pub(in crate::policy) fn question_of(&self, answer: &PolicyAnswer) -> Question<'_> {
        let resource = match answer.action {
            Action::GrantScope => Facts::scope(&answer.resource),
            Action::GrantDetail => Facts::detail(&answer.resource),
            Action::GrantResource => self.facts.server(),
            _ => self.facts.teamspace(),
        };
        self.question(answer.action, resource)
    }

    fn explain(&self, answer: PolicyAnswer) -> Explained {
        let question = self.question_of(&answer);
        Explained { findings: self.policies.findings(&question, &answer.policies), answer }
    }
}

impl PolicyAnswer {
    pub(super) fn of(action: Action, resource: String, answer: &EngineAnswer) -> Self {
        Self {
            action,
            resource,
            allowed: answer.denial.is_none(),
            policies: answer.policies.clone(),
            reasons: answer.denial.as_ref().map(|d| d.reasons.clone()).unwrap_or_default(),
            lifetime: answer.lifetime,
        }
    }
}
