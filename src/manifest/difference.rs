//! Compares what a service has with what files declare, and plans the steps in between.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::field::FieldRule;
use super::kind::ObjectKind;
use super::mistake::{FilePlace, Mistakes};
use super::object::{DeclaredObject, FoundObject, Manifest, SecretSource};
use crate::oauth::resource::normalize;

/// A field that gets another value.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldUpdate {
    /// The field.
    pub field: &'static str,
    /// The value that the service has.
    pub old: Value,
    /// The value in the file.
    pub new: Value,
}

/// The change that a step makes to an object.
#[derive(Debug, Clone, PartialEq)]
pub enum StepAction {
    /// It is made, with these fields.
    Create(Map<String, Value>),
    /// These fields change; none when only the secret does.
    Change(Vec<FieldUpdate>),
    /// It goes.
    Delete,
}

/// One object that is made, changed or deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// The kind of object.
    pub kind: ObjectKind,
    /// The slug of the teamspace that it is in, if it is in one.
    pub teamspace: Option<String>,
    /// Its key.
    pub name: String,
    /// Its name in paths of the admin API; empty for one that is to be created.
    pub id: String,
    /// The change.
    pub action: StepAction,
    /// Where the secret is that a client gets.
    pub secret: Option<SecretSource>,
    /// Where the file declares it.
    pub place: Option<FilePlace>,
}

/// Everything to be done.
#[derive(Debug, Default, PartialEq)]
pub struct ChangePlan {
    /// The steps in their order. Those of one group can be done at once.
    pub groups: Vec<Vec<PlannedStep>>,
    /// How many objects are as declared already.
    pub same: usize,
}

impl ChangePlan {
    /// The steps of all groups.
    pub fn steps(&self) -> impl Iterator<Item = &PlannedStep> {
        self.groups.iter().flatten()
    }
}

/// The plan. `has_secret` says whether a client has the declared secret already. With `prune`, objects go that the
/// files do not declare, of the kinds that they have lists of.
pub fn plan(
    manifest: &Manifest,
    found: &[FoundObject],
    has_secret: &HashSet<String>,
    prune: bool,
) -> Result<ChangePlan, Mistakes> {
    let mut matches = Matches::of(found);
    let (mut steps, mut mistakes, mut same) = (Vec::new(), Mistakes::default(), 0);
    for declared in &manifest.objects {
        let match_found = matches.take(declared);
        if match_found.is_none() && declared.kind == ObjectKind::Client && declared.secret.is_none() {
            let text = format!(
                "the service has no client `{}`, and a new one needs its secret: add `client_secret_file` or \
                 `client_secret_env`",
                declared.name
            );
            mistakes.add(declared.place.clone(), text);
        }
        match step(declared, match_found, has_secret) {
            Some(step) => steps.push(step),
            None => same += 1,
        }
    }
    if prune {
        let is_pruned = |object: &&FoundObject| {
            object.is_for_files() && manifest.has_list(object.kind, object.teamspace.as_deref())
        };
        steps.extend(matches.left().filter(is_pruned).map(deletion));
    }
    mistakes.or(ChangePlan { groups: grouped(steps), same })
}

/// The objects of the service that no file has named yet.
struct Matches<'f> {
    found: &'f [FoundObject],
    by_name: HashMap<(ObjectKind, Option<String>, String), usize>,
    taken: HashSet<usize>,
}

impl<'f> Matches<'f> {
    fn of(found: &'f [FoundObject]) -> Self {
        let key = |object: &'f FoundObject| {
            (object.kind, object.teamspace.clone(), comparable(object.kind, object.name()))
        };
        let by_name = found.iter().enumerate().map(|(at, object)| (key(object), at)).collect();
        Self { found, by_name, taken: HashSet::new() }
    }

    fn take(&mut self, declared: &DeclaredObject) -> Option<&'f FoundObject> {
        let name = comparable(declared.kind, &declared.name);
        let key = (declared.kind, declared.teamspace.clone(), name);
        let named = self.by_name.get(&key).copied().filter(|at| !self.taken.contains(at));
        let at = named.or_else(|| self.renamed(declared))?;
        self.taken.insert(at);
        self.found.get(at)
    }

    /// An identity provider that has another name and the same issuer and tenant.
    fn renamed(&self, declared: &DeclaredObject) -> Option<usize> {
        if declared.kind != ObjectKind::Provider {
            return None;
        }
        let member = |fields: &Map<String, Value>, name: &str| fields.get(name).cloned().unwrap_or_default();
        let is_same = |object: &FoundObject| {
            object.kind == declared.kind
                && object.teamspace == declared.teamspace
                && ["issuer", "tenant"]
                    .iter()
                    .all(|name| member(&object.fields, name) == member(&declared.fields, name))
        };
        let free = self.found.iter().enumerate().filter(|(at, _)| !self.taken.contains(at));
        free.filter(|(_, object)| is_same(object)).map(|(at, _)| at).next()
    }

    fn left(&self) -> impl Iterator<Item = &'f FoundObject> {
        let all = self.found.iter().enumerate();
        all.filter(|(at, _)| !self.taken.contains(at)).map(|(_, object)| object)
    }
}

