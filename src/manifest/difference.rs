//! Compares what a service has with what files declare, and plans the steps in between.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::field::FieldRule;
use super::kind::ObjectKind;
use super::mistake::Mistakes;
use super::object::{DeclaredObject, FoundObject, Manifest};
use super::order::{Draft, grouped};
use super::step::{ChangePlan, FieldUpdate, PlannedStep, StepAction};
use crate::model::client::AuthMethod;
use crate::oauth::resource::normalize;

/// Whether a client with these fields sends a secret, which is what clients do unless they say otherwise.
pub(super) fn sends_secret(client: &Map<String, Value>) -> bool {
    let method = client.get("token_endpoint_auth_method").and_then(Value::as_str);
    method.and_then(|method| method.parse().ok()).is_none_or(AuthMethod::sends_secret)
}

/// What is wrong about the secret of a client; none if nothing is, or it is no client.
fn secret_mistake(declared: &DeclaredObject, is_new: bool) -> Option<String> {
    if declared.kind != ObjectKind::Client {
        return None;
    }
    match (sends_secret(&declared.fields), &declared.secret) {
        (false, Some(_)) => Some(format!(
            "the client `{}` has private_key_jwt or none and so no secret: remove `client_secret_file` or \
             `client_secret_env`",
            declared.name
        )),
        (true, None) if is_new => Some(format!(
            "the service has no client `{}`, and a new one needs its secret: add `client_secret_file` or \
             `client_secret_env`",
            declared.name
        )),
        _ => None,
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
    let (mut drafts, mut mistakes, mut same) = (Vec::new(), Mistakes::default(), 0);
    for declared in &manifest.objects {
        let match_found = matches.take(declared);
        if let Some(mistake) = secret_mistake(declared, match_found.is_none()) {
            mistakes.add(declared.place.clone(), mistake);
        }
        match step(declared, match_found, has_secret) {
            Some(step) => drafts.push(Draft::made(step, declared, match_found)),
            None => same += 1,
        }
    }
    if prune {
        let is_pruned = |object: &&FoundObject| {
            object.is_for_files() && manifest.has_list(object.kind, object.teamspace.as_deref())
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
