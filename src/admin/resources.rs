//! Resources: the MCP servers that tokens are issued for.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::{Admin, Operator};
use super::change::Change;
use super::check;
use super::error::AdminError;
use super::fault::IdentifierFault;
use super::patch::{nullable, present};
use super::view::as_json;
use crate::clock::{UnixSeconds, rfc3339};
use crate::config::is_loopback;
use crate::model::resource::{Resource, ResourceScope};
use crate::model::revocation::{Revocation, RevocationCause};
use crate::oauth::resource::normalize;
use crate::policy::ConsoleAction;
use crate::store::changes::Changed;
use crate::store::snapshot::Snapshot;
use crate::store::{AnyConnection, resources, teamspaces};

/// A resource to be registered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewResource {
    pub identifier: String,
    pub name: String,
    #[serde(default)]
    pub scopes: Vec<ResourceScope>,
    #[serde(default)]
    pub default_scopes: Vec<String>,
    #[serde(default)]
    pub teamspaces: Option<Vec<String>>,
    #[serde(default)]
    pub required_scopes: Vec<String>,
    #[serde(default)]
    pub forward_auth_credentials: bool,
    #[serde(default)]
    pub tool_policies: bool,
    #[serde(default)]
    pub dpop_bound_access_tokens: bool,
}

/// The members that can be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourcePatch {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub identifier: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub scopes: Option<Vec<ResourceScope>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub default_scopes: Option<Vec<String>>,
    #[serde(default, deserialize_with = "nullable")]
    pub teamspaces: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub required_scopes: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub forward_auth_credentials: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub tool_policies: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub dpop_bound_access_tokens: Option<bool>,
}

/// Lists at most `limit` resources by identifier, from the one after a given identifier, and tells whether there are
/// more.
pub fn page(
    operator: &Operator,
    after: &str,
    limit: usize,
) -> Result<(Vec<Arc<Resource>>, bool), AdminError> {
    operator.may_everywhere(ConsoleAction::ViewResources)?;
    let snapshot = operator.app.snapshot();
    let mut found: Vec<_> = snapshot.resources().filter(|r| r.identifier.as_str() > after).cloned().collect();
    found.sort_by(|a, b| a.identifier.cmp(&b.identifier));
    let has_more = found.len() > limit;
    found.truncate(limit);
    Ok((found, has_more))
}

/// One resource.
pub fn show(operator: &Operator, id: &str) -> Result<Arc<Resource>, AdminError> {
    operator.may_everywhere(ConsoleAction::ViewResources)?;
    let snapshot = operator.app.snapshot();
    snapshot.resources().find(|resource| resource.id == id).cloned().ok_or(AdminError::NotFound)
}

/// Registers a resource.
pub async fn create(operator: &Operator, new: NewResource) -> Result<Resource, AdminError> {
    let permission = operator.may_everywhere(ConsoleAction::ChangeResources)?;
    let resource = Resource {
        id: Uuid::new_v4().to_string(),
        identifier: new.identifier,
        normalized: String::new(),
        name: new.name,
        scopes: new.scopes,
        default_scopes: new.default_scopes,
        teamspaces: new.teamspaces,
        required_scopes: new.required_scopes,
        forward_auth_credentials: new.forward_auth_credentials,
        tool_policies: new.tool_policies,
        dpop_bound_access_tokens: new.dpop_bound_access_tokens,
        credentials: Vec::new(),
        created_at: operator.app.clock.now(),
    };
    let resource = checked(resource, &operator.app.config.issuer)?;
    operator
        .change(permission, move |c| {
            check_teamspaces(c, &resource)?;
            resources::insert(c, &resource).map_err(|e| AdminError::ResourceTaken.if_duplicate(e))?;
            let id = &resource.id;
            let change = Change::added(changed(id), "resource.create", id, view(&resource));
            Ok((resource, change))
        })
        .await
}

/// Changes a resource; its id stays.
pub async fn change(operator: &Operator, id: String, patch: ResourcePatch) -> Result<Resource, AdminError> {
    change_if(operator, id, patch, |_| true).await
}

