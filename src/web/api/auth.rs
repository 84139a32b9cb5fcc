//! Authentication. A handler's first argument says what it needs: [`Admin`] any token, [`InTeamspace`] a token that
//! reaches the teamspace in the path, [`Operator`] an operator's token.

use std::collections::HashMap;
use std::sync::Arc;

use axum::RequestPartsExt as _;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use super::problem::Problem;
pub(super) use crate::admin::{Admin, InTeamspace, Operator};
use crate::admin::{Principal, tokens};
use crate::app::App;
use crate::limits::admin::Holder;
use crate::limits::gate::{Caller, bearer};
use crate::random::digest;
use crate::store::admin_tokens::AdminToken;
use crate::web::middleware::origin;

/// The `{id}` of the path.
pub struct ItemId(pub String);

/// The `{secret_id}` of the path.
pub struct SecretId(pub String);

/// The `{client_id}` of the path.
pub struct CredentialId(pub String);

/// Admits a request with a valid token and budget left, and notes whose it is.
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
    let live = tokens::find_live(&app.store, presented.clone(), app.clock.now()).await?;
    app.gate.note_token(&presented, live.as_ref().map(AdminToken::caller));
    let Some(token) = live else {
        let challenge = r#"Bearer error="invalid_token""#;
        return Err(Problem::unauthorized(challenge, "The admin token is unknown or has expired."));
    };
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD);
    let _place = app.admin_budgets.enter(token.holder(), is_change)?;
    request.extensions_mut().insert(Principal::Token(Arc::new(token)));
    Ok(next.run(request).await)
}

impl AdminToken {
    /// Whose budget its requests count against.
    fn holder(&self) -> Holder<'_> {
        Holder { id: &self.id, digest: &self.token_digest, is_operator: self.teamspace_id.is_none() }
    }

    /// Whose places its requests take.
    fn caller(&self) -> Caller {
        if self.teamspace_id.is_none() { Caller::Operator } else { Caller::Teamspace }
    }
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Principal>().cloned();
        let caller = caller.ok_or_else(|| Problem::unauthorized("Bearer", "An admin token is needed."))?;
        Ok(Self::new(Arc::clone(app), caller, origin(&parts.extensions)))
    }
}

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        Ok(Admin::from_request_parts(parts, app).await?.into_operator()?)
    }
}

impl FromRequestParts<Arc<App>> for InTeamspace {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let admin = Admin::from_request_parts(parts, app).await?;
        let slug = parameter(parts, "slug").await?;
        Ok(admin.in_teamspace(&slug)?)
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

impl FromRequestParts<Arc<App>> for CredentialId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        parameter(parts, "client_id").await.map(Self)
    }
}

/// A parameter of the path. One that is not UTF-8 matches nothing.
async fn parameter(parts: &mut Parts, name: &str) -> Result<String, Problem> {
    let params = parts.extract::<Path<HashMap<String, String>>>().await;
    let Path(mut params) = params.map_err(|_| Problem::not_found())?;
    params.remove(name).ok_or_else(Problem::not_found)
}
