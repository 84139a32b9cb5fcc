//! Resources, the MCP servers: listing, registering, changing and removing them, and the metadata that each server
//! must publish.

mod fields;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::answer::{PageError, form_again, page};
use super::form::{Faults, Typed};
use super::page::{Frame, OperatorPage, Place};
use super::remove::{Confirmed, RemovePage};
use super::seen::is_as_seen;
use super::words::{ago, date};
use crate::admin::{AdminError, resource_credentials, resources};
use crate::app::App;
use crate::model::resource::{MAX_CREDENTIALS, Resource, ResourceCredential};
use fields::{ResourceForm, field_of};

/// Resources on one page.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "resources.html")]
struct ResourcesPage {
    frame: Frame,
    items: Vec<ListedResource>,
    first_page: String,
    next_page: String,
}

/// A resource as the list shows it.
struct ListedResource {
    path: String,
    identifier: String,
    name: String,
    scopes: String,
    offered: String,
    created: String,
}

#[derive(Template)]
#[template(path = "resource_form.html")]
struct ResourcePage {
    frame: Frame,
    form: ResourceForm,
    faults: Faults,
    /// The resource that the form changes; none for a new one.
    resource: Option<ResourceDetail>,
}

/// The parts of a resource's page beside the form.
struct ResourceDetail {
    path: String,
    name: String,
    /// The metadata document, which the server publishes itself or points to.
    metadata: String,
    /// Where the server serves it itself.
    own_address: String,
    /// Where this service serves it.
    our_address: String,
    credentials: Vec<ListedCredential>,
    /// Their ids, which the button for more brings along.
    seen: String,
    /// Whether there can be no more credentials.
    is_full: bool,
}

/// Goes with the button for more credentials.
#[derive(Deserialize)]
struct CredentialForm {
    /// The ids of the credentials that the page showed. Only a page brings them.
    seen: Option<String>,
}

/// Credentials as they are shown: without the secret.
struct ListedCredential {
    client_id: String,
    /// The id in paths: an operator may have chosen one with characters that mean something there.
    encoded_id: String,
    /// Whether it signs assertions, and has no secret.
    has_keys: bool,
    created: String,
    age: String,
}

#[derive(Template)]
#[template(path = "resource_credential.html")]
struct CredentialPage {
    frame: Frame,
    path: String,
    client_id: String,
    secret: String,
    introspection_endpoint: String,
}

impl ResourceDetail {
    fn of(at: &OperatorPage, resource: &Resource) -> Self {
        let (issuer, now) = (&at.app.config.issuer, at.app.clock.now());
        let credentials = resource.credentials.iter().map(|credential| ListedCredential {
            client_id: credential.client_id.clone(),
            encoded_id: utf8_percent_encode(&credential.client_id, NON_ALPHANUMERIC).to_string(),
            has_keys: credential.keys().is_some(),
            created: date(credential.created_at),
            age: ago(credential.created_at, now),
        });
        Self {
            credentials: credentials.collect(),
            seen: ids_of(&resource.credentials),
            is_full: resource.credentials.len() >= MAX_CREDENTIALS,
            path: path(&resource.id),
            name: resource.name.clone(),
            metadata: format!("{:#}", resource.metadata(issuer)),
            own_address: resource.metadata_url(),
            our_address: format!("{issuer}/resources/{}/protected-resource-metadata", resource.id),
        }
    }
}

fn ids_of(credentials: &[ResourceCredential]) -> String {
    credentials.iter().map(|credential| credential.client_id.as_str()).collect::<Vec<_>>().join(" ")
}

/// Which part of the list is asked for.
#[derive(Deserialize)]
struct ResourceListQuery {
    #[serde(default)]
    after: String,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/resources", get(list).post(create))
        .route("/resources/new", get(show_new))
        .route("/resources/{id}", get(show).post(change))
        .route("/resources/{id}/remove", get(show_remove).post(remove))
        .route("/resources/{id}/credentials", post(add_credential))
        .route("/resources/{id}/credentials/{client_id}/remove", post(remove_credential))
}

/// `GET /resources`
async fn list(at: OperatorPage, Query(query): Query<ResourceListQuery>) -> Result<Response, PageError> {
    let (found, has_more) = resources::page(&at, &query.after, PAGE)?;
    let frame = at.frame(Place::Resources);
    let list = format!("{}/resources", frame.base);
    let next = found.last().filter(|_| has_more);
    let next = next.map(|resource| utf8_percent_encode(&resource.identifier, NON_ALPHANUMERIC));
    page(&ResourcesPage {
        items: found.iter().map(|resource| row(resource)).collect(),
        first_page: if query.after.is_empty() { String::new() } else { list.clone() },
        next_page: next.map(|after| format!("{list}?after={after}")).unwrap_or_default(),
        frame,
    })
}

fn row(resource: &Resource) -> ListedResource {
    let scopes: Vec<&str> = resource.scopes.iter().map(|scope| scope.name.as_str()).collect();
    ListedResource {
        path: path(&resource.id),
        identifier: resource.identifier.clone(),
        name: resource.name.clone(),
        scopes: scopes.join(" "),
        offered: match resource.teamspaces.as_deref() {
            None => "Every teamspace".to_owned(),
            Some([]) => "No teamspace".to_owned(),
            Some([one]) => one.clone(),
            Some(many) => format!("{} teamspaces", many.len()),
        },
        created: date(resource.created_at),
    }
}

fn path(id: &str) -> String {
    format!("/resources/{id}")
}

/// `GET /resources/new`
async fn show_new(at: OperatorPage) -> Result<Response, PageError> {
    page(&form_page(&at, ResourceForm::default(), Faults::default(), None))
}