/// Changes a resource that still is as somebody saw it.
pub async fn change_if(
    operator: &Operator,
    id: String,
    patch: ResourcePatch,
    is_as_seen: impl FnOnce(&Resource) -> bool + Send + 'static,
) -> Result<Resource, AdminError> {
    let (own, now) = (operator.app.config.issuer.clone(), operator.app.clock.now());
    operator
        .change(operator.may_everywhere(ConsoleAction::ChangeResources)?, move |c| {
            let old = find(c, &id)?;
            if !is_as_seen(&old) {
                return Err(AdminError::ChangedMeanwhile);
            }
            let names_teamspaces = patch.teamspaces.is_some();
            let new = checked(patch.apply(old.clone()), &own)?;
            if names_teamspaces {
                check_teamspaces(c, &new)?;
            }
            resources::update(c, &new).map_err(|e| AdminError::ResourceTaken.if_duplicate(e))?;
            let revoked = withdrawn(c, &old, &new, now)?;
            let change = Change::updated(changed(&id), "resource.update", &id, view(&old), view(&new));
            Ok((new, change.revoking(revoked)))
        })
        .await
}

/// Removes a resource: no more tokens are issued for it.
pub async fn remove(operator: &Operator, id: String) -> Result<(), AdminError> {
    let now = operator.app.clock.now();
    operator
        .change(operator.may_everywhere(ConsoleAction::ChangeResources)?, move |c| {
            let old = find(c, &id)?;
            resources::delete(c, &id)?;
            let revoked = Revocation::of_resource(&old, RevocationCause::ResourceRemoved, now);
            Ok(((), Change::removed(changed(&id), "resource.delete", &id, view(&old)).revoking([revoked])))
        })
        .await
}

/// The tokens that a change of a resource ends: those of teamspaces that it is no longer offered to. Where it was offered
/// to all, or is called otherwise now, all of them end; whoever may still use it gets a new one.
fn withdrawn(
    connection: &mut AnyConnection,
    old: &Resource,
    new: &Resource,
    now: UnixSeconds,
) -> Result<Vec<Revocation>, AdminError> {
    let Some(before) = old.teamspaces.as_ref().filter(|_| old.identifier == new.identifier) else {
        let is_same = old.identifier == new.identifier && new.teamspaces.is_none();
        let all = || Revocation::of_resource(old, RevocationCause::ResourceUnpublished, now);
        return Ok((!is_same).then(all).into_iter().collect());
    };
    let mut revoked = Vec::new();
    for slug in before.iter().filter(|slug| !new.is_published_to(slug)) {
        if let Some(id) = teamspaces::holder_of_slug(connection, slug)? {
            let publication = (id.as_str(), slug.as_str());
            let cause = RevocationCause::ResourceUnpublished;
            revoked.push(Revocation::of_publication(old, publication, cause, now));
        }
    }
    Ok(revoked)
}

fn find(connection: &mut AnyConnection, id: &str) -> Result<Resource, AdminError> {
    resources::find(connection, id)?.ok_or(AdminError::NotFound)
}

/// A resource as the API and the audit log show it.
#[derive(Serialize, ToSchema)]
#[schema(as = Resource)]
pub struct ResourceView<'r> {
    id: &'r str,
    /// The `aud` of its tokens.
    identifier: &'r str,
    name: &'r str,
    scopes: &'r [ResourceScope],
    /// Considered when neither the assertion nor the identity provider names scopes.
    default_scopes: &'r [String],
    /// Slugs of the teamspaces that it is offered to; null: all of them.
    #[schema(required)]
    teamspaces: Option<&'r [String]>,
    /// Scopes that forward-auth demands of every request.
    required_scopes: &'r [String],
    /// Whether forward-auth wants the resource's credentials of the proxy.
    forward_auth_credentials: bool,
    /// Whether forward-auth asks the policies about each call of a tool, and about the list of tools.
    tool_policies: bool,
    /// Whether its tokens must be bound to a key, which the client proves with DPoP (RFC 9449).
    dpop_bound_access_tokens: bool,
    #[schema(format = DateTime)]
    created_at: String,
}

/// A resource as operators and the audit log see it.
fn view(resource: &Resource) -> Value {
    as_json(ResourceView {
        id: &resource.id,
        identifier: &resource.identifier,
        name: &resource.name,
        scopes: &resource.scopes,
        default_scopes: &resource.default_scopes,
        teamspaces: resource.teamspaces.as_deref(),
        required_scopes: &resource.required_scopes,
        forward_auth_credentials: resource.forward_auth_credentials,
        tool_policies: resource.tool_policies,
        dpop_bound_access_tokens: resource.dpop_bound_access_tokens,
        created_at: rfc3339(resource.created_at),
    })
}

/// A viewer of resources: an operator, or a person of some teamspaces, who must not learn about the others.
pub enum ResourceViewer {
    Operator,
    /// The slugs of those teamspaces; empty when the teamspaces are gone.
    Of(Vec<String>),
}

