//! How the trust in an identity provider changed, by whom, and what its metadata names at present.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::caller::InTeamspace;
use super::error::AdminError;
use super::identity_provider::Which;
use super::view::as_json;
use crate::clock::rfc3339;
use crate::idp::trust::named_in;
use crate::model::identity_provider::IdentityProvider;
use crate::model::trust::{MetadataDifference, TrustChange, TrustChangeKind, TrustedParts};
use crate::policy::ConsoleAction;
use crate::store::trust_changes;
use crate::store::{AnyConnection, Page, StoreError};

/// Lists a page of the changes of a provider, newest first, each with its number.
pub async fn list(
    at: &InTeamspace,
    which: &Which,
    before: Option<i64>,
    limit: i64,
) -> Result<Page<(i64, TrustChange)>, AdminError> {
    at.may(ConsoleAction::ViewEnterprise)?;
    let id = which.configured(at.teamspace_config())?.id.clone();
    Ok(at.app.store.list(move |c| trust_changes::list(c, &id, before, limit)).await?)
}

/// The newest changes of each of a teamspace's providers, newest first, by the providers' ids.
pub async fn newest(at: &InTeamspace, limit: i64) -> Result<HashMap<String, Vec<TrustChange>>, AdminError> {
    at.may(ConsoleAction::ViewEnterprise)?;
    let providers = at.teamspace_config().identity_providers.clone();
    let read = move |c: &mut AnyConnection| {
        let of = |provider: &Arc<IdentityProvider>| {
            let page = trust_changes::list(c, &provider.id, None, limit)?;
            Ok((provider.id.clone(), page.items.into_iter().map(|(_, change)| change).collect()))
        };
        providers.iter().map(of).collect()
    };
    Ok(at.app.store.list(read).await?)
}

/// The metadata of a teamspace's providers that name something else than was saved, by the providers' ids.
pub async fn differences(at: &InTeamspace) -> Result<HashMap<String, MetadataDifference>, AdminError> {
    at.may(ConsoleAction::ViewEnterprise)?;
    let providers = at.teamspace_config().identity_providers.clone();
    Ok(at.app.store.list(move |c| differing(c, providers.iter().map(|provider| &**provider))).await?)
}

/// The metadata of providers that name something else than was saved.
pub(super) fn differing<'p>(
    connection: &mut AnyConnection,
    providers: impl Iterator<Item = &'p IdentityProvider> + Clone,
) -> Result<HashMap<String, MetadataDifference>, StoreError> {
    let ids: Vec<String> = providers.clone().map(|provider| provider.id.clone()).collect();
    let mut newest = trust_changes::newest_of_metadata(connection, &ids)?;
    let found = providers.filter_map(|provider| {
        let change = newest.remove(&provider.id)?;
        let named = named_in(&change).filter(|named| !named.agrees(&provider.issuer, &provider.jwks_uri))?;
        Some((provider.id.clone(), MetadataDifference { named, since: change.at }))
    });
    Ok(found.collect())
}

/// A change as the API shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = TrustChange)]
pub struct TrustChangeView<'c> {
    #[schema(format = DateTime)]
    time: String,
    kind: TrustChangeKind,
    /// The administrator; null where the identity provider itself changed.
    #[schema(required)]
    actor: Option<&'c str>,
    /// The administrator's request; null where there is none.
    #[schema(required)]
    request_id: Option<&'c str>,
    /// What was before; null where there was nothing.
    #[schema(required)]
    old: Option<&'c TrustedParts>,
    /// What is from then on; null where there is nothing.
    #[schema(required)]
    new: Option<&'c TrustedParts>,
}

/// A change as JSON.
pub fn view(change: &TrustChange) -> Value {
    let TrustChange { at, kind, actor, request_id, old, new, .. } = change;
    as_json(TrustChangeView {
        time: rfc3339(*at),
        kind: *kind,
        actor: (!actor.is_empty()).then_some(actor),
        request_id: (!request_id.is_empty()).then_some(request_id),
        old: old.as_ref(),
        new: new.as_ref(),
    })
}

/// Metadata that name something else than was saved, as the API shows them.
#[derive(Serialize, ToSchema)]
#[schema(as = MetadataDifference)]
pub struct MetadataDifferenceView {
    /// The issuer that the metadata name.
    issuer: String,
    /// The address of the keys that they name; null where that is not known.
    #[schema(required)]
    jwks_uri: Option<String>,
    /// When that was noticed.
    #[schema(format = DateTime)]
    since: String,
}

impl From<MetadataDifference> for MetadataDifferenceView {
    fn from(difference: MetadataDifference) -> Self {
        let MetadataDifference { named, since } = difference;
        Self { issuer: named.issuer, jwks_uri: named.jwks_uri, since: rfc3339(since) }
    }
}
