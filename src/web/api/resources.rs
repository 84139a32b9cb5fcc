//! Resources: the MCP servers that tokens are issued for.

use std::collections::HashSet;

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::auth::{Admin, ItemId, Operator};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::patch::{nullable, present};
use crate::admin::{self as check, AdminError, Change};
use crate::clock::rfc3339;
use crate::config::is_loopback;
use crate::model::resource::{Resource, ResourceScope};
use crate::oauth::resource::normalize;
use crate::store::changes::Changed;
use crate::store::resources;
use crate::store::{AnyConnection, teamspaces};

/// What is needed for a new one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewResource {
    identifier: String,
    name: String,
    #[serde(default)]
    scopes: Vec<ResourceScope>,
    #[serde(default)]
    default_scopes: Vec<String>,
    #[serde(default)]
    teamspaces: Option<Vec<String>>,
}

/// What can be changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourcePatch {
    #[serde(default, deserialize_with = "present")]
    identifier: Option<String>,
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    scopes: Option<Vec<ResourceScope>>,
    #[serde(default, deserialize_with = "present")]
    default_scopes: Option<Vec<String>>,
    #[serde(default, deserialize_with = "nullable")]
    teamspaces: Option<Option<Vec<String>>>,
}

/// `GET /resources`: to a teamspace, those that are offered to it.
pub async fn list(admin: Admin, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    let (snapshot, seer) = (admin.app.snapshot(), Seer::of(&admin));
    let seen = snapshot.resources().filter(|resource| seer.sees(resource));
    let found = page::of_sorted(seen, &query, |resource| resource.identifier.clone())?;
    Ok(page::answer(found, |resource| seer.view(resource)))
}

/// `GET /resources/{id}`
pub async fn show(admin: Admin, ItemId(id): ItemId) -> Result<Json<Value>, Problem> {
    let (snapshot, seer) = (admin.app.snapshot(), Seer::of(&admin));
    let found = snapshot.resources().find(|resource| resource.id == id && seer.sees(resource));
    found.map(|resource| Json(seer.view(resource))).ok_or_else(Problem::not_found)
}

/// `POST /resources`
pub async fn create(
    Operator(admin): Operator,
    JsonBody(new): JsonBody<NewResource>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let resource = Resource {
        id: Uuid::new_v4().to_string(),
        identifier: new.identifier,
        normalized: String::new(),
        name: new.name,
        scopes: new.scopes,
        default_scopes: new.default_scopes,
        teamspaces: new.teamspaces,
        created_at: admin.app.clock.now(),
    };
    let resource = resource.checked(&admin.app.config.issuer)?;
    let shown = admin
        .change(move |c| -> Result<_, Problem> {
            check_teamspaces(c, &resource)?;
            resources::insert(c, &resource).map_err(|e| taken().if_duplicate(e))?;
            let shown = view(&resource);
            Ok((shown.clone(), Change::added(changed(&resource.id), "resource.create", &resource.id, shown)))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(shown)))
}

/// `PATCH /resources/{id}`
pub async fn change(
    Operator(admin): Operator,
    ItemId(id): ItemId,
    JsonBody(patch): JsonBody<ResourcePatch>,
) -> Result<Json<Value>, Problem> {
    let own = admin.app.config.issuer.clone();
    let shown = admin
        .change(move |c| -> Result<_, Problem> {
            let old = find(c, &id)?;
            let names_teamspaces = patch.teamspaces.is_some();
            let new = patch.apply(old.clone()).checked(&own)?;
            if names_teamspaces {
                check_teamspaces(c, &new)?;
            }
            resources::update(c, &new).map_err(|e| taken().if_duplicate(e))?;
            let shown = view(&new);
            Ok((shown.clone(), Change::updated(changed(&id), "resource.update", &id, view(&old), shown)))
        })
        .await?;
    Ok(Json(shown))
}

