//! The decision: one pure function of policies and facts.

use cedar_policy::{Context, Entities, EntityUid};
use serde::Serialize;

use super::facts::{ConfigurationFacts, Facts, FactsError, MemberFacts, to_context};
use super::set::{Action, Answer, CompiledPolicies, Denial, Question};
use crate::exchange::error::{ErrorCode, Reason};

/// One question with its answer, as the decision log keeps it.
#[derive(Debug, Clone, Serialize)]
pub struct Ruling {
    pub action: &'static str,
    pub resource: String,
    pub allowed: bool,
    /// The policies that determined the answer; when none permitted, the permits that were not met too.
    pub policies: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
}

/// What the policies permit. There is no way to one but [`decide`].
#[derive(Debug)]
pub struct Permitted {
    scopes: Vec<String>,
}

impl Permitted {
    /// The scopes that may be granted, in the order of the candidates.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }
}

/// What was decided, and how.
#[derive(Debug)]
pub struct Decision {
    pub rulings: Vec<Ruling>,
    pub outcome: Result<Permitted, Denial>,
}

/// Decides an exchange: trust the issuer, let the person in, then the resource, then each scope. It stops
/// at the first no but for scopes, where the token carries those that are permitted.
pub fn decide(policies: &CompiledPolicies, facts: &Facts) -> Decision {
    let mut rulings = Vec::new();
    let outcome = match Court::assemble(policies, facts) {
        Ok(court) => court.decide(&mut rulings),
        Err(error) => {
            tracing::error!(%error, "cannot decide");
            Err(undecidable())
        }
    };
    Decision { rulings, outcome }
}

/// Decides whether an administrator may save an issuer on a teamspace.
pub fn decide_configuration(policies: &CompiledPolicies, facts: &ConfigurationFacts) -> Result<(), Denial> {
    let assembled = facts
        .entities()
        .and_then(|entities| policies.world(entities))
        .and_then(|world| Ok((world, to_context(facts.context())?)));
    let Ok((entities, context)) = assembled else { return Err(undecidable()) };
    let question = Question {
        action: Action::ConfigureIssuer,
        principal: facts.issuer(),
        resource: facts.teamspace(),
        ancestors: &[],
        context: &context,
        entities: &entities,
    };
    policies.ask(&question).denial.map_or(Ok(()), Err)
}

fn undecidable() -> Denial {
    Denial {
        error: ErrorCode::AccessDenied,
        message: "The request could not be decided.".to_owned(),
        reasons: vec![Reason::POLICY_ERROR],
    }
}

/// The facts as Cedar wants them, built once for all questions of an exchange.
struct Court<'a> {
    policies: &'a CompiledPolicies,
    facts: &'a Facts,
    entities: Entities,
    /// One for all questions: what only the member actions have in the schema, no policy of another
    /// action can name, since it would not have passed validation.
    context: Context,
}

impl<'a> Court<'a> {
    fn assemble(policies: &'a CompiledPolicies, facts: &'a Facts) -> Result<Self, FactsError> {
        Ok(Self {
            policies,
            facts,
            entities: policies.world_of(facts)?,
            context: to_context(facts.member_context()?)?,
        })
    }

    fn decide(&self, rulings: &mut Vec<Ruling>) -> Result<Permitted, Denial> {
        let (facts, teamspace) = (self.facts, self.facts.teamspace());
        let member_action = match facts.member {
            MemberFacts::Absent { .. } => Action::ProvisionMember,
            MemberFacts::Present { .. } => Action::AdmitMember,
        };
        let within = std::slice::from_ref(&teamspace);
        self.ask(rulings, Action::TrustIssuer, teamspace.clone(), &[])?;
        self.ask(rulings, member_action, teamspace.clone(), &[])?;
        self.ask(rulings, Action::GrantResource, facts.server(), within)?;
        let around = [facts.server(), teamspace.clone()];
        let mut scopes = Vec::new();
        for name in &facts.candidates {
            if self.ask(rulings, Action::GrantScope, Facts::scope(name), &around).is_ok() {
                scopes.push(name.clone());
            }
        }
        Ok(Permitted { scopes })
    }

    fn ask(
        &self,
        rulings: &mut Vec<Ruling>,
        action: Action,
        resource: EntityUid,
        ancestors: &[EntityUid],
    ) -> Result<(), Denial> {
        let shown = resource.id().unescaped().to_owned();
        let answer = self.policies.ask(&Question {
            action,
            principal: if action == Action::TrustIssuer { self.facts.issuer() } else { self.facts.user() },
            resource,
            ancestors,
            context: &self.context,
            entities: &self.entities,
        });
        rulings.push(Ruling::of(action, shown, &answer));
        answer.denial.map_or(Ok(()), Err)
    }
}

impl Ruling {
    /// A scope that no policy was asked about, since it is outside of what can be granted at all.
    pub fn of_scope_out_of_bounds(scope: &str, reason: &Reason) -> Self {
        Self {
            action: Action::GrantScope.name(),
            resource: scope.to_owned(),
            allowed: false,
            policies: Vec::new(),
            reasons: vec![reason.clone()],
        }
    }

    fn of(action: Action, resource: String, answer: &Answer) -> Self {
        Self {
            action: action.name(),
            resource,
            allowed: answer.denial.is_none(),
            policies: answer.policies.clone(),
            reasons: answer.denial.as_ref().map(|d| d.reasons.clone()).unwrap_or_default(),
        }
    }
}
