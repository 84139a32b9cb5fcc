//! The order of a plan's steps: what others use is made first and goes last, and what only one object can have is given
//! up before another takes it.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::kind::ObjectKind;
use super::object::{DeclaredObject, FoundObject};
use super::step::{PlannedStep, StepAction};

/// The longest chain of objects that is put in order, each of which takes what the next one gives up.
const LONGEST_CHAIN: usize = 64;

/// Something that only one object of the service can have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Unique {
    /// An email domain, of a teamspace.
    Domain(String),
    /// An id that is presented for authentication, of a client or of credentials.
    ClientId(String),
    /// An issuer with its tenant, of an identity provider.
    Issuer(String, Option<String>),
}

/// A step that has no place in the plan yet.
pub(super) struct Draft {
    step: PlannedStep,
    gives_up: HashSet<Unique>,
    takes: HashSet<Unique>,
}

impl Draft {
    /// A step that makes or changes an object.
    pub fn made(step: PlannedStep, declared: &DeclaredObject, found: Option<&FoundObject>) -> Self {
        let old = found.map(|found| found.fields.clone()).unwrap_or_default();
        let mut new = old.clone();
        new.extend(declared.fields.clone());
        let (old, new) = (unique(step.kind, &old), unique(step.kind, &new));
        let (gives_up, takes) = (&old - &new, &new - &old);
        Self { step, gives_up, takes }
    }

    /// A step that deletes one of the objects that there are. It takes those inside it along.
    pub fn deleted(step: PlannedStep, object: &FoundObject, found: &[FoundObject]) -> Self {
        let mut gives_up = unique(object.kind, &object.fields);
        let name = object.comparable_name();
        let is_inside = |inner: &&FoundObject| {
            inner.kind.within() == Some(object.kind) && inner.within.as_ref() == Some(&name)
        };
        gives_up.extend(found.iter().filter(is_inside).flat_map(|inner| unique(inner.kind, &inner.fields)));
        Self { step, gives_up, takes: HashSet::new() }
    }
}

/// The values of these fields that no other object may have.
fn unique(kind: ObjectKind, fields: &Map<String, Value>) -> HashSet<Unique> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    match kind {
        ObjectKind::Teamspace => {
            let domains = fields.get("email_domains").and_then(Value::as_array).into_iter().flatten();
            domains
                .filter_map(Value::as_str)
                .map(|domain| Unique::Domain(domain.to_ascii_lowercase()))
                .collect()
        }
        ObjectKind::Provider => {
            text("issuer").map(|issuer| Unique::Issuer(issuer, text("tenant"))).into_iter().collect()
        }
        ObjectKind::Client | ObjectKind::Credential => {
            text("client_id").map(Unique::ClientId).into_iter().collect()
        }
        ObjectKind::Resource | ObjectKind::Member => HashSet::new(),
    }
}

/// The steps in groups that can be done at once.
pub(super) fn grouped(drafts: Vec<Draft>) -> Vec<Vec<PlannedStep>> {
    let ranks = ranks(&drafts);
    let taken: HashSet<Unique> = drafts.iter().flat_map(|draft| draft.takes.iter().cloned()).collect();
    let mut steps: Vec<(StepTurn, PlannedStep)> = drafts
        .into_iter()
        .zip(ranks)
        .map(|(draft, rank)| (turn(&draft.step, rank, !draft.gives_up.is_disjoint(&taken)), draft.step))
        .collect();
    steps.sort_by_key(|(turn, _)| *turn);
    steps.chunk_by(|(one, _), (other, _)| one == other).map(steps_of).collect()
}

fn steps_of(group: &[(StepTurn, PlannedStep)]) -> Vec<PlannedStep> {
    group.iter().map(|(_, step)| step.clone()).collect()
}

/// How many steps must come before each, one after the other. In a circle, such as two teamspaces that exchange their
/// domains, there is no order, and the service refuses one of them.
fn ranks(drafts: &[Draft]) -> Vec<usize> {
    let givers: HashMap<&Unique, usize> = drafts
        .iter()
        .enumerate()
        .flat_map(|(at, draft)| draft.gives_up.iter().map(move |it| (it, at)))
        .collect();
    let mut ranks = vec![0; drafts.len()];
    for _ in 0..LONGEST_CHAIN {
        let rank = |draft: &Draft| {
            let before = draft.takes.iter().filter_map(|it| ranks.get(*givers.get(it)?));
            before.max().map_or(0, |last| last + 1)
        };
        let next: Vec<usize> = drafts.iter().map(rank).collect();
        if next == ranks {
            break;
        }
        ranks = next;
    }
    ranks
}

/// When a step has its turn; the smallest comes first.
type StepTurn = (u8, i8, usize, u8);

/// When a step has its turn. A member leaves before another takes the seat.
fn turn(step: &PlannedStep, rank: usize, is_needed: bool) -> StepTurn {
    let order = step.kind as i8;
    match &step.action {
        StepAction::Delete if is_needed || step.kind == ObjectKind::Member => (0, order, rank, 0),
        StepAction::Delete => (1, -order, 0, 0),
        StepAction::Change(_) => (0, order, rank, 1),
        StepAction::Create(_) => (0, order, rank, 2),
    }
}
