//! Clients of the token endpoint: listing, registering, changing and removing them, and their secrets, which are shown
//! once.

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
use crate::admin::AdminError;
use crate::admin::clients::{self, ClientPatch, NewSecret};
use crate::app::App;
use crate::model::client::{MAX_SECRETS, RegisteredClient};
use fields::{ClientForm, field_of, method_word};

/// Clients on one page.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "clients.html")]
struct ClientsPage {
    frame: Frame,
    items: Vec<ListedClient>,
    first_page: String,
    next_page: String,
}

/// A client as the list shows it.
struct ListedClient {
    path: String,
    client_id: String,
    name: String,
    method: &'static str,
    groups: String,
    secrets: usize,
    is_enabled: bool,
    created: String,
}

#[derive(Template)]
#[template(path = "client_form.html")]
struct ClientPage {
    frame: Frame,
    form: ClientForm,
    faults: Faults,
    /// The client that the form changes; none for a new one.
    client: Option<ClientDetail>,
}

/// The parts of a client's page beside the form.
struct ClientDetail {
    path: String,
    name: String,
    client_id: String,
    is_enabled: bool,
    created: String,
    grant_types: String,
    /// Whether it proves itself with a secret.
    sends_secret: bool,
    secrets: Vec<ListedSecret>,
    /// Whether a new secret would replace the oldest one.
    is_full: bool,
    /// The id of the newest secret; empty when there is none.
    newest_secret: String,
}

/// A secret as it is shown: without itself.
struct ListedSecret {
    id: String,
    created: String,
    age: String,
}

#[derive(Template)]
#[template(path = "client_secret.html")]
struct SecretPage {
    frame: Frame,
    path: String,
    client_id: String,
    secret: String,
    token_endpoint: String,
    /// Whether the client was registered just now.
    is_new: bool,
}

/// Goes with the button for another secret.
#[derive(Deserialize)]
struct SecretForm {
    /// The newest secret that the page showed; empty when there was none.
    newest: String,
}

/// Which part of the list is asked for.
#[derive(Deserialize)]
struct ClientListQuery {
    #[serde(default)]
    after: String,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/clients", get(list).post(create))
        .route("/clients/new", get(show_new))
        .route("/clients/{id}", get(show).post(change))
        .route("/clients/{id}/enable", post(enable))
        .route("/clients/{id}/disable", post(disable))
        .route("/clients/{id}/remove", get(show_remove).post(remove))
        .route("/clients/{id}/secrets", post(add_secret))
        .route("/clients/{id}/secrets/{secret}/remove", post(remove_secret))
}

/// `GET /clients`
async fn list(at: OperatorPage, Query(query): Query<ClientListQuery>) -> Result<Response, PageError> {
    let (found, has_more) = clients::page(&at, &query.after, PAGE)?;
    let frame = at.frame(Place::Clients);
    let list = format!("{}/clients", frame.base);
    let next = found.last().filter(|_| has_more).map(|client| encoded(&client.client_id));
    page(&ClientsPage {
        items: found.iter().map(|client| row(client)).collect(),
        first_page: if query.after.is_empty() { String::new() } else { list.clone() },
        next_page: next.map(|after| format!("{list}?after={after}")).unwrap_or_default(),
        frame,
    })
}

fn row(client: &RegisteredClient) -> ListedClient {
    ListedClient {
        path: path(&client.client_id),
        client_id: client.client_id.clone(),
        name: client.client_name.clone(),
        method: method_word(client.token_endpoint_auth_method),
        groups: client.groups.join(", "),
        secrets: client.secrets.len(),
        is_enabled: client.enabled,
        created: date(client.created_at),
    }
}

