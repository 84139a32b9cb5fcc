//! Who calls, and what they may touch. A handler names what it needs by its first argument: [`Admin`] any
//! token, [`InTeamspace`] a token that reaches the teamspace in the path, [`Operator`] an operator's.

use std::collections::HashMap;
use std::sync::Arc;

use axum::RequestPartsExt as _;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use super::problem::Problem;
use crate::app::App;
use crate::limits::admin::Place;
use crate::limits::gate::{Caller, bearer};
use crate::random::digest;
use crate::store::admin_tokens::{self, AdminToken};
use crate::store::snapshot::Tenancy;
use crate::web::RequestId;

/// A request of a known caller.
pub struct Admin {
    pub app: Arc<App>,
    pub request_id: String,
    token: Arc<AdminToken>,
}

/// The same, where the caller is an operator; a teamspace's token is answered with 403.
pub struct Operator(pub Admin);

/// The same, where the caller reaches the teamspace that the path names; another one is answered with 404,
/// whether it exists or not.
pub struct InTeamspace {
    pub admin: Admin,
    pub tenancy: Arc<Tenancy>,
}

/// The `{id}` of the path.
pub struct ItemId(pub String);

/// The `{secret_id}` of the path.
pub struct SecretId(pub String);

/// Lets a request pass that carries a live token and is within its budget, and notes whose it is.
pub async fn authenticate(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(presented) = bearer(request.headers()) else {
        return Err(Problem::unauthorized("Bearer", "An admin token is needed: Authorization: Bearer …"));
    };
    let presented = digest(presented);
    app.admin_budgets.check_blocked(&presented)?;
    let of_token = presented.clone();
    let token = app.store.read(move |c| admin_tokens::find(c, &presented)).await?;
    let now = app.clock.now();
    let live = token.filter(|token| token.expires_at.is_none_or(|at| now < at));
    app.gate.note_token(&of_token, live.as_ref().map(AdminToken::caller));
    let Some(token) = live else {
        let challenge = r#"Bearer error="invalid_token""#;
        return Err(Problem::unauthorized(challenge, "The admin token is unknown or has expired."));
    };
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD);
    let _place = app.admin_budgets.enter(&token, is_change)?;
    request.extensions_mut().insert(Arc::new(token));
    Ok(next.run(request).await)
}

impl AdminToken {
    /// Whose places its requests take.
    fn caller(&self) -> Caller {
        if self.teamspace_id.is_none() { Caller::Operator } else { Caller::Teamspace }
    }
}

impl Admin {
    /// Under which name changes are recorded.
    pub fn actor(&self) -> &str {
        &self.token.name
    }

    /// Whether the caller sees everything.
    pub fn is_operator(&self) -> bool {
        self.token.teamspace_id.is_none()
    }

    /// Refuses everybody but an operator.
    pub fn require_operator(&self) -> Result<(), Problem> {
        if self.is_operator() { Ok(()) } else { Err(Problem::operator_only()) }
    }

    /// The one teamspace that the caller is confined to; none for an operator.
    pub fn confined_to(&self) -> Option<&str> {
        self.token.teamspace_id.as_deref()
    }

    /// Whether the caller reaches a teamspace.
    pub fn reaches(&self, teamspace_id: &str) -> bool {
        self.confined_to().is_none_or(|own| own == teamspace_id)
    }

    /// A place for something slow or heavy, of which a teamspace may have few under way.
    pub fn enter_heavy(&self) -> Result<Place, Problem> {
        Ok(self.app.admin_budgets.enter_heavy(&self.token)?)
    }

    /// The slug of the teamspace that the caller is confined to.
    pub fn own_slug(&self) -> Option<String> {
        self.app.snapshot().slug_of(self.confined_to()?)
    }
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let token = parts.extensions.get::<Arc<AdminToken>>().cloned();
        let token = token.ok_or_else(|| Problem::unauthorized("Bearer", "An admin token is needed."))?;
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        Ok(Self { app: Arc::clone(app), request_id, token })
    }
}

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let admin = Admin::from_request_parts(parts, app).await?;
        admin.require_operator()?;
        Ok(Self(admin))
    }
}

impl FromRequestParts<Arc<App>> for InTeamspace {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let admin = Admin::from_request_parts(parts, app).await?;
        let slug = parameter(parts, "slug").await?;
        let snapshot = app.snapshot();
        let found = snapshot.tenancy(&slug).filter(|t| admin.reaches(&t.teamspace.id));
        let tenancy = found.cloned().ok_or_else(Problem::not_found)?;
        Ok(Self { admin, tenancy })
    }
}

impl FromRequestParts<Arc<App>> for ItemId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        parameter(parts, "id").await.map(Self)
    }
}

impl FromRequestParts<Arc<App>> for SecretId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        parameter(parts, "secret_id").await.map(Self)
    }
}

/// A parameter of the path. One that is not UTF-8 names nothing.
async fn parameter(parts: &mut Parts, name: &str) -> Result<String, Problem> {
    let params = parts.extract::<Path<HashMap<String, String>>>().await;
    let Path(mut params) = params.map_err(|_| Problem::not_found())?;
    params.remove(name).ok_or_else(Problem::not_found)
}