impl ResourceViewer {
    /// The caller as a viewer, in the teamspaces where the policies let them look at resources.
    pub fn of(admin: &Admin, snapshot: &Snapshot) -> Result<Self, AdminError> {
        Ok(match admin.teamspaces_where(ConsoleAction::ViewResources)? {
            None => Self::Operator,
            Some(ids) => Self::Of(ids.iter().filter_map(|id| snapshot.slug_of(id)).collect()),
        })
    }

    /// Whether a resource is there for the viewer.
    pub fn sees(&self, resource: &Resource) -> bool {
        match self {
            Self::Operator => true,
            Self::Of(slugs) => slugs.iter().any(|slug| resource.is_published_to(slug)),
        }
    }

    /// A resource as the viewer may see it: without the names of other teamspaces.
    pub fn view(&self, resource: &Resource) -> Value {
        let mut shown = view(resource);
        if let (Self::Of(slugs), Some(_)) = (self, &resource.teamspaces)
            && let Some(object) = shown.as_object_mut()
        {
            let own: Vec<&String> = slugs.iter().filter(|slug| resource.is_published_to(slug)).collect();
            object.insert("teamspaces".into(), json!(own));
        }
        shown
    }
}

impl ResourcePatch {
    fn apply(self, old: Resource) -> Resource {
        Resource {
            identifier: self.identifier.unwrap_or(old.identifier),
            name: self.name.unwrap_or(old.name),
            scopes: self.scopes.unwrap_or(old.scopes),
            default_scopes: self.default_scopes.unwrap_or(old.default_scopes),
            teamspaces: self.teamspaces.unwrap_or(old.teamspaces),
            required_scopes: self.required_scopes.unwrap_or(old.required_scopes),
            forward_auth_credentials: self.forward_auth_credentials.unwrap_or(old.forward_auth_credentials),
            tool_policies: self.tool_policies.unwrap_or(old.tool_policies),
            dpop_bound_access_tokens: self.dpop_bound_access_tokens.unwrap_or(old.dpop_bound_access_tokens),
            ..old
        }
    }
}

/// Checks a resource's values and returns its stored form. `own` is our own issuer identifier.
fn checked(mut resource: Resource, own: &str) -> Result<Resource, AdminError> {
    resource.normalized = normalized(&resource.identifier, own).map_err(AdminError::IdentifierInvalid)?;
    resource.name = check::name(&resource.name)?;
    let names: Vec<String> = resource.scopes.iter().map(|scope| scope.name.clone()).collect();
    check::scopes(&names)?;
    check::scopes(&resource.default_scopes)?;
    if let Some(unknown) = resource.default_scopes.iter().find(|scope| !resource.has_scope(scope)) {
        return Err(AdminError::DefaultScopeUnknown(unknown.clone()));
    }
    check::scopes(&resource.required_scopes)?;
    if let Some(unknown) = resource.required_scopes.iter().find(|scope| !resource.has_scope(scope)) {
        return Err(AdminError::RequiredScopeUnknown(unknown.clone()));
    }
    if resource.scopes.iter().any(|scope| scope.description.chars().count() > 1000) {
        return Err(AdminError::ScopeDescriptionTooLong);
    }
    Ok(resource)
}

/// Returns the normal form of an identifier that RFC 8707 §2 allows and that is https: anybody on the way could read a
/// token sent over plain http.
fn normalized(identifier: &str, own: &str) -> Result<String, IdentifierFault> {
    // `Url::parse` drops white space silently; the identifier is compared and issued as it is written.
    if !identifier.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(IdentifierFault::Character);
    }
    let normalized = normalize(identifier).ok_or(IdentifierFault::Form)?;
    let url = Url::parse(identifier).map_err(|_| IdentifierFault::NotAbsolute)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => return Err(IdentifierFault::NotHttps),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(IdentifierFault::UserInfo);
    }
    if normalize(own).as_ref() == Some(&normalized) {
        return Err(IdentifierFault::OwnIssuer);
    }
    Ok(normalized)
}

fn check_teamspaces(connection: &mut AnyConnection, resource: &Resource) -> Result<(), AdminError> {
    let Some(slugs) = &resource.teamspaces else { return Ok(()) };
    // The check below refuses a list that is too long; a statement takes only so many values.
    let asked = slugs.get(..check::MAX_LIST).unwrap_or(slugs);
    let known: HashSet<String> = teamspaces::known_slugs(connection, asked)?.into_iter().collect();
    let rule = "there is no such teamspace.";
    check::list(slugs, |slug| known.contains(slug), rule).map_err(AdminError::TeamspaceUnknown)
}

fn changed(id: &str) -> Changed {
    Changed::Resource(id.to_owned())
}
