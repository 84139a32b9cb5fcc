//! Reads the objects that the service has.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt as _, stream};

use super::AT_ONCE;
use crate::cli::api::{Api, ApiProblem, api_path};
use crate::manifest::{FoundObject, Manifest, ObjectKind, PlannedStep};
use crate::terminal::out::ProgressLine;

/// The kinds with something that only one object can have, and which go with the object that they are inside.
const MOVING: [ObjectKind; 2] = [ObjectKind::Provider, ObjectKind::Credential];

/// The objects that files may change: those of the kinds that they have lists of. With `prune` also the identity
/// providers of teamspaces that go, since others may take their issuers, and likewise the credentials of resources.
pub(super) async fn declared(
    api: &Api,
    manifest: &Manifest,
    prune: bool,
) -> Result<Vec<FoundObject>, ApiProblem> {
    let mut found = Vec::new();
    for kind in ObjectKind::outermost().filter(|kind| manifest.has_list(*kind, None)) {
        found.extend(all(api, kind).await?);
    }
    let objects = manifest.objects.iter().filter(|object| object.within.is_none());
    let staying: HashSet<_> =
        objects.map(|object| (object.kind, object.kind.comparable(&object.name))).collect();
    let is_declared = |kind| manifest.objects.iter().any(|object| object.kind == kind);
    let moving: Vec<ObjectKind> = MOVING.into_iter().filter(|kind| prune && is_declared(*kind)).collect();
    let is_wanted = |kind, outer: &FoundObject| {
        let name = outer.comparable_name();
        manifest.has_list(kind, Some(&name))
            || moving.contains(&kind) && !staying.contains(&(outer.kind, name))
    };
    let inner = inside(api, &found, is_wanted).await?;
    found.extend(inner);
    Ok(found)
}

/// Every object of a kind that is inside no other.
pub(in crate::cli) async fn all(api: &Api, kind: ObjectKind) -> Result<Vec<FoundObject>, ApiProblem> {
    let items = api.all(&format!("/{}", kind.list())).await?;
    Ok(items.into_iter().filter_map(|item| FoundObject::of(kind, None, item)).collect())
}

/// The objects inside others, of the lists that are wanted.
pub(in crate::cli) async fn inside(
    api: &Api,
    outer: &[FoundObject],
    is_wanted: impl Fn(ObjectKind, &FoundObject) -> bool,
) -> Result<Vec<FoundObject>, ApiProblem> {
    let lists = outer.iter().flat_map(|outer| outer.kind.nested().map(move |kind| (kind, outer)));
    let lists: Vec<_> = lists.filter(|(kind, outer)| is_wanted(*kind, outer)).collect();
    let (count, mut progress, mut found) = (lists.len(), ProgressLine::new(), Vec::new());
    let read = stream::iter(lists).map(|(kind, outer)| async move {
        let items = api.all(&list_path(kind, Some(outer.id()))?).await?;
        let name = outer.comparable_name();
        Ok::<_, ApiProblem>(
            items.into_iter().filter_map(|item| FoundObject::of(kind, Some(&name), item)).collect::<Vec<_>>(),
        )
    });
    let mut read = std::pin::pin!(read.buffered(AT_ONCE).enumerate());
    while let Some((number, objects)) = read.next().await {
        found.extend(objects?);
        progress.show(format_args!("Read {} of {count} lists", number + 1));
    }
    Ok(found)
}

/// The path of a list; `outer` is the name in paths of the object that it is inside.
fn list_path(kind: ObjectKind, outer: Option<&str>) -> Result<String, ApiProblem> {
    match (kind, kind.within(), outer) {
        (ObjectKind::Provider, _, Some(slug)) => api_path(&["teamspaces", slug, "identity-providers"]),
        (kind, Some(within), Some(outer)) => api_path(&[within.list(), outer, kind.list()]),
        (kind, _, _) => api_path(&[kind.list()]),
    }
}

/// The ids of resources, which paths have; files have their identifiers.
pub(super) struct ResourceIds(HashMap<String, String>);

impl ResourceIds {
    /// Those of the objects that there are.
    pub(super) fn of(found: &[FoundObject]) -> Self {
        let mut ids = Self(HashMap::new());
        found.iter().for_each(|object| ids.add(object));
        ids
    }

    /// Adds one, if it is a resource.
    pub(super) fn add(&mut self, object: &FoundObject) {
        if object.kind == ObjectKind::Resource {
            self.0.insert(object.comparable_name(), object.id().to_owned());
        }
    }

    /// The path of the list that a step's object is in.
    pub(super) fn list_path(&self, step: &PlannedStep) -> Result<String, ApiProblem> {
        self.path(step.kind, step.within.as_deref())
    }

    /// The path of an object.
    pub(super) fn object_path(&self, object: &FoundObject) -> Result<String, ApiProblem> {
        let list = self.path(object.kind, object.within.as_deref())?;
        Ok(format!("{list}{}", api_path(&[object.id()])?))
    }

    fn path(&self, kind: ObjectKind, within: Option<&str>) -> Result<String, ApiProblem> {
        let id = within.and_then(|name| self.0.get(name)).map(String::as_str);
        let outer = if kind.within() == Some(ObjectKind::Resource) { id } else { within };
        list_path(kind, outer)
    }
}
