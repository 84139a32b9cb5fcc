//! Compares what a service has with what files declare, and plans the steps in between.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::field::FieldRule;
use super::kind::ObjectKind;
use super::mistake::Mistakes;
use super::object::{DeclaredObject, FoundObject, Manifest};
use super::order::{Draft, grouped};
use super::proof::{proof_mistake, replaces_proof};
use super::step::{ChangePlan, FieldUpdate, PlannedStep, StepAction};

/// The plan. `has_secret` has the ids of clients and credentials that have the declared secret already. With `prune`,
/// objects go that the files do not declare, of the kinds that they have lists of.
pub fn plan(
    manifest: &Manifest,
    found: &[FoundObject],
    has_secret: &HashSet<String>,
    prune: bool,
) -> Result<ChangePlan, Mistakes> {
    let mut matches = Matches::of(found);
    let (mut drafts, mut mistakes, mut same) = (Vec::new(), Mistakes::default(), 0);
    for declared in &manifest.objects {
        let match_found = matches.take(declared);
        if let Some(mistake) = proof_mistake(declared, match_found) {
            mistakes.add(declared.place.clone(), mistake);
        }
        match step(declared, match_found, has_secret) {
            Some(step) => drafts.push(Draft::made(step, declared, match_found)),
            None => same += 1,
        }
    }
    if prune {
        let is_pruned = |object: &&FoundObject| {
            object.is_for_files() && manifest.has_list(object.kind, object.within.as_deref())
        };
        let deletions = matches.left().filter(is_pruned);
        drafts.extend(deletions.map(|object| Draft::deleted(deletion(object), object, found)));
    }
    mistakes.or(ChangePlan { groups: grouped(drafts), same })
}

/// The objects of the service that no file has named yet.
struct Matches<'f> {
    found: &'f [FoundObject],
    by_name: HashMap<(ObjectKind, Option<String>, String), usize>,
    taken: HashSet<usize>,
}

impl<'f> Matches<'f> {
    fn of(found: &'f [FoundObject]) -> Self {
        let key = |object: &'f FoundObject| (object.kind, object.within.clone(), object.comparable_name());
        let by_name = found.iter().enumerate().map(|(at, object)| (key(object), at)).collect();
        Self { found, by_name, taken: HashSet::new() }
    }

    fn take(&mut self, declared: &DeclaredObject) -> Option<&'f FoundObject> {
        let name = declared.kind.comparable(&declared.name);
        let key = (declared.kind, declared.within.clone(), name);
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
                && object.within == declared.within
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

fn step(
    declared: &DeclaredObject,
    found: Option<&FoundObject>,
    has_secret: &HashSet<String>,
) -> Option<PlannedStep> {
    // Whatever has this id elsewhere, a new object needs its secret.
    let is_to_be_set = found.is_none() || !has_secret.contains(&declared.name);
    let secret = declared.secret.clone().filter(|_| is_to_be_set);
    let action = match found {
        None => StepAction::Create(declared.fields.clone()),
        Some(found) => StepAction::Change(updates(declared, found)),
    };
    if matches!(&action, StepAction::Change(updates) if updates.is_empty()) && secret.is_none() {
        return None;
    }
    Some(PlannedStep {
        kind: declared.kind,
        within: declared.within.clone(),
        name: declared.name.clone(),
        id: found.map(|found| found.id().to_owned()).unwrap_or_default(),
        action,
        secret,
        place: Some(declared.place.clone()),
    })
}

fn updates(declared: &DeclaredObject, found: &FoundObject) -> Vec<FieldUpdate> {
    let implied = replaces_proof(declared).then_some(&Value::Null);
    let update = |rule: &FieldRule| {
        let new = declared.fields.get(rule.name).or(implied)?;
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
        within: found.within.clone(),
        name: found.name().to_owned(),
        id: found.id().to_owned(),
        action: StepAction::Delete,
        secret: None,
        place: None,
    }
}