/// `POST /resources`
async fn create(at: OperatorPage, Typed(form): Typed<ResourceForm>) -> Result<Response, PageError> {
    match resources::create(&at, form.new_resource()).await {
        Ok(resource) => Ok(at.done(&path(&resource.id), format!("{} was registered.", resource.name))),
        Err(AdminError::ResourceTaken) if twin(&at, &form).is_some() => {
            let id = twin(&at, &form).map(|twin| twin.id.clone()).unwrap_or_default();
            Ok(at.done(&path(&id), format!("{} is registered already.", form.name.trim())))
        }
        Err(error) => {
            let faults = Faults::from_refusal(error, field_of)?;
            form_again(&form_page(&at, form, faults, None))
        }
    }
}

/// A registered resource with exactly these values: the form was sent twice.
fn twin(at: &OperatorPage, form: &ResourceForm) -> Option<Arc<Resource>> {
    at.app.snapshot().resources().find(|resource| form.is_registered_as(resource)).cloned()
}

/// `GET /resources/{id}`
async fn show(at: OperatorPage, Path(id): Path<String>) -> Result<Response, PageError> {
    let resource = resources::show(&at, &id)?;
    page(&form_page(&at, ResourceForm::of(&resource), Faults::default(), Some(&resource)))
}

/// `POST /resources/{id}`
async fn change(
    at: OperatorPage,
    Path(id): Path<String>,
    Typed(mut form): Typed<ResourceForm>,
) -> Result<Response, PageError> {
    let resource = resources::show(&at, &id)?;
    let seen = form.seen.clone();
    let as_seen = move |now: &Resource| is_as_seen(&seen, &ResourceForm::of(now).seen);
    match resources::change_if(&at, id.clone(), form.patch(), as_seen).await {
        Ok(resource) => Ok(at.done(&path(&resource.id), "The changes were saved.")),
        Err(AdminError::ChangedMeanwhile) => {
            let now = resources::show(&at, &id)?;
            let faults = form.changed_since(&now);
            form_again(&form_page(&at, form, faults, Some(&now)))
        }
        Err(error) => {
            let faults = Faults::from_refusal(error, field_of)?;
            form_again(&form_page(&at, form, faults, Some(&resource)))
        }
    }
}

/// `GET /resources/{id}/remove`
async fn show_remove(at: OperatorPage, Path(id): Path<String>) -> Result<Response, PageError> {
    let resource = resources::show(&at, &id)?;
    page(&remove_page(&at, &resource, String::new()))
}

/// `POST /resources/{id}/remove`: only if its identifier was typed.
async fn remove(
    at: OperatorPage,
    Path(id): Path<String>,
    Typed(form): Typed<Confirmed>,
) -> Result<Response, PageError> {
    let resource = resources::show(&at, &id)?;
    if form.confirm.trim() != resource.identifier {
        return form_again(&remove_page(&at, &resource, form.confirm).not_confirmed());
    }
    resources::remove(&at, id).await?;
    Ok(at.done("/resources", format!("{} was removed.", resource.name)))
}

fn remove_page(at: &OperatorPage, resource: &Resource, typed: String) -> RemovePage {
    RemovePage {
        title: format!("Remove {}", resource.name),
        text: "No more tokens are issued for this MCP server. Those that were issued are no longer \
            active; if the server only verifies tokens, it accepts them until they expire. This cannot be taken back.",
        label: "Identifier",
        expected: resource.identifier.clone(),
        typed,
        path: path(&resource.id),
        faults: Faults::default(),
        frame: at.frame(Place::Resources),
    }
}

/// `POST /resources/{id}/credentials`: answers with the secret, which no later page shows. The same form sent twice
/// adds one only.
async fn add_credential(
    at: OperatorPage,
    Path(id): Path<String>,
    Typed(form): Typed<CredentialForm>,
) -> Result<Response, PageError> {
    let as_seen = move |now: &[ResourceCredential]| form.seen.is_none_or(|seen| seen == ids_of(now));
    match resource_credentials::create_if(&at, id.clone(), as_seen).await {
        Ok((made, secret)) => page(&CredentialPage {
            frame: at.frame(Place::Resources),
            path: path(&id),
            client_id: made.client_id,
            secret,
            introspection_endpoint: format!("{}/oauth2/introspect", at.app.config.issuer),
        }),
        Err(error @ (AdminError::TooManyCredentials | AdminError::ChangedMeanwhile)) => {
            let resource = resources::show(&at, &id)?;
            let why = match error {
                AdminError::ChangedMeanwhile => SENT_TWICE.to_owned(),
                full => full.to_string(),
            };
            let faults = Faults::of("credentials", why);
            form_again(&form_page(&at, ResourceForm::of(&resource), faults, Some(&resource)))
        }
        Err(error) => Err(error.into()),
    }
}

/// The fault of a form for more credentials that is older than what there is.
const SENT_TWICE: &str = "The resource has other credentials by now: somebody added or removed some, or the form was \
    sent twice. A secret is shown once, in the first answer. If you did not see yours, remove those and add others.";

/// `POST /resources/{id}/credentials/{client_id}/remove`
async fn remove_credential(
    at: OperatorPage,
    Path((id, client_id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let back = path(&id);
    resource_credentials::remove(&at, id, client_id).await?;
    Ok(at.done(&back, "The credentials were removed. A server that still uses them gets no more answers."))
}

fn form_page(
    at: &OperatorPage,
    form: ResourceForm,
    faults: Faults,
    resource: Option<&Resource>,
) -> ResourcePage {
    let resource = resource.map(|resource| ResourceDetail::of(at, resource));
    ResourcePage { frame: at.frame(Place::Resources), form, faults, resource }
}
