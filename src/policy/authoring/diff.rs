//! The effect of a change of policies on cases and on recorded sign-ins.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use serde::Serialize;

use super::cases::{self, Case};
use super::edits::Exercised;
use crate::policy::engine::compare::{AnswerDifference, differences};
use crate::policy::{Action, CompiledPolicies, RecordedFacts, decide};

/// A case or a kind of sign-in whose answers differ.
#[derive(Debug, Serialize)]
pub struct ChangedItem {
    /// The case, or the latest of the sign-ins (its id).
    pub example: String,
    /// How many there are.
    pub count: usize,
    /// The questions that are answered differently.
    pub differences: Vec<AnswerDifference>,
}

/// The compared cases or sign-ins, and those that change.
#[derive(Debug, Default, Serialize)]
pub struct Replayed {
    /// How many were compared.
    pub total: usize,
    /// Sign-ins that cannot be replayed: recorded before facts were kept, or refused before policies were asked.
    pub without_facts: usize,
    /// Those whose answers differ.
    pub changed: Vec<ChangedItem>,
    /// The policies that took part in it.
    #[serde(skip)]
    pub exercised: Exercised,
}

impl Replayed {
    /// Whether there were any, but none of them could be replayed.
    pub fn is_blind(&self) -> bool {
        self.total > 0 && self.without_facts == self.total
    }
}

impl ChangedItem {
    /// Whether something is permitted that was not.
    pub fn widens(&self) -> bool {
        self.differences.iter().any(AnswerDifference::widens)
    }
}

/// A solver's answer to a change: one for every action, or why there is none.
#[derive(Debug, Serialize)]
pub struct Widening {
    /// One answer for each action; empty when nothing could be asked.
    pub actions: Vec<ActionAnswer>,
    /// Why nothing could be asked.
    pub unanswered: Option<String>,
}

/// The answer for one action.
#[derive(Debug, Serialize)]
pub struct ActionAnswer {
    /// The action that was asked about.
    pub action: Action,
    /// Whether the new set permits what the old one does not.
    pub wider: Direction,
    /// Whether the old set permits what the new one does not.
    pub narrower: Direction,
}

/// Whether one set permits what the other does not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// For no request at all; proved.
    No,
    /// For this request, which the ordinary authorizer has confirmed.
    Yes(WideningExample),
    /// The solver did not answer, for this reason.
    Undecided(String),
}

/// A request that two sets answer differently.
#[derive(Debug, Serialize)]
pub struct WideningExample {
    /// The request with everything that a policy can see of it.
    pub request: String,
    /// The old policies' answer, and which of them gave it.
    pub old: String,
    /// The new policies' answer, and which of them gave it.
    pub new: String,
}

impl Widening {
    /// Whether something is permitted that was not.
    pub fn is_wider(&self) -> bool {
        self.actions.iter().any(|answer| matches!(answer.wider, Direction::Yes(_)))
    }

    /// Why it is unknown whether NEW is wider; none when it is known.
    pub fn undecided(&self) -> Option<String> {
        let open = self.actions.iter().find_map(|answer| match &answer.wider {
            Direction::Undecided(why) => Some(format!("{}: {why}", answer.action.name())),
            _ => None,
        });
        self.unanswered.clone().or(open)
    }
}

/// The cases whose answers differ.
pub fn replay_cases(old: &CompiledPolicies, new: &CompiledPolicies, cases: &[Case]) -> Replayed {
    let mut replayed = Replayed { total: cases.len(), ..Replayed::default() };
    for case in cases {
        let (before, after) = (cases::run(old, case).observed, cases::run(new, case).observed);
        replayed.exercised.note((old, &before.answers), (new, &after.answers));
        let differences = differences(&before.answers, &after.answers);
        if !differences.is_empty() {
            replayed.changed.push(ChangedItem { example: case.name.clone(), count: 1, differences });
        }
    }
    replayed
}

/// Replays recorded sign-ins one by one, and groups those whose answers differ in the same way.
pub struct SignInReplay<'a> {
    old: &'a CompiledPolicies,
    new: &'a CompiledPolicies,
    replayed: Replayed,
    /// The position of each kind of change in the list.
    kinds: BTreeMap<String, usize>,
}

impl<'a> SignInReplay<'a> {
    /// Nothing replayed yet.
    pub fn new(old: &'a CompiledPolicies, new: &'a CompiledPolicies) -> Self {
        Self { old, new, replayed: Replayed::default(), kinds: BTreeMap::new() }
    }

    /// Replays one sign-in. `id` names it, `facts` is the record from the log.
    pub fn add(&mut self, id: &str, facts: &str) {
        self.replayed.total += 1;
        let Ok(recorded) = serde_json::from_str::<RecordedFacts>(facts) else {
            self.replayed.without_facts += 1;
            return;
        };
        let before = decide(self.old, &recorded.clone().recall(self.old)).answers;
        let after = decide(self.new, &recorded.recall(self.new)).answers;
        self.replayed.exercised.note((self.old, &before), (self.new, &after));
        let differences = differences(&before, &after);
        if differences.is_empty() {
            return;
        }
        // Sign-ins with the same questions, answers and policies are alike.
        let kind = serde_json::to_string(&differences).unwrap_or_default();
        match self.kinds.get(&kind).and_then(|index| self.replayed.changed.get_mut(*index)) {
            Some(known) => known.count += 1,
            None => {
                self.kinds.insert(kind, self.replayed.changed.len());
                self.replayed.changed.push(ChangedItem { example: id.to_owned(), count: 1, differences });
            }
        }
    }

    /// How many were replayed so far.
    pub fn total(&self) -> usize {
        self.replayed.total
    }

    /// The commonest changes first.
    pub fn finish(mut self) -> Replayed {
        self.replayed.changed.sort_by_key(|changed| std::cmp::Reverse(changed.count));
        self.replayed
    }
}

/// The cases of both sides. If both have a case of one name in files of one name, the new one is used.
pub fn cases_of(old: Vec<Case>, new: Vec<Case>) -> Vec<Case> {
    let key = |case: &Case| (case.file.file_name().map(OsStr::to_owned), case.name.clone());
    let known: BTreeSet<_> = new.iter().map(key).collect();
    new.into_iter().chain(old.into_iter().filter(|case| !known.contains(&key(case)))).collect()
}
