//! The page: pick a person, a client and a resource, and take an ID-JAG.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::super::identity_provider::{DemoPerson, no_store};
use super::take::{IdJagForm, TakeError};
use super::{DevIdpParts, commands};

#[derive(Template)]
#[template(path = "dev_idp.html")]
struct DevIdpPage<'a> {
    parts: &'a DevIdpParts,
    people: Vec<ListedPerson>,
    form: IdJagForm,
    taken: Option<Taken>,
    error: Option<TakeError>,
    private_origin: &'a str,
}

/// A row of the list of people.
struct ListedPerson {
    person: DemoPerson,
    is_assigned: bool,
}

/// An ID-JAG, its claims, and the commands that do the same.
struct Taken {
    token: String,
    claims: String,
    take: String,
    exchange: String,
}

/// `GET /`
pub async fn show(State(parts): State<Arc<DevIdpParts>>) -> Response {
    let form = IdJagForm {
        client: parts.first_client(),
        resource: parts.people.resources.first().cloned().unwrap_or_default(),
        ..IdJagForm::default()
    };
    render(&parts, form, None, None)
}

/// `POST /`
pub async fn take(
    State(parts): State<Arc<DevIdpParts>>,
    form: Result<Form<IdJagForm>, FormRejection>,
) -> Response {
    let form = match parts.form(form) {
        Ok(form) => form,
        Err(error) => return render(&parts, IdJagForm::default(), None, Some(error)),
    };
    match form.take(&parts.idp, &parts.audience) {
        Ok(token) => {
            let taken = Taken {
                claims: claims(&token),
                token,
                take: commands::take(&parts.origin, parts.ca_file.as_deref(), &form),
                exchange: commands::exchange(&parts.audience, &form.client),
            };
            render(&parts, form, Some(taken), None)
        }
        Err(error) => render(&parts, form, None, Some(error)),
    }
}

fn render(parts: &DevIdpParts, form: IdJagForm, taken: Option<Taken>, error: Option<TakeError>) -> Response {
    let status = error.as_ref().map_or(StatusCode::OK, TakeError::status);
    let people = parts.idp.people().into_iter().map(|person| ListedPerson {
        is_assigned: parts.idp.is_assigned(&person.name, &parts.audience),
        person,
    });
    let page =
        DevIdpPage { people: people.collect(), private_origin: &parts.origin, parts, form, taken, error };
    match page.render() {
        Ok(page) => (status, no_store(), Html(page)).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "The page cannot be made.\n").into_response(),
    }
}

/// The payload of a token, to be read.
fn claims(token: &str) -> String {
    let payload = token.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    let claims = payload.and_then(|payload| serde_json::from_slice::<Value>(&payload).ok());
    claims.map(|claims| format!("{claims:#}")).unwrap_or_default()
}
