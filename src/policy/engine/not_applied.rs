//! Why the other policies did not apply: the answer to "Why didn't my rule fire?".

use std::collections::BTreeMap;

use cedar_policy::{Policy, Request};
use serde::Serialize;

use super::clauses::{Clause, PolicyFinding};
use super::console::with_console;
use super::constraints;
use super::decision::{Evaluation, Explained, with_configuration};
use super::set::{PolicyEngine, Question};
use super::tools::{ToolQuestion, with_token};
use crate::oauth::authorization_details::DetailCandidate;
use crate::policy::action::{Action, ConsoleAction, Topic};
use crate::policy::facts::{ConfigurationFacts, ConsoleFacts, Facts};
use crate::policy::source::depth;

/// Most policies that are told as not applying.
const MAX_TOLD: usize = 200;

/// The policies that did not apply, apart from those that a decision names, and the person's groups.
#[derive(Debug, Default, Serialize)]
pub struct NotApplied {
    /// The person's groups, `<teamspace>/<group>`; none without a groups claim.
    pub groups: Option<Vec<String>>,
    /// The policies in the order of the questions, then those that no question was about.
    pub policies: Vec<Missed>,
    /// Whether there were more than are told.
    pub truncated: bool,
}

/// A policy that did not apply to a question, or that no question was about.
#[derive(Debug, Serialize)]
pub struct Missed {
    /// None: no question was about the policy's actions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The resource of the question; none: no question was about the policy's actions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The policy, and the clause that kept it from applying.
    #[serde(flatten)]
    pub finding: PolicyFinding,
}

/// Explains for every other policy why it did not apply to a sign-in. Only policies that pass `tells` are examined and
/// counted.
pub fn not_applied(
    policies: &PolicyEngine,
    facts: &Facts,
    decisions: &[Explained],
    tells: impl Fn(&str) -> bool,
) -> NotApplied {
    let Ok(evaluation) = Evaluation::assemble(policies, facts) else { return NotApplied::default() };
    // A scope or a detail that is no candidate was refused before policies were asked.
    let asked = |explained: &&Explained| {
        let answer = &explained.answer;
        let is_detail = |candidate: &DetailCandidate| candidate.detail.to_string() == answer.resource;
        match answer.action {
            Action::GrantScope => facts.candidates.scopes.contains(&answer.resource),
            Action::GrantDetail => facts.details().iter().any(is_detail),
            _ => true,
        }
    };
    let answered = decisions.iter().filter(asked).map(|e| (e, evaluation.question_of(&e.answer))).collect();
    let groups = facts.claims.groups.as_ref();
    let groups = groups.map(|groups| groups.iter().map(|group| facts.group_id(group)).collect());
    NotApplied { groups, ..among(policies, answered, tells) }
}

/// Finds the policies that did not apply when an administrator saved an issuer.
pub fn not_applied_configuration(
    policies: &PolicyEngine,
    facts: &ConfigurationFacts,
    explained: &Explained,
) -> NotApplied {
    let told = with_configuration(policies, facts, |question| {
        among(policies, vec![(explained, question)], |_| true)
    });
    told.unwrap_or_default()
}

/// Finds the policies that did not apply to a console action.
pub fn not_applied_console(
    policies: &PolicyEngine,
    action: ConsoleAction,
    facts: &ConsoleFacts,
    explained: &Explained,
) -> NotApplied {
    let told = with_console(policies, action, facts, |policies, question| {
        among(policies, vec![(explained, question)], |_| true)
    });
    told.unwrap_or_default()
}

/// Finds the policies that did not apply to a question about a token.
pub(in crate::policy) fn not_applied_to_token(
    policies: &PolicyEngine,
    facts: &Facts,
    asked: ToolQuestion<'_>,
    explained: &Explained,
) -> NotApplied {
    let told = with_token(policies, facts, asked, |policies, question| {
        among(policies, vec![(explained, question)], |_| true)
    });
    told.unwrap_or_default()
}

/// An answered question, and the policies that the answer already names.
struct AnsweredQuestion<'a> {
    explained: &'a Explained,
    question: Question<'a>,
    request: Request,
}

