//! SCIM: the tokens by which the teamspace's identity provider adds, changes and deactivates its people.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use super::answer::{PageError, form_again, page};
use super::form::{Faults, Typed};
use super::page::{Frame, InTeamspacePage, Place};
use super::words::{ago, date_and_time};
use crate::admin::AdminError;
use crate::admin::scim_tokens::{self, NewScimToken};
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::store::scim_tokens::ScimToken;

/// How long a token may be used: what the form sends, and its words. The first is chosen at first.
const LIFETIMES: [(&str, &str); 3] = [("", "without an end"), ("365d", "1 year"), ("90d", "90 days")];

#[derive(Template)]
#[template(path = "scim_tokens.html")]
struct ScimTokensPage {
    frame: Frame,
    here: String,
    base_url: String,
    lifetimes: [(&'static str, &'static str); 3],
    form: NewTokenForm,
    faults: Faults,
    rows: Vec<ListedScimToken>,
}

struct ListedScimToken {
    id: String,
    name: String,
    created: String,
    /// Empty if it never was.
    used: String,
    until: String,
}

#[derive(Template)]
#[template(path = "scim_token_made.html")]
struct ScimTokenMadePage {
    frame: Frame,
    here: String,
    base_url: String,
    token: String,
}

#[derive(Default, Deserialize)]
struct NewTokenForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    valid_for: String,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/t/{slug}/scim-tokens", get(show).post(create))
        .route("/t/{slug}/scim-tokens/{id}/delete", post(delete))
}

/// `GET /t/{slug}/scim-tokens`
async fn show(at: InTeamspacePage) -> Result<Response, PageError> {
    page(&tokens_page(&at, NewTokenForm::default(), Faults::default()).await?)
}

async fn tokens_page(
    at: &InTeamspacePage,
    form: NewTokenForm,
    faults: Faults,
) -> Result<ScimTokensPage, PageError> {
    let tokens = scim_tokens::list(at).await?;
    let (frame, now) = (at.frame(Place::Enterprise), at.app.clock.now());
    let here = here(at, &frame);
    let base_url = scim_tokens::base_url(&at.app.config, &at.teamspace_config().teamspace.slug);
    let rows = tokens.into_iter().map(|token| row(token, now)).collect();
    Ok(ScimTokensPage { frame, here, base_url, lifetimes: LIFETIMES, form, faults, rows })
}

fn here(at: &InTeamspacePage, frame: &Frame) -> String {
    format!("{}{}", frame.base, at.path("/scim-tokens"))
}

fn row(token: ScimToken, now: UnixSeconds) -> ListedScimToken {
    ListedScimToken {
        id: token.id,
        name: token.name,
        created: ago(token.created_at, now),
        used: token.last_used_at.map_or_else(String::new, |at| ago(at, now)),
        until: token.expires_at.map_or_else(|| "no end".to_owned(), date_and_time),
    }
}

/// `POST /t/{slug}/scim-tokens`: answers with the token, which no later page shows.
async fn create(at: InTeamspacePage, Typed(form): Typed<NewTokenForm>) -> Result<Response, PageError> {
    let name = form.name.clone();
    let valid_for = Some(form.valid_for.as_str()).filter(|text| !text.is_empty()).map(str::parse).transpose();
    let made = match valid_for {
        Ok(valid_for) => scim_tokens::create(&at, NewScimToken { name, valid_for }).await,
        Err(_) => Err(AdminError::TokenLifetimeInvalid),
    };
    match made {
        Ok(made) => {
            let frame = at.frame(Place::Enterprise);
            let here = here(&at, &frame);
            page(&ScimTokenMadePage { here, frame, base_url: made.base_url, token: made.token })
        }
        Err(error) => {
            let faults = Faults::from_refusal(error, field_of)?;
            form_again(&tokens_page(&at, form, faults).await?)
        }
    }
}

/// The field that a refusal is about.
fn field_of(error: &AdminError) -> Option<&'static str> {
    match error {
        AdminError::NameInvalid | AdminError::ScimTokenNameTaken | AdminError::TooManyScimTokens => {
            Some("name")
        }
        AdminError::TokenLifetimeInvalid => Some("valid_for"),
        _ => None,
    }
}

/// `POST /t/{slug}/scim-tokens/{id}/delete`
async fn delete(at: InTeamspacePage, Path((_, id)): Path<(String, String)>) -> Result<Response, PageError> {
    scim_tokens::delete(&at, id).await?;
    Ok(at.done(&at.path("/scim-tokens"), "The token is deleted. The members stay as they are."))
}
