//! Teamspaces: listing, adding, changing and deleting them.

mod fields;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::answer::{PageError, form_again, page};
use super::enterprise::Badge;
use super::form::{Faults, Typed};
use super::page::{Frame, InTeamspacePage, OperatorPage, Place, Viewer};
use super::seen::is_as_seen;
use super::words;
use crate::admin::teamspace_list::{self, Listed};
use crate::admin::{AdminError, teamspaces};
use crate::app::App;
use crate::model::teamspace::Teamspace;
use crate::policy::ConsoleAction;
use fields::{TeamspaceForm, faults_of};

/// Teamspaces on one page.
const PAGE: usize = 25;

#[derive(Template)]
#[template(path = "teamspaces.html")]
struct TeamspacesPage {
    frame: Frame,
    /// The beginning of the slugs to list.
    prefix: String,
    items: Vec<ListedTeamspace>,
    /// The slug after which the next page begins.
    next: Option<String>,
    /// Whether the page is the first one.
    is_first: bool,
}

/// A teamspace as the list shows it.
struct ListedTeamspace {
    slug: String,
    name: String,
    plan: &'static str,
    badge: Badge,
    seats: String,
    last_sign_in: String,
}

#[derive(Template)]
#[template(path = "teamspace_form.html")]
struct TeamspacePage {
    frame: Frame,
    form: TeamspaceForm,
    faults: Faults,
    /// Whether it is about one that exists.
    exists: bool,
}

#[derive(Template)]
#[template(path = "teamspace_delete.html")]
struct DeletePage {
    frame: Frame,
    slug: String,
    typed: String,
    faults: Faults,
}

/// Which part of the list is asked for.
#[derive(Deserialize)]
pub struct TeamspaceListQuery {
    #[serde(default)]
    q: String,
    after: Option<String>,
}

#[derive(Deserialize)]
pub struct DeleteForm {
    #[serde(default)]
    confirm: String,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/teamspaces", get(list).post(create))
        .route("/teamspaces/new", get(show_new))
        .route("/t/{slug}/settings", get(show).post(change))
        .route("/t/{slug}/delete", get(show_delete).post(delete))
}

/// `GET /teamspaces`: by slug; an operator sees all, others only their own.
async fn list(viewer: Viewer, Query(query): Query<TeamspaceListQuery>) -> Result<Response, PageError> {
    let prefix = query.q.trim().to_ascii_lowercase();
    let found = teamspace_list::page(&viewer, &prefix, query.after.as_deref(), PAGE).await?;
    let now = viewer.app.clock.now();
    let items = found.items.into_iter().map(|listed| row(listed, now)).collect();
    page(&TeamspacesPage {
        frame: viewer.frame(Place::Teamspaces),
        prefix,
        items,
        next: found.next_cursor,
        is_first: query.after.is_none(),
    })
}

fn row(listed: Listed, now: i64) -> ListedTeamspace {
    let Listed { teamspace, state, seats_used, last_sign_in_at } = listed;
    ListedTeamspace {
        plan: words::plan(teamspace.plan),
        badge: Badge(state),
        seats: match teamspace.member_limit {
            Some(limit) => format!("{seats_used} of {limit}"),
            None => format!("{seats_used}, no limit"),
        },
        last_sign_in: last_sign_in_at.map_or_else(|| "never".to_owned(), |at| words::ago(at, now)),
        slug: teamspace.slug,
        name: teamspace.name,
    }
}

/// `GET /teamspaces/new`
async fn show_new(at: OperatorPage) -> Result<Response, PageError> {
    let form = TeamspaceForm::blank();
    let frame = at.frame(Place::Teamspaces);
    page(&TeamspacePage { frame, form, faults: Faults::default(), exists: false })
}

