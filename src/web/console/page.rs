//! The visitors that a page is for, and the frame around its content. A handler's first argument says who may see it.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use axum::RequestPartsExt as _;
use axum::extract::{FromRequestParts, Path};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tower_sessions::Session;

use super::answer::{PageError, go_with_notice};
use super::kill_switch::banner;
pub use super::navigation::Place;
use super::navigation::{Link, Offered};
use super::notice::Notice;
use super::session;
use super::site::Site;
use super::words;
use crate::admin::{Admin, InTeamspace, Operator, Principal, console};
use crate::app::App;
use crate::limits::admin::Holder;
use crate::limits::places::RequestPlace;
use crate::model::console_user::ConsoleUser;
use crate::model::teamspace::Teamspace;
use crate::policy::ConsoleAction;
use crate::store::snapshot::TeamspaceConfig;
use crate::web::middleware::origin;

/// The header with which the script of a page fetches the page anew.
const REFRESH: &str = "x-refresh";

/// The frame around the content of every page.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The path that links begin with.
    pub base: String,
    pub assets: String,
    pub place: Place,
    /// Nobody on pages that need no sign-in.
    pub person: Option<Person>,
    /// The teamspace whose page it is.
    pub teamspace: Option<Heading>,
    /// The notice of what happened before.
    pub notice: Option<String>,
    /// What kill switches stop; empty while none is on that the person may know of.
    pub stopped: Vec<String>,
    /// The actions that the person may take.
    pub offered: Offered,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    pub initials: String,
    /// Whether they came with a set-up token, and nobody can sign in otherwise yet.
    pub is_setting_up: bool,
}

/// The heading above a teamspace's tabs.
#[derive(Debug, Clone)]
pub struct Heading {
    pub slug: String,
    pub name: String,
    pub plan: &'static str,
}

impl Frame {
    /// The frame of a page that needs no sign-in.
    pub fn outside(site: &Site) -> Self {
        Self {
            base: site.base.clone(),
            assets: site.assets.clone(),
            place: Place::Elsewhere,
            person: None,
            teamspace: None,
            notice: None,
            stopped: Vec::new(),
            offered: Offered::default(),
        }
    }

    /// The path of the documents.
    pub fn documents(&self) -> String {
        format!("{}/docs", self.base.strip_suffix("/console").unwrap_or_default())
    }

    /// The pages of the deployment that the person may see.
    pub fn places(&self) -> Vec<Link> {
        self.offered.places(self.place)
    }

    /// The pages of the teamspace that the person may see.
    pub fn tabs(&self) -> Vec<Link> {
        self.offered.tabs(self.place)
    }

    /// Whether identity providers may be changed.
    pub fn may_change_enterprise(&self) -> bool {
        self.offered.has(ConsoleAction::ChangeEnterprise)
    }

    /// Whether members may be changed.
    pub fn may_change_members(&self) -> bool {
        self.offered.has(ConsoleAction::ChangeMembers)
    }

    /// Whether set-up links may be made and revoked.
    pub fn may_manage_links(&self) -> bool {
        self.offered.has(ConsoleAction::ManageSetupLinks)
    }

    /// Whether teamspaces may be added, changed and deleted.
    pub fn may_manage_teamspaces(&self) -> bool {
        self.offered.has_everywhere(ConsoleAction::ManageTeamspaces)
    }

    /// Whether the page System may be seen.
    pub fn may_see_system(&self) -> bool {
        self.offered.has_everywhere(ConsoleAction::ViewSystem)
    }

    /// Whether the sign-ins of everybody may be seen.
    pub fn may_see_all_activity(&self) -> bool {
        self.offered.has_everywhere(ConsoleAction::ViewActivity)
    }
}

/// The data that every page gets besides its viewer.
pub struct Context {
    pub site: Arc<Site>,
    pub user: Arc<ConsoleUser>,
    notice: Option<String>,
    _budget: RequestPlace,
}

impl Context {
    fn frame(&self, place: Place, admin: &Admin, at: Option<&TeamspaceConfig>) -> Frame {
        let user = &self.user;
        let is_setting_up = user.is_operator() && user.email.is_empty() && !self.site.has_openid;
        let person = Person {
            name: if user.email.is_empty() { user.name.clone() } else { user.email.clone() },
            initials: initials(&user.name),
            is_setting_up,
        };
        let heading =
            |t: &Teamspace| Heading { slug: t.slug.clone(), name: t.name.clone(), plan: words::plan(t.plan) };
        let offered = Offered::to(admin, at);
        let sees_system = offered.has_everywhere(ConsoleAction::ViewSystem);
        Frame {
            place,
            person: Some(person),
            teamspace: at.map(|at| heading(&at.teamspace)),
            notice: self.notice.clone(),
            stopped: banner(admin, sees_system),
            offered,
            ..Frame::outside(&self.site)
        }
    }

