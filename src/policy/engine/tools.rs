//! Decides what the holder of a token may do with the tools of its MCP server.

use cedar_policy::EntityUid;

use super::decision::{Explained, PolicyAnswer};
use super::denial::{Denial, EngineAnswer};
use super::not_known::check_known;
use super::reads::FactDependencies;
use super::set::{PolicyEngine, Question};
use crate::oauth::error::Reason;
use crate::policy::action::{Action, Topic};
use crate::policy::facts::{Facts, FactsError, to_context};

/// What is asked about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ToolQuestion<'a> {
    /// May it call the tool with this name?
    Call(&'a str),
    /// May it see which tools there are?
    List,
}

/// The answer about a tool, and why it is no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolDecision {
    /// The question and its answer.
    pub answer: PolicyAnswer,
    /// The reason for the refusal.
    pub outcome: Result<(), Denial>,
}

impl<'a> ToolQuestion<'a> {
    /// The action that policies are asked about.
    pub const fn action(self) -> Action {
        match self {
            Self::Call(_) => Action::CallTool,
            Self::List => Action::ListTools,
        }
    }

    /// The tool that it is about.
    pub const fn tool(self) -> Option<&'a str> {
        match self {
            Self::Call(name) => Some(name),
            Self::List => None,
        }
    }

    /// The facts that policies read when they are asked.
    pub(super) fn reads(self, policies: &PolicyEngine, facts: &Facts) -> Vec<FactDependencies> {
        let (resource, ancestors) = self.place(facts);
        let slices = policies.slices_at(self.action(), &resource, &ancestors);
        slices.iter().map(|slice| slice.reads.of_token(facts)).collect()
    }

    /// The resource of the question, and what that is in.
    fn place(self, facts: &Facts) -> (EntityUid, Vec<EntityUid>) {
        match self {
            Self::Call(name) => (Facts::tool(name), vec![facts.server(), facts.teamspace()]),
            Self::List => (facts.server(), vec![facts.teamspace()]),
        }
    }
}

impl ToolDecision {
    fn of(asked: ToolQuestion<'_>, facts: &Facts, answer: EngineAnswer) -> Self {
        let resource = asked.tool().unwrap_or(&facts.resource.identifier).to_owned();
        let told = PolicyAnswer::of(asked.action(), resource, &answer);
        Self { answer: told, outcome: answer.denial.map_or(Ok(()), Err) }
    }

    /// A refusal that no policy gives.
    pub(in crate::policy) fn refused(asked: ToolQuestion<'_>, facts: &Facts, denial: Denial) -> Self {
        Self::of(asked, facts, EngineAnswer::denied(Vec::new(), denial))
    }

    /// Whether the question could not be decided, which may be temporary, such as a stack that was too small.
    pub(in crate::policy) fn is_undecided(&self) -> bool {
        self.answer.reasons.contains(&Reason::POLICY_ERROR)
    }
}

/// Decides a question about a token. The facts are the token's, and so are their candidates for scopes.
pub(in crate::policy) fn decide_about_token(
    policies: &PolicyEngine,
    facts: &Facts,
    asked: ToolQuestion<'_>,
) -> ToolDecision {
    let answer = with_token(policies, facts, asked, |policies, question| {
        match check_known(policies, facts, || asked.reads(policies, facts)) {
            Ok(()) => policies.ask(&question),
            Err(denial) => EngineAnswer::denied(Vec::new(), denial),
        }
    });
    let answer = answer.unwrap_or_else(|error| {
        tracing::error!(%error, "cannot decide");
        EngineAnswer::undecidable(Vec::new())
    });
    ToolDecision::of(asked, facts, answer)
}

/// Decides, and explains which clauses made the difference.
pub(in crate::policy) fn explain_about_token(
    policies: &PolicyEngine,
    facts: &Facts,
    asked: ToolQuestion<'_>,
) -> (Explained, Result<(), Denial>) {
    let ToolDecision { answer, outcome } = decide_about_token(policies, facts, asked);
    let findings = with_token(policies, facts, asked, |policies, question| {
        policies.findings(&question, &answer.policies)
    });
    // In this case the answer says that nothing could be decided.
    (Explained { findings: findings.unwrap_or_default(), answer }, outcome)
}

/// Asks the policies that decide about tools.
pub(super) fn with_token<T>(
    policies: &PolicyEngine,
    facts: &Facts,
    asked: ToolQuestion<'_>,
    ask: impl FnOnce(&PolicyEngine, Question<'_>) -> T,
) -> Result<T, FactsError> {
    let policies = policies.deciding(Topic::Tools)?;
    let context = to_context(facts.token_context()?)?;
    let known = policies.world_of(facts)?;
    let entities = match asked {
        ToolQuestion::Call(name) => {
            known.add_entities([facts.tool_entity(name)?], None).map_err(FactsError::of)?
        }
        ToolQuestion::List => known,
    };
    let (resource, ancestors) = asked.place(facts);
    let (action, principal) = (asked.action(), facts.user());
    let question =
        Question { action, principal, resource, ancestors, context: &context, entities: &entities };
    Ok(ask(policies, question))
}