/// `POST /teamspaces`
async fn create(at: OperatorPage, Typed(form): Typed<TeamspaceForm>) -> Result<Response, PageError> {
    let created = match form.new_teamspace() {
        Ok(new) => teamspaces::create(&at, new).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(teamspace) => Ok(at.done("/teamspaces", format!("{} was added.", teamspace.name))),
        Err(AdminError::SlugTaken | AdminError::DomainTaken(_) | AdminError::TakenMeanwhile)
            if is_added(&at, &form) =>
        {
            Ok(at.done("/teamspaces", format!("{} is added already.", form.name.trim())))
        }
        Err(error) => {
            let faults = faults_of(error)?;
            let frame = at.frame(Place::Teamspaces);
            form_again(&TeamspacePage { frame, form, faults, exists: false })
        }
    }
}

/// Whether a teamspace has exactly these values: then the form was sent twice.
fn is_added(at: &OperatorPage, form: &TeamspaceForm) -> bool {
    let snapshot = at.app.snapshot();
    snapshot.teamspace_config(form.slug.trim()).is_some_and(|there| form.is_added_as(&there.teamspace))
}

/// `GET /t/{slug}/settings`
async fn show(at: InTeamspacePage) -> Result<Response, PageError> {
    at.may_everywhere(ConsoleAction::ManageTeamspaces)?;
    let form = TeamspaceForm::of(&at.teamspace_config().teamspace);
    let frame = at.frame(Place::Elsewhere);
    page(&TeamspacePage { frame, form, faults: Faults::default(), exists: true })
}

/// `POST /t/{slug}/settings`
async fn change(at: InTeamspacePage, Typed(mut form): Typed<TeamspaceForm>) -> Result<Response, PageError> {
    at.may_everywhere(ConsoleAction::ManageTeamspaces)?;
    let seen = form.seen.clone();
    let as_seen = move |now: &Teamspace| is_as_seen(&seen, &TeamspaceForm::of(now).seen);
    let changed = match form.patch() {
        Ok(patch) => teamspaces::change_if(&at, patch, form.force(), as_seen).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(teamspace) => Ok(at.done(&format!("/t/{}/settings", teamspace.slug), "The changes were saved.")),
        Err(AdminError::ChangedMeanwhile) => {
            let snapshot = at.app.snapshot();
            let now = snapshot.teamspace_config_by_id(&at.teamspace_config().teamspace.id);
            let faults = form.changed_since(&now.ok_or(PageError::NotFound)?.teamspace);
            shown_again(&at, form, faults)
        }
        Err(error) => {
            let faults = faults_of(error)?;
            shown_again(&at, form, faults)
        }
    }
}

fn shown_again(at: &InTeamspacePage, form: TeamspaceForm, faults: Faults) -> Result<Response, PageError> {
    form_again(&TeamspacePage { frame: at.frame(Place::Elsewhere), form, faults, exists: true })
}

/// `GET /t/{slug}/delete`
async fn show_delete(at: InTeamspacePage) -> Result<Response, PageError> {
    at.may_everywhere(ConsoleAction::ManageTeamspaces)?;
    page(&delete_page(&at, String::new(), Faults::default()))
}

/// `POST /t/{slug}/delete`: only if the slug was typed.
async fn delete(at: InTeamspacePage, Typed(form): Typed<DeleteForm>) -> Result<Response, PageError> {
    at.may_everywhere(ConsoleAction::ManageTeamspaces)?;
    let teamspace = at.teamspace_config().teamspace.clone();
    if form.confirm.trim() != teamspace.slug {
        let why = format!("Type {} to delete this teamspace.", teamspace.slug);
        return form_again(&delete_page(&at, form.confirm, Faults::of("confirm", why)));
    }
    teamspaces::remove(&at).await?;
    Ok(at.done("/teamspaces", format!("{} was deleted.", teamspace.name)))
}

fn delete_page(at: &InTeamspacePage, typed: String, faults: Faults) -> DeletePage {
    let slug = at.teamspace_config().teamspace.slug.clone();
    DeletePage { frame: at.frame(Place::Elsewhere), slug, typed, faults }
}
