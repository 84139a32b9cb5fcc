//! Compares the answers of two policy sets to the same questions.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::decision::PolicyAnswer;
use crate::oauth::error::Reason;
use crate::policy::action::Action;

/// A question with different answers. None means that it was not asked, because an earlier answer was no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnswerDifference {
    pub action: Action,
    pub resource: String,
    pub before: Option<ComparedAnswer>,
    pub after: Option<ComparedAnswer>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComparedAnswer {
    pub allowed: bool,
    pub policies: Vec<String>,
    pub reasons: Vec<Reason>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<i64>,
}

impl ComparedAnswer {
    /// If another policy says the same, that makes no difference.
    fn differs(&self, other: &Self) -> bool {
        (self.allowed, &self.reasons, self.lifetime) != (other.allowed, &other.reasons, other.lifetime)
    }

    /// Whether tokens may live longer; without a limit they live as long as the setting says.
    fn lasts_longer(&self, other: &Self) -> bool {
        let seconds = |said: &Self| said.lifetime.unwrap_or(i64::MAX);
        self.allowed && seconds(self) > seconds(other)
    }
}

impl AnswerDifference {
    /// Whether something is permitted that was not before, or for longer.
    pub fn widens(&self) -> bool {
        let Some(after) = self.after.as_ref().filter(|said| said.allowed) else { return false };
        let before = self.before.as_ref().filter(|said| said.allowed);
        before.is_none_or(|before| after.lasts_longer(before))
    }
}

/// The questions, in order, whose answers differ in the result or the reasons.
pub fn differences(before: &[PolicyAnswer], after: &[PolicyAnswer]) -> Vec<AnswerDifference> {
    let (old, new) = (answers(before), answers(after));
    let questions: BTreeSet<_> = new.keys().chain(old.keys()).copied().collect();
    let differs = |question: &(Action, &str)| match (old.get(question), new.get(question)) {
        (Some(before), Some(after)) => before.differs(after),
        _ => true,
    };
    let told = questions.into_iter().filter(differs).map(|question| AnswerDifference {
        action: question.0,
        resource: question.1.to_owned(),
        before: old.get(&question).cloned(),
        after: new.get(&question).cloned(),
    });
    told.collect()
}

fn answers(answers: &[PolicyAnswer]) -> BTreeMap<(Action, &str), ComparedAnswer> {
    let said = |answer: &PolicyAnswer| ComparedAnswer {
        allowed: answer.allowed,
        policies: answer.policies.clone(),
        reasons: answer.reasons.clone(),
        lifetime: answer.lifetime,
    };
    answers.iter().map(|answer| ((answer.action, answer.resource.as_str()), said(answer))).collect()
}
