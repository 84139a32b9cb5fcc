//! Input: bodies in JSON, the id in the path, and query parameters.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::answer::{MEDIA_TYPE, ScimProblem};
use crate::scim::{ScimFault, UserFilter};
use crate::store::scim_users::ScimUserQuery;
use crate::web::MAX_BODY;

/// The most users on a page.
pub const MAX_PAGE: i64 = 200;
/// The users on a page when nothing is said.
const USUAL_PAGE: i64 = 100;

/// The bytes of a body that says it is JSON.
pub struct JsonBytes(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBytes {
    type Rejection = ScimProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, ScimProblem> {
        if !is_json(request.headers()) {
            let detail = format!("The body must be {MEDIA_TYPE} or application/json.");
            return Err(ScimProblem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let read = Bytes::from_request(request, state).await;
        read.map(Self).map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ScimProblem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("The body is longer than {MAX_BODY} bytes."),
            ),
            _ => ScimFault::Body.into(),
        })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    [MEDIA_TYPE, "application/json"].iter().any(|known| essence.eq_ignore_ascii_case(known))
}

/// The `{id}` of the path. One with NUL is nobody's.
pub struct UserId(pub String);

impl<S: Send + Sync> FromRequestParts<S> for UserId {
    type Rejection = ScimProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ScimProblem> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(mut path)| path.remove("id"));
        id.filter(|id| !id.contains('\0')).map(Self).ok_or_else(ScimProblem::not_found)
    }
}

/// Which users are asked for. Parameters that are not known here mean nothing.
#[derive(Deserialize)]
struct UserListQuery {
    filter: Option<String>,
    #[serde(rename = "startIndex")]
    start_index: Option<String>,
    count: Option<String>,
}

/// The users of a list, and the number of the first of them, from 1.
pub struct ListParams {
    pub query: ScimUserQuery,
    pub start: i64,
}

impl<S: Send + Sync> FromRequestParts<S> for ListParams {
    type Rejection = ScimProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ScimProblem> {
        let invalid = || ScimProblem::new(StatusCode::BAD_REQUEST, "The query is not valid.");
        let Query(query) = Query::<UserListQuery>::try_from_uri(&parts.uri).map_err(|_| invalid())?;
        let number = |text: Option<String>, usual: i64| match text {
            None => Ok(usual),
            Some(text) => text.trim().parse::<i64>().map_err(|_| invalid()),
        };
        // RFC 7644 §3.4.2.4: what is below the range is its beginning.
        let start = number(query.start_index, 1)?.max(1);
        let limit = number(query.count, USUAL_PAGE)?.clamp(0, MAX_PAGE);
        let filter = query.filter.as_deref().map(str::parse::<UserFilter>).transpose()?;
        Ok(Self { query: ScimUserQuery { filter, offset: start - 1, limit }, start })
    }
}
