//! Enterprise: the identity providers of a teamspace, their set-up and upkeep.

mod card;
mod drawing;
mod drawings;
mod editor;
mod form;
mod guide;
mod remove;
mod trust;
mod values;

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use super::answer::{PageError, form_again, page};
use super::form::Typed;
use super::page::{Frame, InTeamspacePage, Place};
use super::reason_words::{ReasonWords, reason_words};
use super::words;
use crate::admin::identity_provider::{self, ProviderPatch, SeenProvider, Which};
use crate::admin::provider_status::{self, LastChecks, ProviderStatus};
use crate::admin::{AdminError, Validation, trust_history};
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::model::identity_provider::{IdentityProvider, Provider};
use crate::model::teamspace::Plan;
use crate::model::trust::TrustChange;
use crate::policy::ConsoleAction;
pub(super) use card::Badge;
use card::{CheckRow, KINDS, KindWords, kind_words};
use editor::Editor;
use form::{ProviderForm, changes_since};
use trust::{Differing, SHOWN, TrustRow};
use values::Values;

/// The pages of this tab.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/t/{slug}/enterprise", get(show).post(add))
        .route("/t/{slug}/enterprise/guide/{kind}", get(guide::show))
        .route("/t/{slug}/enterprise/{id}", post(save))
        .route("/t/{slug}/enterprise/{id}/test", post(test))
        .route("/t/{slug}/enterprise/{id}/confirm", post(confirm))
        .route("/t/{slug}/enterprise/{id}/disable", post(disable))
        .route("/t/{slug}/enterprise/{id}/enable", post(enable))
        .route("/t/{slug}/enterprise/{id}/remove", get(remove::ask).post(remove::remove))
}

#[derive(Template)]
#[template(path = "enterprise.html")]
struct EnterprisePage {
    frame: Frame,
    here: String,
    activity: String,
    /// The state of all its identity providers together.
    state: Badge,
    /// Whether the teamspace's plan has it.
    in_plan: bool,
    tabs: Vec<Tab>,
    words: KindWords,
    cards: Vec<Card>,
    editor: Option<Editor>,
    values: Values,
    /// The path of the page of set-up links.
    links: String,
    /// The path of the page of SCIM tokens.
    scim: String,
}

/// A kind of provider, with the state of the existing ones.
struct Tab {
    words: KindWords,
    badge: Badge,
    is_current: bool,
}

/// A provider as it is.
struct Card {
    provider: Arc<IdentityProvider>,
    badge: Badge,
    last_assertion: String,
    /// The reason for the last refusal, if it affects everyone.
    why: Option<ReasonWords>,
    checked: String,
    checks: Vec<CheckRow>,
    has_failure: bool,
    is_edited: bool,
    claims: String,
    differing: Option<Differing>,
    /// The newest changes of the trust in it.
    history: Vec<TrustRow>,
}

/// What is known of the teamspace's providers.
struct KnownProviders {
    statuses: Vec<ProviderStatus>,
    /// The newest changes of the trust in each, by its id.
    changes: HashMap<String, Vec<TrustChange>>,
}

