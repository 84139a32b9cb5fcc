//! Compares two decisions on the same facts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{ActualDecision, ActualToolDecision};
use crate::policy::{Decision, Policies, PolicyAnswer, RecordedFacts, ToolDecision, ToolQuestion};
use crate::store::shadow::ShadowDifference;
use crate::store::sign_ins::NewSignIn;

/// The outcome of a decision, as far as two are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum DecisionOutcome {
    /// A token.
    Granted {
        /// The scopes of the token.
        scopes: BTreeSet<String>,
        /// The authorization details of the token, as JSON.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        details: BTreeSet<String>,
        /// The lifetime that the policies limit the token to, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lifetime: Option<i64>,
    },
    /// No token.
    Refused {
        /// The wire's code.
        error: String,
        /// The most telling one first.
        reasons: Vec<String>,
    },
    /// An MCP request that may pass.
    ToolAllowed {
        /// The tool that it calls; none if it asks for the list of tools.
        tool: Option<String>,
    },
    /// An MCP request that may not.
    ToolDenied {
        /// The tool that it calls; none if it asks for the list of tools.
        tool: Option<String>,
        /// The most telling one first.
        reasons: Vec<String>,
    },
}

impl DecisionOutcome {
    /// The outcome of a decision.
    pub fn of(decision: &Decision) -> Self {
        match &decision.outcome {
            Ok(permitted) => Self::Granted {
                scopes: permitted.scopes().iter().cloned().collect(),
                details: permitted.details().iter().map(ToString::to_string).collect(),
                lifetime: permitted.lifetime(),
            },
            Err(denial) => Self::Refused {
                error: denial.error.wire().0.to_owned(),
                reasons: denial.reasons.iter().map(ToString::to_string).collect(),
            },
        }
    }

    /// The outcome of a decision about a tool.
    pub fn of_tool(asked: ToolQuestion<'_>, decision: &ToolDecision) -> Self {
        let tool = asked.tool().map(str::to_owned);
        match &decision.outcome {
            Ok(()) => Self::ToolAllowed { tool },
            Err(denial) => {
                Self::ToolDenied { tool, reasons: denial.reasons.iter().map(ToString::to_string).collect() }
            }
        }
    }

    /// Describes in a few words how the other outcome differs from this one.
    pub fn change(&self, other: &Self) -> String {
        match (self, other) {
            (
                Self::Granted { scopes: before, details: had, lifetime: lived },
                Self::Granted { scopes: after, details: has, lifetime: lives },
            ) => {
                let told = changes("scopes", (before, after)).chain(changes("details", (had, has)));
                let life = |seconds: &Option<i64>| seconds.map_or("as set".to_owned(), |s| format!("{s} s"));
                let lifetime =
                    (lived != lives).then(|| format!("lifetime {} → {}", life(lived), life(lives)));
                told.chain(lifetime).collect::<Vec<_>>().join("; ")
            }
            (Self::ToolAllowed { tool } | Self::ToolDenied { tool, .. }, _) => {
                let about = tool.as_ref().map_or("list of tools".to_owned(), |tool| format!("tool {tool}"));
                format!("{about}: {} → {}", self.name(other), other.name(self))
            }
            _ => format!("{} → {}", self.name(other), other.name(self)),
        }
    }

    /// A refusal by its reason, and by anything else that tells it apart from the other one.
    fn name(&self, other: &Self) -> String {
        match (self, other) {
            (Self::Granted { .. }, _) => "granted".to_owned(),
            (Self::Refused { error, reasons }, Self::Refused { reasons: others, .. })
                if reasons.first() == others.first() =>
            {
                format!("refused: {} ({error})", reasons.join(", "))
            }
            (Self::ToolAllowed { .. }, _) => "allowed".to_owned(),
            (Self::ToolDenied { reasons, .. }, Self::ToolDenied { reasons: others, .. })
                if reasons.first() == others.first() =>
            {
                format!("refused: {}", reasons.join(", "))
            }
            (Self::Refused { reasons, .. } | Self::ToolDenied { reasons, .. }, _) => {
                format!("refused: {}", reasons.first().map(String::as_str).unwrap_or_default())
            }
        }
    }
}

/// The parts that one side has and the other has not.
fn changes(
    what: &str,
    (before, after): (&BTreeSet<String>, &BTreeSet<String>),
) -> impl Iterator<Item = String> {
    let joined = |texts: BTreeSet<String>| texts.into_iter().collect::<Vec<_>>().join(" ");
    let changes = [("lost", joined(before - after)), ("gained", joined(after - before))];
    let told = changes.into_iter().filter(|(_, texts)| !texts.is_empty());
    told.map(move |(word, texts)| format!("{what} {word}: {texts}"))
}

/// The policies of each set whose answers differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Deciding {
    pub actual: BTreeSet<String>,
    pub shadow: BTreeSet<String>,
}

/// The row for a decision that the shadow set would have made differently.
pub(super) fn difference(
    decided: &ActualDecision<'_>,
    (shadow, other): (&Policies, &Decision),
    sign_in: &NewSignIn,
) -> ShadowDifference {
    let policies = Deciding {
        actual: deciding(&decided.decision.answers, &other.answers),
        shadow: deciding(&other.answers, &decided.decision.answers),
    };
    ShadowDifference {
        at: sign_in.at,
        request_id: sign_in.request_id.clone(),
        teamspace_id: sign_in.teamspace_id.clone(),
        policy_set: decided.policies.hash.clone(),
        shadow_set: shadow.hash.clone(),
        actual: json(&DecisionOutcome::of(decided.decision)),
        shadow: json(&DecisionOutcome::of(other)),
        policies: json(&policies),
        facts: RecordedFacts::whole(decided.facts),
    }
}

/// The row for a decision about a tool that the shadow set would have made differently.
pub(super) fn tool_difference(
    decided: &ActualToolDecision<'_>,
    (shadow, other): (&Policies, &ToolDecision),
) -> ShadowDifference {
    let named = |decision: &ToolDecision| decision.answer.policies.iter().cloned().collect();
    let policies = Deciding { actual: named(decided.decision), shadow: named(other) };
    ShadowDifference {
        at: decided.at,
        request_id: decided.request_id.to_owned(),
        teamspace_id: Some(decided.teamspace_id.to_owned()),
        policy_set: decided.policies.hash.clone(),
        shadow_set: shadow.hash.clone(),
        actual: json(&DecisionOutcome::of_tool(decided.asked, decided.decision)),
        shadow: json(&DecisionOutcome::of_tool(decided.asked, other)),
        policies: json(&policies),
        facts: decided.facts.to_json(),
    }
}

/// The policies behind answers that the other set does not give. A question that the other set was not asked counts if
/// its answer was no: there the decision ended.
fn deciding(answers: &[PolicyAnswer], others: &[PolicyAnswer]) -> BTreeSet<String> {
    let differs = |answer: &&PolicyAnswer| {
        let same = |other: &&PolicyAnswer| other.action == answer.action && other.resource == answer.resource;
        match others.iter().find(same) {
            Some(other) => {
                (other.allowed, &other.reasons, other.lifetime)
                    != (answer.allowed, &answer.reasons, answer.lifetime)
            }
            None => !answer.allowed,
        }
    };
    answers.iter().filter(differs).flat_map(|answer| answer.policies.iter().cloned()).collect()
}

/// Plain data always serializes.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