impl<'a> AnsweredQuestion<'a> {
    fn of(policies: &PolicyEngine, (explained, question): (&'a Explained, Question<'a>)) -> Option<Self> {
        let request = policies.request(&question)?;
        Some(Self { explained, question, request })
    }

    /// The other policies about its action; those with a fitting head come first, since they are closer to applying.
    fn others<'p>(&self, policies: &'p PolicyEngine, tells: impl Fn(&str) -> bool) -> Others<'p> {
        let told = |id: &str| self.explained.findings.iter().any(|finding| finding.policy == id);
        let about = policies.about(self.question.action).into_iter();
        let others = about.filter(|(id, _)| !told(id.as_ref()) && tells(id.as_ref()));
        let fits =
            |policy: &&Policy| constraints::unmet(policy, &self.request, self.question.entities).is_none();
        others.map(|(_, policy)| policy).partition(fits)
    }

    fn missed(&self, policy: &Policy) -> Option<Missed> {
        // A clause is printed and parsed again, with more brackets than its author wrote.
        let finding = depth::with_stack(|| PolicyFinding::of(policy, &self.request, self.question.entities));
        let answer = &self.explained.answer;
        let (action, resource) = (Some(answer.action), Some(answer.resource.clone()));
        (!finding.matched).then_some(Missed { action, resource, finding })
    }
}

/// Policies whose head fits a question, and those whose head does not.
type Others<'p> = (Vec<&'p Policy>, Vec<&'p Policy>);

fn among(
    policies: &PolicyEngine,
    answered: Vec<(&Explained, Question<'_>)>,
    tells: impl Fn(&str) -> bool,
) -> NotApplied {
    let answered: Vec<AnsweredQuestion<'_>> =
        answered.into_iter().filter_map(|answered| AnsweredQuestion::of(policies, answered)).collect();
    let others: Vec<Others<'_>> = answered.iter().map(|answered| answered.others(policies, &tells)).collect();
    let near = others.iter().map(|(fitting, _)| fitting).enumerate();
    let far = others.iter().map(|(_, elsewhere)| elsewhere).enumerate();
    let candidates = near.chain(far).flat_map(|(at, all)| all.iter().map(move |policy| (at, *policy)));
    let missed = candidates.filter_map(|(at, policy)| Some((at, answered.get(at)?.missed(policy)?)));
    let asked: Vec<Action> = answered.iter().map(|answered| answered.question.action).collect();
    let unasked = unasked(policies, &asked, &tells).into_iter().map(|missed| (answered.len(), missed));
    let mut told: Vec<(usize, Missed)> = missed.chain(unasked).take(MAX_TOLD + 1).collect();
    let truncated = told.len() > MAX_TOLD;
    told.truncate(MAX_TOLD);
    told.sort_by_key(|(at, _)| *at);
    let policies = told.into_iter().map(|(_, missed)| missed).collect();
    NotApplied { groups: None, policies, truncated }
}

/// The policies that are about none of the actions that were asked about. Sign-ins, tools and the console are no
/// business of each other's.
fn unasked(policies: &PolicyEngine, asked: &[Action], tells: impl Fn(&str) -> bool) -> Vec<Missed> {
    let topic = asked.first().map_or(Topic::SignIns, |action| action.topic());
    let about = |met: bool| {
        let of_kind = Action::ALL.into_iter().filter(|action| action.topic() == topic);
        let actions = of_kind.filter(move |action| asked.contains(action) == met);
        actions.flat_map(|action| policies.about(action)).collect::<BTreeMap<_, _>>()
    };
    let (met, mut others) = (about(true), about(false));
    others.retain(|id, _| !met.contains_key(id) && tells(id.as_ref()));
    let missed = |policy: &Policy| {
        let text = constraints::action_text(&policy.action_constraint());
        let finding = PolicyFinding::new(policy, false, vec![Clause::of_head("action", text)]);
        Missed { action: None, resource: None, finding }
    };
    others.into_values().map(missed).collect()
}