async fn newest(at: &InTeamspacePage) -> Result<HashMap<String, Vec<TrustChange>>, AdminError> {
    trust_history::newest(at, SHOWN).await
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct EditorQuery {
    kind: String,
    /// The id of a provider to change, or `new`.
    edit: String,
}

/// `GET /t/{slug}/enterprise`
async fn show(at: InTeamspacePage, Query(asked): Query<EditorQuery>) -> Result<Response, PageError> {
    let statuses = provider_status::list(&at).await?;
    let chosen = statuses.iter().find(|status| status.provider.id == asked.edit);
    let first = statuses.first().map_or(Provider::Okta, |status| status.provider.provider);
    let kind = match chosen {
        Some(status) => status.provider.provider,
        None => asked.kind.parse().unwrap_or(first),
    };
    let editor = match (chosen, asked.edit.as_str()) {
        (Some(status), _) => {
            Some(Editor::new(Some(status.provider.id.clone()), ProviderForm::of(&status.provider)))
        }
        (None, "new") => Some(Editor::new(None, ProviderForm::new(kind))),
        (None, _) => None,
    };
    page(&EnterprisePage::new(&at, &KnownProviders { statuses, changes: newest(&at).await? }, kind, editor))
}

/// `POST /t/{slug}/enterprise`: a new provider.
async fn add(at: InTeamspacePage, Typed(form): Typed<ProviderForm>) -> Result<Response, PageError> {
    at.may(ConsoleAction::ChangeEnterprise)?;
    if !is_in_plan(&at) {
        return Ok(not_in_plan(&at));
    }
    let saved = match form.new_provider() {
        Ok(new) => identity_provider::add(&at, new).await,
        Err(faults) => return again(&at, Editor { faults, ..Editor::new(None, form) }).await,
    };
    match saved {
        Ok((saved, validation)) => {
            Ok(at.done(&path_of(&at, &saved), saved_notice(&saved, validation.as_ref())))
        }
        Err(AdminError::IssuerTwice | AdminError::ProviderNameTaken) if twin(&at, &form).is_some() => {
            let path = twin(&at, &form).map(|twin| path_of(&at, &twin)).unwrap_or_default();
            Ok(at.done(&path, "It is saved already."))
        }
        Err(error) => again(&at, Editor::new(None, form).refused(error)?).await,
    }
}

/// `POST /t/{slug}/enterprise/{id}`
async fn save(
    at: InTeamspacePage,
    Path((_, id)): Path<(String, String)>,
    Typed(form): Typed<ProviderForm>,
) -> Result<Response, PageError> {
    at.may(ConsoleAction::ChangeEnterprise)?;
    if !is_in_plan(&at) {
        return Ok(not_in_plan(&at));
    }
    let editor = |form| Editor::new(Some(id.clone()), form);
    let seen = form.seen().ok_or_else(|| PageError::Form("it lacks a field".to_owned()))?;
    let saved = match form.patch() {
        Ok(patch) => identity_provider::change_seen(&at, id.clone(), (patch, seen.clone())).await,
        Err(faults) => return again(&at, Editor { faults, ..editor(form) }).await,
    };
    match saved {
        Ok((saved, validation)) => {
            Ok(at.done(&path_of(&at, &saved), saved_notice(&saved, validation.as_ref())))
        }
        Err(AdminError::ChangedMeanwhile) => stale(&at, editor(form), &seen).await,
        Err(error) => again(&at, editor(form).refused(error)?).await,
    }
}

/// `POST /t/{slug}/enterprise/{id}/test`
async fn test(at: InTeamspacePage, Path((_, id)): Path<(String, String)>) -> Result<Response, PageError> {
    let validation = identity_provider::check(&at, &Which::Id(id.clone())).await?;
    let provider = Which::Id(id).configured(at.teamspace_config())?.clone();
    let notice = match validation.is_ok() {
        true => format!("{} was checked: people can sign in with it.", provider.name),
        false => format!("{} was checked: something is wrong, as shown below.", provider.name),
    };
    Ok(at.done(&path_of(&at, &provider), notice))
}

/// The address of the keys that a visitor has seen.
#[derive(Deserialize, Default)]
#[serde(default)]
struct ConfirmForm {
    jwks_uri: String,
}

/// `POST /t/{slug}/enterprise/{id}/confirm`
async fn confirm(
    at: InTeamspacePage,
    Path((_, id)): Path<(String, String)>,
    Typed(form): Typed<ConfirmForm>,
) -> Result<Response, PageError> {
    at.may(ConsoleAction::ChangeEnterprise)?;
    if !is_in_plan(&at) {
        return Ok(not_in_plan(&at));
    }
    let which = Which::Id(id.clone());
    let provider = which.configured(at.teamspace_config())?.clone();
    match identity_provider::confirm_jwks_uri(&at, which, form.jwks_uri).await {
        Ok((provider, _)) => {
            let notice = format!("The keys of {} come from the new address.", provider.name);
            Ok(at.done(&path_of(&at, &provider), notice))
        }
        Err(error @ AdminError::JwksUriDiffers) => Ok(at.done(&path_of(&at, &provider), error.to_string())),
        Err(error) => again(&at, Editor::new(Some(id), ProviderForm::of(&provider)).refused(error)?).await,
    }
}

/// `POST /t/{slug}/enterprise/{id}/disable`
async fn disable(at: InTeamspacePage, Path((_, id)): Path<(String, String)>) -> Result<Response, PageError> {
    let patch = ProviderPatch { enabled: Some(false), ..ProviderPatch::default() };
    let (provider, _) = identity_provider::change(&at, Which::Id(id), patch).await?;
    Ok(at.done(&path_of(&at, &provider), format!("{} is disabled: nobody signs in with it.", provider.name)))
}

/// `POST /t/{slug}/enterprise/{id}/enable`. A provider is checked before it is switched on.
async fn enable(at: InTeamspacePage, Path((_, id)): Path<(String, String)>) -> Result<Response, PageError> {
    at.may(ConsoleAction::ChangeEnterprise)?;
    if !is_in_plan(&at) {
        return Ok(not_in_plan(&at));
    }
    let patch = ProviderPatch { enabled: Some(true), ..ProviderPatch::default() };
    let which = Which::Id(id.clone());
    let provider = which.configured(at.teamspace_config())?.clone();
    match identity_provider::change(&at, which, patch).await {
        Ok((provider, _)) => Ok(at.done(&path_of(&at, &provider), format!("{} is enabled.", provider.name))),
        Err(error) => again(&at, Editor::new(Some(id), ProviderForm::of(&provider)).refused(error)?).await,
    }
}

/// The page again, with a form that has mistakes.
async fn again(at: &InTeamspacePage, editor: Editor) -> Result<Response, PageError> {
    let statuses = provider_status::list(at).await?;
    let kind = editor.form.kind();
    form_again(&EnterprisePage::new(
        at,
        &KnownProviders { statuses, changes: newest(at).await? },
        kind,
        Some(editor),
    ))
}

/// The page again for a form that is out of date: it says what changed, keeps the input, and saves it when sent again.
async fn stale(at: &InTeamspacePage, editor: Editor, seen: &SeenProvider) -> Result<Response, PageError> {
    let snapshot = at.app.snapshot();
    let config =
        snapshot.teamspace_config_by_id(&at.teamspace_config().teamspace.id).ok_or(PageError::NotFound)?;
    let id = editor.id.clone().unwrap_or_default();
    let now = Which::Id(id).configured(config)?;
    let fresh = ProviderForm::of(now);
    let changes = changes_since(seen, &SeenProvider::from(now));
    let form = ProviderForm { seen: fresh.seen, kind: fresh.kind, ..editor.form };
    again(at, Editor { form, changes, ..editor }).await
}

/// Whether the teamspace's plan has identity providers.
fn is_in_plan(at: &InTeamspacePage) -> bool {
    at.teamspace_config().teamspace.plan == Plan::Enterprise
}

/// The answer to a form that is older than the plan: a page without it.
fn not_in_plan(at: &InTeamspacePage) -> Response {
    at.done(&at.path("/enterprise"), "Nothing was saved: this teamspace is not on the enterprise plan.")
}

/// A saved provider with exactly these values: the form was sent twice.
fn twin(at: &InTeamspacePage, form: &ProviderForm) -> Option<Arc<IdentityProvider>> {
    let snapshot = at.app.snapshot();
    let config = snapshot.teamspace_config_by_id(&at.teamspace_config().teamspace.id)?;
    config.identity_providers.iter().find(|provider| form.is_saved_as(provider)).cloned()
}

/// The page of a provider.
fn path_of(at: &InTeamspacePage, provider: &IdentityProvider) -> String {
    at.path(&format!("/enterprise?kind={}", provider.provider.as_str()))
}

fn saved_notice(provider: &IdentityProvider, validation: Option<&Validation>) -> String {
    let name = &provider.name;
    match validation {
        Some(validation) if validation.has_warning() => format!("{name} is saved. One check has a remark."),
        Some(_) => format!("{name} is saved. Every check passed."),
        None => format!("{name} is saved."),
    }
}

impl EnterprisePage {
    fn new(
        at: &InTeamspacePage,
        KnownProviders { statuses, changes }: &KnownProviders,
        kind: Provider,
        editor: Option<Editor>,
    ) -> Self {
        let of = |kind| statuses.iter().filter(move |status| status.provider.provider == kind);
        let tab =
            |tab| Tab { words: kind_words(tab), badge: Badge::of_all(of(tab)), is_current: tab == kind };
        let edited = editor.as_ref().and_then(|editor| editor.id.as_deref());
        let (frame, now) = (at.frame(Place::Enterprise), at.app.clock.now());
        Self {
            here: format!("{}{}", frame.base, at.path("/enterprise")),
            activity: format!("{}{}", frame.base, at.path("/activity")),
            frame,
            state: Badge::of_all(statuses.iter()),
            in_plan: is_in_plan(at),
            tabs: KINDS.into_iter().map(tab).collect(),
            words: kind_words(kind),
            cards: of(kind).map(|status| Card::new(status, changes, edited, now)).collect(),
            editor,
            values: Values::of(at),
            links: at.path("/setup-links"),
            scim: at.path("/scim-tokens"),
        }
    }
}

impl Card {
    fn new(
        status: &ProviderStatus,
        changes: &HashMap<String, Vec<TrustChange>>,
        edited: Option<&str>,
        now: UnixSeconds,
    ) -> Self {
        let changes = changes.get(&status.provider.id).into_iter().flatten();
        let (last, checks) = (status.last_assertion.as_ref(), status.last_checks.as_ref());
        let steps = checks.map(|checks| checks.steps.as_slice()).unwrap_or_default();
        Self {
            badge: Badge::of(status),
            last_assertion: last.map_or_else(|| "never".to_owned(), |last| words::ago(last.at, now)),
            why: status.refusal().map(|about| reason_words(about.reason)),
            checked: checks.map_or_else(String::new, |checks| words::ago(checks.at, now)),
            checks: steps.iter().map(CheckRow::from).collect(),
            has_failure: checks.is_some_and(LastChecks::has_failure),
            is_edited: edited == Some(status.provider.id.as_str()),
            claims: form::written(&status.provider.custom_claims),
            differing: status.metadata_differs.as_ref().map(|it| Differing::of(it, &status.provider, now)),
            history: changes.map(|change| TrustRow::of(change, now)).collect(),
            provider: Arc::clone(&status.provider),
        }
    }
}