/// A name in the form in which two of them are compared.
/// A name as names are compared: a resource's identifier in its normal form, any other as it is.
pub(super) fn comparable(kind: ObjectKind, name: &str) -> String {
    let normal = (kind == ObjectKind::Resource).then(|| normalize(name)).flatten();
    normal.unwrap_or_else(|| name.to_owned())
}

fn step(
    declared: &DeclaredObject,
    found: Option<&FoundObject>,
    has_secret: &HashSet<String>,
) -> Option<PlannedStep> {
    let secret = declared.secret.clone().filter(|_| !has_secret.contains(&declared.name));
    let action = match found {
        None => StepAction::Create(declared.fields.clone()),
        Some(found) => StepAction::Change(updates(declared, found)),
    };
    if matches!(&action, StepAction::Change(updates) if updates.is_empty()) && secret.is_none() {
        return None;
    }
    Some(PlannedStep {
        kind: declared.kind,
        teamspace: declared.teamspace.clone(),
        name: declared.name.clone(),
        id: found.map(|found| found.id().to_owned()).unwrap_or_default(),
        action,
        secret,
        place: Some(declared.place.clone()),
    })
}

fn updates(declared: &DeclaredObject, found: &FoundObject) -> Vec<FieldUpdate> {
    let update = |rule: &FieldRule| {
        let new = declared.fields.get(rule.name)?;
        let old = found.fields.get(rule.name).unwrap_or(&Value::Null);
        (!rule.is_same(new, old)).then(|| FieldUpdate {
            field: rule.name,
            old: old.clone(),
            new: new.clone(),
        })
    };
    declared.kind.fields().iter().filter_map(update).collect()
}

fn deletion(found: &FoundObject) -> PlannedStep {
    PlannedStep {
        kind: found.kind,
        teamspace: found.teamspace.clone(),
        name: found.name().to_owned(),
        id: found.id().to_owned(),
        action: StepAction::Delete,
        secret: None,
        place: None,
    }
}

/// The steps in groups that can be done at once.
fn grouped(mut steps: Vec<PlannedStep>) -> Vec<Vec<PlannedStep>> {
    steps.sort_by_key(turn);
    let mut groups: Vec<Vec<PlannedStep>> = Vec::new();
    for step in steps {
        match groups.last_mut() {
            Some(group) if group.first().is_some_and(|first| turn(first) == turn(&step)) => group.push(step),
            _ => groups.push(vec![step]),
        }
    }
    groups
}

/// When a step has its turn: what others use is made first and goes last. A teamspace gives up a domain before another
/// one takes it, and a member leaves before another takes the seat.
fn turn(step: &PlannedStep) -> (u8, i8, u8) {
    let order = step.kind as i8;
    match (&step.action, step.kind) {
        (StepAction::Delete, ObjectKind::Member) => (0, order, 0),
        (StepAction::Delete, _) => (1, -order, 0),
        (StepAction::Change(updates), ObjectKind::Teamspace) => {
            (0, order, u8::from(!gives_up_domain(updates)) + 1)
        }
        (StepAction::Change(_), _) => (0, order, 2),
        (StepAction::Create(_), _) => (0, order, 3),
    }
}

fn gives_up_domain(updates: &[FieldUpdate]) -> bool {
    let is_lost = |update: &FieldUpdate| {
        let (Value::Array(old), Value::Array(new)) = (&update.old, &update.new) else { return false };
        old.iter().any(|domain| !new.contains(domain))
    };
    updates.iter().any(|update| update.field == "email_domains" && is_lost(update))
}
