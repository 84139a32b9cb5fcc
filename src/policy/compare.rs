//! How two policy sets answered the same questions.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::action::Action;
use super::decision::Ruling;
use crate::oauth::error::Reason;

/// A question that was answered differently. None: it was not asked, since one before it was answered no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub action: Action,
    pub resource: String,
    pub before: Option<Said>,
    pub after: Option<Said>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    pub allowed: bool,
    pub policies: Vec<String>,
    pub reasons: Vec<Reason>,
}

impl Said {
    /// Another policy that says the same makes no difference.
    fn differs(&self, other: &Self) -> bool {
        self.allowed != other.allowed || self.reasons != other.reasons
    }
}

impl Difference {
    /// Whether something is permitted now that was not.
    pub fn widens(&self) -> bool {
        let allowed = |said: &Option<Said>| said.as_ref().is_some_and(|said| said.allowed);
        allowed(&self.after) && !allowed(&self.before)
    }
}

/// The questions, in their order, whose answers differ in what is allowed or why not.
pub fn differences(before: &[Ruling], after: &[Ruling]) -> Vec<Difference> {
    let (old, new) = (answers(before), answers(after));
    let questions: BTreeSet<_> = new.keys().chain(old.keys()).copied().collect();
    let differs = |question: &(Action, &str)| match (old.get(question), new.get(question)) {
        (Some(before), Some(after)) => before.differs(after),
        _ => true,
    };
    let told = questions.into_iter().filter(differs).map(|question| Difference {
        action: question.0,
        resource: question.1.to_owned(),
        before: old.get(&question).cloned(),
        after: new.get(&question).cloned(),
    });
    told.collect()
}

fn answers(rulings: &[Ruling]) -> BTreeMap<(Action, &str), Said> {
    let said = |ruling: &Ruling| Said {
        allowed: ruling.allowed,
        policies: ruling.policies.clone(),
        reasons: ruling.reasons.clone(),
    };
    rulings.iter().map(|ruling| ((ruling.action, ruling.resource.as_str()), said(ruling))).collect()
}
