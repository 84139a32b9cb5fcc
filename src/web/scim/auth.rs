//! Authentication: a SCIM token of the teamspace in the path.

use std::collections::HashMap;
use std::sync::Arc;

use axum::RequestExt as _;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use super::answer::ScimProblem;
use crate::admin::scim::ScimCaller;
use crate::app::App;
use crate::limits::gate::bearer;
use crate::web::middleware::origin;

/// The holder of the token, for handlers.
#[derive(Clone)]
pub struct ScimHolder(pub Arc<ScimCaller>);

/// Admits a request with a good token of the teamspace in its path, within the teamspace's budget.
pub async fn authenticate(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Result<Response, ScimProblem> {
    let path = request.extract_parts::<Path<HashMap<String, String>>>().await;
    let slug = path.ok().and_then(|Path(mut path)| path.remove("slug")).unwrap_or_default();
    let presented = bearer(request.headers()).ok_or_else(ScimProblem::unauthorized)?;
    let origin = origin(request.extensions());
    let found = ScimCaller::find(&app, &slug, presented, origin).await?;
    let caller = found.ok_or_else(ScimProblem::unauthorized)?;
    app.limits.check_scim(caller.teamspace_id())?;
    request.extensions_mut().insert(ScimHolder(Arc::new(caller)));
    Ok(next.run(request).await)
}

impl<S: Send + Sync> FromRequestParts<S> for ScimHolder {
    type Rejection = ScimProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ScimProblem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ScimProblem::unauthorized)
    }
}
