//! Cases about the console: who wants to do what.

use super::file::Who;
use super::written::OneOrMore;
use crate::clock::UnixSeconds;
use crate::policy::ConsoleAction;
use crate::policy::facts::{ConsoleFacts, ConsoleUserFacts, TeamspaceFacts};

/// The actions that a person wants to take in the console; each is a question of its own.
#[derive(Debug, Clone)]
pub(super) struct ConsoleQuestions {
    pub actions: Vec<ConsoleAction>,
    pub facts: ConsoleFacts,
}

/// The questions of a case.
pub(super) fn questions(
    who: Who,
    actions: &OneOrMore,
    now: UnixSeconds,
    teamspace: Option<TeamspaceFacts>,
) -> Result<ConsoleQuestions, String> {
    let named = |name: &String| action(name, teamspace.is_some());
    let actions = actions.0.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    if actions.is_empty() {
        return Err("`console` names no action".to_owned());
    }
    Ok(ConsoleQuestions { actions, facts: ConsoleFacts { now, user: user(who)?, teamspace } })
}

fn action(name: &str, in_teamspace: bool) -> Result<ConsoleAction, String> {
    let short = |action: ConsoleAction| action.name().strip_prefix("console:");
    let found = ConsoleAction::ALL.into_iter().find(|action| short(*action) == Some(name));
    let Some(action) = found else {
        let known: Vec<&str> = ConsoleAction::ALL.into_iter().filter_map(short).collect();
        return Err(format!("the console has no action `{name}`; there is: {}", known.join(", ")));
    };
    match (action.scope().covers(in_teamspace), in_teamspace) {
        (true, _) => Ok(action),
        (false, true) => Err(format!("`{name}` is about the deployment; leave the teamspace out")),
        (false, false) => Err(format!("`{name}` is about a teamspace; add `teamspace = \"…\"`")),
    }
}

fn user(who: Who) -> Result<ConsoleUserFacts, String> {
    let kind = who.kind.ok_or("who has no kind; add `kind = \"member\"` or another")?;
    Ok(ConsoleUserFacts {
        email: who.email.clone().map(|email| email.to_ascii_lowercase()),
        groups: who.groups.unwrap_or_default(),
        owner_of: who.owner_of.unwrap_or_default(),
        admin_of: who.admin_of.unwrap_or_default(),
        developer_of: who.developer_of.unwrap_or_default(),
        teamspace: who.teamspace,
        ..ConsoleUserFacts::new(kind, who.email.or(who.id).unwrap_or_else(|| "somebody".to_owned()))
    })
}
