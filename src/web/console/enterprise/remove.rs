//! Removing a provider, after a question.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;

use super::super::answer::{PageError, page};
use super::super::page::{Frame, InTeamspacePage, Place};
use super::card::kind_words;
use crate::admin::AdminError;
use crate::admin::identity_provider::{self, Which};
use crate::model::identity_provider::IdentityProvider;
use crate::policy::ConsoleAction;

#[derive(Template)]
#[template(path = "enterprise_remove.html")]
struct RemoveProviderPage {
    frame: Frame,
    here: String,
    provider: IdentityProvider,
    tab: &'static str,
}

/// `GET /t/{slug}/enterprise/{id}/remove`
pub async fn ask(at: InTeamspacePage, Path((_, id)): Path<(String, String)>) -> Result<Response, PageError> {
    at.may(ConsoleAction::ChangeEnterprise)?;
    let provider = Which::Id(id).configured(at.teamspace_config())?.clone();
    let tab = kind_words(provider.provider).tab;
    let frame = at.frame(Place::Enterprise);
    let here = format!("{}{}", frame.base, at.path("/enterprise"));
    page(&RemoveProviderPage { frame, here, provider, tab })
}

/// `POST /t/{slug}/enterprise/{id}/remove`. A second press finds it gone, as intended.
pub async fn remove(
    at: InTeamspacePage,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    match identity_provider::remove(&at, Which::Id(id)).await {
        Ok(()) | Err(AdminError::NotFound) => {
            Ok(at.done(&at.path("/enterprise"), "The identity provider is removed."))
        }
        Err(error) => Err(error.into()),
    }
}