/// `DELETE /resources/{id}`
pub async fn remove(Operator(admin): Operator, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    admin
        .change(move |c| -> Result<_, Problem> {
            let old = find(c, &id)?;
            resources::delete(c, &id)?;
            Ok(((), Change::removed(changed(&id), "resource.delete", &id, view(&old))))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn find(connection: &mut AnyConnection, id: &str) -> Result<Resource, Problem> {
    resources::find(connection, id)?.ok_or_else(Problem::not_found)
}

fn taken() -> Problem {
    Problem::conflict("resource_taken", "A resource of this identifier is registered.")
}

fn view(resource: &Resource) -> Value {
    json!({
        "id": resource.id,
        "identifier": resource.identifier,
        "name": resource.name,
        "scopes": resource.scopes,
        "default_scopes": resource.default_scopes,
        "teamspaces": resource.teamspaces,
        "created_at": rfc3339(resource.created_at),
    })
}

/// Who looks: an operator, or a teamspace, which must not learn of the others.
enum Seer {
    Operator,
    Teamspace(String),
    /// A teamspace that is gone.
    Nobody,
}

impl Seer {
    fn of(admin: &Admin) -> Self {
        match admin.confined_to().and_then(|id| admin.app.snapshot().slug_of(id)) {
            _ if admin.is_operator() => Self::Operator,
            Some(slug) => Self::Teamspace(slug),
            None => Self::Nobody,
        }
    }

    fn sees(&self, resource: &Resource) -> bool {
        match self {
            Self::Operator => true,
            Self::Teamspace(slug) => resource.is_published_to(slug),
            Self::Nobody => false,
        }
    }

    fn view(&self, resource: &Resource) -> Value {
        let mut shown = view(resource);
        if let (Self::Teamspace(slug), Some(_)) = (self, &resource.teamspaces)
            && let Some(object) = shown.as_object_mut()
        {
            object.insert("teamspaces".into(), json!([slug]));
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
            ..old
        }
    }
}

impl Resource {
    /// The same in its stored form, if its values are acceptable. `own` is our own issuer identifier.
    fn checked(mut self, own: &str) -> Result<Self, Problem> {
        self.normalized = check_identifier(&self.identifier, own)?;
        self.name = check::name(&self.name)?;
        let names: Vec<String> = self.scopes.iter().map(|scope| scope.name.clone()).collect();
        check::scopes(&names)?;
        check::scopes(&self.default_scopes)?;
        if let Some(unknown) = self.default_scopes.iter().find(|scope| !self.has_scope(scope)) {
            let detail = format!("The default scope {unknown} is none of the resource's scopes.");
            return Err(Problem::invalid("default_scope_unknown", detail));
        }
        if self.scopes.iter().any(|scope| scope.description.chars().count() > 1000) {
            return Err(Problem::invalid("scope_invalid", "A description has at most 1000 characters."));
        }
        Ok(self)
    }
}

/// RFC 8707 §2, and https: a token sent over plain http would be anybody's. Returns the normal form.
fn check_identifier(identifier: &str, own: &str) -> Result<String, Problem> {
    let fail = |why: &'static str| Problem::invalid("identifier_invalid", why);
    // `Url::parse` drops white space silently; the identifier is compared and issued as it is written.
    if !identifier.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(fail("The identifier must be printable ASCII without space."));
    }
    let normalized = normalize(identifier);
    let normalized = normalized.ok_or_else(|| {
        fail("The identifier must be an absolute URL of at most 2048 characters, without #.")
    })?;
    let url = Url::parse(identifier).map_err(|_| fail("The identifier must be an absolute URL."))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => return Err(fail("The identifier must be https; http is for loopback only.")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fail("The identifier must have no user name or password."));
    }
    if normalize(own).as_ref() == Some(&normalized) {
        return Err(fail("This is Countersign's own issuer, not an MCP server."));
    }
    Ok(normalized)
}

fn check_teamspaces(connection: &mut AnyConnection, resource: &Resource) -> Result<(), Problem> {
    let Some(slugs) = &resource.teamspaces else { return Ok(()) };
    // A list that is too long is refused by the check below; a statement takes only so many values.
    let asked = slugs.get(..check::MAX_LIST).unwrap_or(slugs);
    let known: HashSet<String> = teamspaces::known_slugs(connection, asked)?.into_iter().collect();
    let rule = "there is no such teamspace.";
    Ok(check::list(slugs, |slug| known.contains(slug), rule).map_err(AdminError::TeamspaceUnknown)?)
}

fn changed(id: &str) -> Changed {
    Changed::Resource(id.to_owned())
}