/// The path of a client's page. An id may contain any printable character.
fn path(client_id: &str) -> String {
    format!("/clients/{}", encoded(client_id))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// `GET /clients/new`
async fn show_new(at: OperatorPage) -> Result<Response, PageError> {
    page(&form_page(&at, ClientForm::blank()?, Faults::default(), None))
}

/// `POST /clients`: answers with the secret, which no later page shows.
async fn create(at: OperatorPage, Typed(form): Typed<ClientForm>) -> Result<Response, PageError> {
    match clients::create(&at, form.new_client()).await {
        Ok((client, Some(secret))) => page(&secret_page(&at, client.client_id, secret, true)),
        Ok((client, None)) => {
            let method = client.token_endpoint_auth_method;
            let notice = if method.has_keys() { ADDED_WITH_KEYS } else { ADDED_WITHOUT_CREDENTIALS };
            Ok(at.done(&path(&client.client_id), notice))
        }
        Err(AdminError::ClientIdTaken) if twin(&at, &form).is_some() => {
            let Some(twin) = twin(&at, &form) else { return Err(AdminError::ClientIdTaken.into()) };
            let has_secret = twin.token_endpoint_auth_method.sends_secret();
            let notice = if has_secret { SENT_TWICE } else { SENT_TWICE_WITHOUT_SECRET };
            Ok(at.done(&path(&twin.client_id), notice))
        }
        Err(error) => {
            let faults = Faults::from_refusal(error, field_of)?;
            form_again(&form_page(&at, form, faults, None))
        }
    }
}

/// The notice for a form that registers a client and was sent twice.
const SENT_TWICE: &str = "The client is registered already: the form was sent twice. Its secret was in the first answer. \
    If you did not see it, add another one below.";

/// A client that has no secret to show.
const ADDED_WITH_KEYS: &str = "The client was added. It signs its assertions with its own key.";
const ADDED_WITHOUT_CREDENTIALS: &str = "The client was added. It has no credentials.";

/// The same for one without a secret.
const SENT_TWICE_WITHOUT_SECRET: &str = "The client is registered already: the form was sent twice.";

/// A registered client with exactly these values: the form was sent twice.
fn twin(at: &OperatorPage, form: &ClientForm) -> Option<Arc<RegisteredClient>> {
    at.app.snapshot().client(&form.id()?).filter(|client| form.is_registered_as(client)).cloned()
}

/// `GET /clients/{id}`
async fn show(at: OperatorPage, Path(id): Path<String>) -> Result<Response, PageError> {
    let client = clients::show(&at, &id)?;
    page(&form_page(&at, ClientForm::of(&client), Faults::default(), Some(&client)))
}

/// `POST /clients/{id}`
async fn change(
    at: OperatorPage,
    Path(id): Path<String>,
    Typed(mut form): Typed<ClientForm>,
) -> Result<Response, PageError> {
    let client = clients::show(&at, &id)?;
    let seen = form.seen.clone();
    let as_seen = move |now: &RegisteredClient| is_as_seen(&seen, &ClientForm::of(now).seen);
    match clients::change_if(&at, id.clone(), form.patch(), as_seen).await {
        Ok(client) => Ok(at.done(&path(&client.client_id), "The changes were saved.")),
        Err(AdminError::ChangedMeanwhile) => {
            let now = clients::show(&at, &id)?;
            let faults = form.changed_since(&now);
            form_again(&form_page(&at, form, faults, Some(&now)))
        }
        Err(error) => {
            let faults = Faults::from_refusal(error, field_of)?;
            form_again(&form_page(&at, form, faults, Some(&client)))
        }
    }
}

/// `POST /clients/{id}/enable`
async fn enable(at: OperatorPage, Path(id): Path<String>) -> Result<Response, PageError> {
    switch(&at, id, true).await
}

/// `POST /clients/{id}/disable`
async fn disable(at: OperatorPage, Path(id): Path<String>) -> Result<Response, PageError> {
    switch(&at, id, false).await
}

async fn switch(at: &OperatorPage, id: String, enabled: bool) -> Result<Response, PageError> {
    let patch = ClientPatch { enabled: Some(enabled), ..ClientPatch::default() };
    let client = clients::change(at, id, patch).await?;
    let word = if enabled { "can get tokens again" } else { "gets no more tokens" };
    Ok(at.done(&path(&client.client_id), format!("{} {word}.", client.client_name)))
}

/// `GET /clients/{id}/remove`
async fn show_remove(at: OperatorPage, Path(id): Path<String>) -> Result<Response, PageError> {
    let client = clients::show(&at, &id)?;
    page(&remove_page(&at, &client, String::new()))
}

/// `POST /clients/{id}/remove`: only if its id was typed.
async fn remove(
    at: OperatorPage,
    Path(id): Path<String>,
    Typed(form): Typed<Confirmed>,
) -> Result<Response, PageError> {
    let client = clients::show(&at, &id)?;
    if form.confirm.trim() != client.client_id {
        return form_again(&remove_page(&at, &client, form.confirm).not_confirmed());
    }
    clients::remove(&at, id).await?;
    Ok(at.done("/clients", format!("{} was removed.", client.client_name)))
}

fn remove_page(at: &OperatorPage, client: &RegisteredClient, typed: String) -> RemovePage {
    RemovePage {
        title: format!("Remove {}", client.client_name),
        text: "The client gets no more tokens, and its secrets are gone. Tokens that it has are \
            no longer active; an MCP server that only verifies tokens accepts them until they expire. The decision log stays. This cannot be taken back; to stop it for a while, disable it.",
        label: "Client ID",
        expected: client.client_id.clone(),
        typed,
        path: path(&client.client_id),
        faults: Faults::default(),
        frame: at.frame(Place::Clients),
    }
}

/// `POST /clients/{id}/secrets`: answers with the secret, which no later page shows. The same form sent twice adds one
/// only: a second one would take the place of a secret that is in use.
async fn add_secret(
    at: OperatorPage,
    Path(id): Path<String>,
    Typed(form): Typed<SecretForm>,
) -> Result<Response, PageError> {
    let as_seen = move |now: &RegisteredClient| newest_secret(now) == form.newest;
    match clients::add_secret_if(&at, id.clone(), NewSecret::default(), as_seen).await {
        Ok((row, secret)) => page(&secret_page(&at, row.client_id, secret, false)),
        Err(AdminError::ChangedMeanwhile) => {
            let now = clients::show(&at, &id)?;
            let why = "The client has other secrets by now: somebody added or removed one, or the form was sent twice. \
                Look at them and add one if it is still needed.";
            form_again(&form_page(&at, ClientForm::of(&now), Faults::of("secrets", why), Some(&now)))
        }
        Err(error) => Err(error.into()),
    }
}

/// The id of a client's newest secret, or nothing.
fn newest_secret(client: &RegisteredClient) -> String {
    client.secrets.iter().map(|secret| &secret.id).max().cloned().unwrap_or_default()
}

/// `POST /clients/{id}/secrets/{secret}/remove`
async fn remove_secret(
    at: OperatorPage,
    Path((id, secret)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let back = path(&id);
    clients::remove_secret(&at, id, secret).await?;
    Ok(at.done(&back, "The secret was removed. Whoever uses it gets no more tokens."))
}

fn secret_page(at: &OperatorPage, client_id: String, secret: String, is_new: bool) -> SecretPage {
    let token_endpoint = format!("{}/oauth2/token", at.app.config.issuer);
    let (frame, path) = (at.frame(Place::Clients), path(&client_id));
    SecretPage { frame, path, client_id, secret, token_endpoint, is_new }
}

fn form_page(
    at: &OperatorPage,
    form: ClientForm,
    faults: Faults,
    client: Option<&RegisteredClient>,
) -> ClientPage {
    let now = at.app.clock.now();
    let client = client.map(|client| ClientDetail {
        path: path(&client.client_id),
        name: client.client_name.clone(),
        client_id: client.client_id.clone(),
        is_enabled: client.enabled,
        created: date(client.created_at),
        grant_types: client.grant_types.join(", "),
        sends_secret: client.token_endpoint_auth_method.sends_secret(),
        secrets: client
            .secrets
            .iter()
            .map(|secret| ListedSecret {
                id: secret.id.clone(),
                created: date(secret.created_at),
                age: ago(secret.created_at, now),
            })
            .collect(),
        is_full: client.secrets.len() >= MAX_SECRETS,
        newest_secret: newest_secret(client),
    });
    ClientPage { frame: at.frame(Place::Clients), form, faults, client }
}
