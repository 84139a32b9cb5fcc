//! Decides who may do what in the console and through the admin API.

use super::clauses::PolicyFinding;
use super::decision::{Explained, PolicyAnswer};
use super::denial::{Denial, EngineAnswer};
use super::set::{PolicyEngine, Question};
use crate::policy::action::{Action, ConsoleAction, Topic};
use crate::policy::facts::{ConsoleFacts, FactsError, to_context};

/// Decides whether somebody may do something in the console.
pub fn decide_console(
    policies: &PolicyEngine,
    action: ConsoleAction,
    facts: &ConsoleFacts,
) -> (PolicyAnswer, Result<(), Denial>) {
    let answer = with_console(policies, action, facts, |policies, question| policies.ask(&question));
    let answer = answer.unwrap_or_else(|error| {
        tracing::error!(%error, "cannot decide");
        EngineAnswer::undecidable(Vec::new())
    });
    let resource = facts.resource().id().unescaped().to_owned();
    (PolicyAnswer::of(Action::Console(action), resource, &answer), answer.denial.map_or(Ok(()), Err))
}

/// Decides, and explains which clauses made the difference.
pub fn explain_console(policies: &PolicyEngine, action: ConsoleAction, facts: &ConsoleFacts) -> Explained {
    let (answer, _) = decide_console(policies, action, facts);
    let findings: Result<Vec<PolicyFinding>, _> =
        with_console(policies, action, facts, |policies, question| {
            policies.findings(&question, &answer.policies)
        });
    // In this case the answer says that nothing could be decided.
    Explained { findings: findings.unwrap_or_default(), answer }
}

/// Asks the policies that decide about the console.
pub(super) fn with_console<T>(
    policies: &PolicyEngine,
    action: ConsoleAction,
    facts: &ConsoleFacts,
    ask: impl FnOnce(&PolicyEngine, Question<'_>) -> T,
) -> Result<T, FactsError> {
    let policies = policies.deciding(Topic::Console)?;
    let entities = policies.console_world(facts.entities()?)?;
    let context = to_context(facts.context())?;
    let question = Question {
        action: Action::Console(action),
        principal: facts.user(),
        resource: facts.resource(),
        ancestors: Vec::new(),
        context: &context,
        entities: &entities,
    };
    Ok(ask(policies, question))
}
