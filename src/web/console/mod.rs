//! The console: administration in a browser, with pages that are made here and work without scripts.
//!
//! # How a page is made
//!
//! 1. A file for each screen, such as `teamspaces.rs`, with a `routes()` that this module merges, and a template of the
//!    same name in `templates/`.
//! 2. A handler's first argument says who may see the page: [`page::Viewer`] anybody who is signed in,
//!    [`page::InTeamspacePage`] whoever reaches the teamspace in the path (`/t/{slug}/…`), [`page::OperatorPage`] an
//!    operator. Each of them is an [`Admin`](crate::admin::Admin), an [`InTeamspace`](crate::admin::InTeamspace) or an
//!    [`Operator`](crate::admin::Operator), which the functions of [`crate::admin`] take. A page reads and changes things
//!    by those functions only.
//! 3. The template's struct has a `frame`, made by `at.frame(Place::…)`, which `layout.html` shows around the block
//!    `content`. `parts.html` has the macros: `{{ parts::badge("good", "Active") }}`, `{{ parts::text(…) }}` for a field
//!    with its hint and error. Links begin with `{{ frame.base }}`.
//! 4. The handler answers with [`answer::page`]; a form with mistakes with [`answer::form_again`], which says 422 and
//!    shows [`form::Faults`] at the top and at the fields, with what was typed; a change that was made with
//!    `at.done(path, "What happened.")`, which redirects (303) and shows the text on the next page.
//! 5. Everything that goes wrong is a [`answer::PageError`], which becomes a page with the request's id.
//!
//! Forms are read with [`form::Typed`]. No style and no script stands in a page: the content security policy refuses
//! both.

mod activity;
mod answer;
mod api;
mod assets;
mod audit;
mod browser;
mod chart;
mod check_list;
mod clients;
mod cookie;
mod documents;
mod enterprise;
mod explain;
mod fixer_words;
mod form;
mod keep;
mod kill_switch;
mod layers;
mod members;
mod navigation;
mod notice;
mod openid;
mod openid_words;
mod overview;
mod page;
mod policies;
mod reason_words;
mod remove;
mod resources;
mod revocation_words;
mod scim_tokens;
mod seen;
mod session;
mod sessions;
mod setup_link;
mod setup_links;
mod sign_in;
mod sign_in_detail;
mod site;
mod system;
mod teamspaces;
mod token_lines;
mod words;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::web::MAX_BODY;
use answer::{PageError, panicked};
pub use layers::secure;
pub use site::Site;

/// Every page, to be nested at the site's base.
pub fn router(app: Arc<App>, site: &Arc<Site>) -> Router {
    Router::new()
        .merge(pages())
        .route("/assets/{version}/{name}", get(assets::show))
        .method_not_allowed_fallback(async || PageError::MethodNotAllowed)
        .fallback(async || PageError::NotFound)
        // From here on the last is the outermost.
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(site), keep::keep_typed))
        .layer(from_fn_with_state(Arc::clone(site), notice::carry))
        .layer(session::layer(&app, site))
        .layer(from_fn(layers::refuse_nul))
        .layer(layers::same_site_only(site))
        .layer(from_fn_with_state(Arc::clone(site), layers::explain_failures))
        .layer(CompressionLayer::new())
        .layer(from_fn(layers::secure))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(Extension(Arc::clone(site)))
        .with_state(app)
}

/// The documents, to be nested at `/docs`. They need no sign-in and know no session.
pub fn documents_router(app: Arc<App>, site: &Arc<Site>) -> Router {
    documents::routes()
        .fallback(async || PageError::NotFound)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(site), layers::explain_failures))
        .layer(CompressionLayer::new())
        .layer(from_fn(layers::secure))
        .layer(Extension(Arc::clone(site)))
        .with_state(app)
}

/// The screens, a line each.
fn pages() -> Router<Arc<App>> {
    Router::new()
        .merge(sign_in::routes())
        .merge(openid::routes())
        .merge(setup_link::routes())
        .merge(teamspaces::routes())
        .merge(overview::routes())
        .merge(enterprise::routes())
        .merge(setup_links::routes())
        .merge(scim_tokens::routes())
        .merge(members::routes())
        .merge(api::routes())
        .merge(policies::routes())
        .merge(clients::routes())
        .merge(resources::routes())
        .merge(audit::routes())
        .merge(system::routes())
        .merge(sessions::routes())
        .merge(activity::routes())
        .merge(sign_in_detail::routes())
        .merge(explain::routes())
}
