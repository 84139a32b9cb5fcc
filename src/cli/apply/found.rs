//! Reads the objects that the service has.

use futures_util::{StreamExt as _, stream};

use super::AT_ONCE;
use crate::cli::api::{Api, ApiProblem, api_path};
use crate::manifest::{FoundObject, Manifest, ObjectKind};
use crate::terminal::out::ProgressLine;

/// The objects that files may change: those of the kinds that they have lists of. With `prune` also the identity
/// providers of teamspaces that go, since others may take their issuers.
pub(super) async fn declared(
    api: &Api,
    manifest: &Manifest,
    prune: bool,
) -> Result<Vec<FoundObject>, ApiProblem> {
    let mut found = Vec::new();
    for kind in ObjectKind::ALL.into_iter().filter(|kind| manifest.has_list(*kind, None)) {
        found.extend(all(api, kind).await?);
    }
    let known = |slug: &&str| {
        found.iter().any(|object| object.kind == ObjectKind::Teamspace && object.name() == *slug)
    };
    let lists = ObjectKind::ALL.into_iter().flat_map(|kind| {
        manifest
            .teamspaces_with(kind)
            .filter(known)
            .map(move |slug| (kind, slug.to_owned()))
            .collect::<Vec<_>>()
    });
    let mut lists: Vec<_> = lists.collect();
    if prune && manifest.objects.iter().any(|object| object.kind == ObjectKind::Provider) {
        let is_declared = |slug: &str| {
            manifest.objects.iter().any(|object| object.kind == ObjectKind::Teamspace && object.name == slug)
        };
        let going = found.iter().filter(|object| object.kind == ObjectKind::Teamspace);
        let going = going.map(FoundObject::name).filter(|slug| !is_declared(slug));
        lists.extend(going.map(|slug| (ObjectKind::Provider, slug.to_owned())));
    }
    found.extend(in_teamspaces(api, lists).await?);
    Ok(found)
}

/// Every object of a kind that is in no teamspace.
pub(in crate::cli) async fn all(api: &Api, kind: ObjectKind) -> Result<Vec<FoundObject>, ApiProblem> {
    let items = api.all(&format!("/{}", kind.list())).await?;
    Ok(items.into_iter().filter_map(|item| FoundObject::of(kind, None, item)).collect())
}

/// The objects in teamspaces, list by list.
pub(in crate::cli) async fn in_teamspaces(
    api: &Api,
    lists: Vec<(ObjectKind, String)>,
) -> Result<Vec<FoundObject>, ApiProblem> {
    let (count, mut progress, mut found) = (lists.len(), ProgressLine::new(), Vec::new());
    let read = stream::iter(lists).map(|(kind, slug)| async move {
        let items = api.all(&list_path(kind, Some(&slug))?).await?;
        Ok::<_, ApiProblem>(
            items.into_iter().filter_map(|item| FoundObject::of(kind, Some(&slug), item)).collect::<Vec<_>>(),
        )
    });
    let mut read = std::pin::pin!(read.buffered(AT_ONCE).enumerate());
    while let Some((number, objects)) = read.next().await {
        found.extend(objects?);
        progress.show(format_args!("Read {} of {count} lists", number + 1));
    }
    Ok(found)
}

/// The path of a list.
pub(super) fn list_path(kind: ObjectKind, teamspace: Option<&str>) -> Result<String, ApiProblem> {
    match (kind, teamspace) {
        (ObjectKind::Provider, Some(slug)) => api_path(&["teamspaces", slug, "identity-providers"]),
        (kind, Some(slug)) => api_path(&["teamspaces", slug, kind.list()]),
        (kind, None) => api_path(&[kind.list()]),
    }
}