    /// A redirect to a page of the console, which shows the notice.
    pub fn done(&self, path: &str, notice: impl Into<String>) -> Response {
        go_with_notice(&format!("{}{path}", self.site.base), notice)
    }
}

/// The first letters of a name's first two words.
fn initials(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.take(2).filter_map(|word| word.chars().next()).flat_map(char::to_uppercase).collect()
}

/// Anybody who is signed in.
pub struct Viewer {
    admin: Admin,
    context: Context,
}

/// A visitor who reaches the teamspace of the path's `{slug}`.
pub struct InTeamspacePage {
    at: InTeamspace,
    context: Context,
}

/// An operator.
pub struct OperatorPage {
    operator: Operator,
    context: Context,
}

impl Viewer {
    /// The data that every page gets.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The frame of a page.
    pub fn frame(&self, place: Place) -> Frame {
        self.context.frame(place, &self.admin, None)
    }
}

impl InTeamspacePage {
    /// The frame of a page of the teamspace.
    pub fn frame(&self, place: Place) -> Frame {
        self.context.frame(place, &self.at, Some(self.at.teamspace_config()))
    }

    /// The path of a page of the teamspace, to append to the base: `/members` for example, or nothing.
    pub fn path(&self, page: &str) -> String {
        format!("/t/{}{page}", self.at.teamspace_config().teamspace.slug)
    }
}

impl OperatorPage {
    /// The data that every page gets.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The frame of a page.
    pub fn frame(&self, place: Place) -> Frame {
        self.context.frame(place, &self.operator, None)
    }
}

/// Each page acts as the one that it is for.
macro_rules! page_for {
    ($page:ident, $field:ident: $who:ident) => {
        impl Deref for $page {
            type Target = $who;

            fn deref(&self) -> &$who {
                &self.$field
            }
        }
    };
}

page_for!(Viewer, admin: Admin);
page_for!(InTeamspacePage, at: InTeamspace);
page_for!(OperatorPage, operator: Operator);

/// The pages on which something is changed.
macro_rules! changes_on {
    ($($page:ident)+) => {$(
        impl $page {
            /// A redirect to a page of the console, which shows the notice.
            pub fn done(&self, path: &str, notice: impl Into<String>) -> Response {
                self.context.done(path, notice)
            }
        }
    )+};
}

changes_on!(InTeamspacePage OperatorPage);

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, PageError> {
        let site = parts.extensions.get::<Arc<Site>>().cloned().ok_or(PageError::NotFound)?;
        let session = parts.extensions.get::<Session>().ok_or(PageError::NotFound)?;
        let Some(live) = session::current(session).await? else {
            return Err(PageError::SignIn(sign_in_from(&site, parts)));
        };
        let user = console::user_of(&live)?;
        let session = &live.session;
        // A page that refreshes itself is not somebody who uses it.
        if !parts.headers.contains_key(REFRESH) {
            console::note_use(app, session).await?;
        }
        let holder = Holder { id: &session.id, digest: &session.digest, is_operator: user.is_operator() };
        let is_change = !matches!(parts.method, Method::GET | Method::HEAD);
        let budget = app.admin_budgets.enter(holder, is_change)?;
        let origin = origin(&parts.extensions);
        let admin = Admin::new(Arc::clone(app), Principal::Console(Arc::clone(&user)), origin);
        let notice = parts.extensions.get::<Notice>().map(|notice| notice.0.clone());
        Ok(Self { admin, context: Context { site, user, notice, _budget: budget } })
    }
}

/// The sign-in page, which leads back to the requested page.
fn sign_in_from(site: &Site, parts: &Parts) -> String {
    let asked = format!("{}{}", site.base, parts.uri);
    match parts.method == Method::GET && site.is_own_path(&asked) && parts.uri.path() != "/" {
        true => format!("{}/sign-in?next={}", site.base, utf8_percent_encode(&asked, NON_ALPHANUMERIC)),
        false => format!("{}/sign-in", site.base),
    }
}

impl FromRequestParts<Arc<App>> for InTeamspacePage {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, PageError> {
        let Viewer { admin, context } = Viewer::from_request_parts(parts, app).await?;
        let Path(params) =
            parts.extract::<Path<HashMap<String, String>>>().await.map_err(|_| PageError::NotFound)?;
        let slug = params.get("slug").ok_or(PageError::NotFound)?;
        Ok(Self { at: admin.in_teamspace(slug)?, context })
    }
}

impl FromRequestParts<Arc<App>> for OperatorPage {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, PageError> {
        let Viewer { admin, context } = Viewer::from_request_parts(parts, app).await?;
        Ok(Self { operator: admin.into_operator()?, context })
    }
}
