//! `/Users`.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::answer::{ScimAnswer, ScimProblem, list as list_of};
use super::auth::ScimHolder;
use super::body::{JsonBytes, ListParams, UserId};
use crate::admin::scim::{self, Provisioned, ScimCaller};
use crate::admin::scim_tokens::base_url;
use crate::clock::rfc3339;
use crate::scim::{UserDocument, UserPatch};

/// The schema of users (RFC 7643 §4.1).
pub const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// `GET /Users`
pub async fn list(ScimHolder(at): ScimHolder, params: ListParams) -> Result<ScimAnswer, ScimProblem> {
    let (found, total) = scim::list(&at, params.query).await?;
    let items = found.iter().map(|user| Value::Object(rendered(&at, user))).collect();
    Ok(list_of(items, total, params.start))
}

/// `POST /Users`
pub async fn create(
    ScimHolder(at): ScimHolder,
    JsonBytes(body): JsonBytes,
) -> Result<ScimAnswer, ScimProblem> {
    let made = scim::create(&at, UserDocument::read(&body)?).await?;
    Ok(answer(&at, &made, StatusCode::CREATED))
}

/// `GET /Users/{id}`
pub async fn show(
    ScimHolder(at): ScimHolder,
    UserId(id): UserId,
    headers: HeaderMap,
) -> Result<Response, ScimProblem> {
    let found = scim::find(&at, id).await?;
    let is_known = text(&headers, header::IF_NONE_MATCH).is_some_and(|known| found.is_named_in(&known));
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, found.version())]).into_response());
    }
    Ok(answer(&at, &found, StatusCode::OK).into_response())
}

/// `PUT /Users/{id}`
pub async fn replace(
    ScimHolder(at): ScimHolder,
    UserId(id): UserId,
    headers: HeaderMap,
    JsonBytes(body): JsonBytes,
) -> Result<ScimAnswer, ScimProblem> {
    let document = UserDocument::read(&body)?;
    let replaced = scim::replace(&at, id, document, text(&headers, header::IF_MATCH)).await?;
    Ok(answer(&at, &replaced, StatusCode::OK))
}

/// `PATCH /Users/{id}`
pub async fn patch(
    ScimHolder(at): ScimHolder,
    UserId(id): UserId,
    headers: HeaderMap,
    JsonBytes(body): JsonBytes,
) -> Result<ScimAnswer, ScimProblem> {
    let patch = UserPatch::read(&body)?;
    let patched = scim::patch(&at, id, patch, text(&headers, header::IF_MATCH)).await?;
    Ok(answer(&at, &patched, StatusCode::OK))
}

/// `DELETE /Users/{id}`
pub async fn remove(
    ScimHolder(at): ScimHolder,
    UserId(id): UserId,
    headers: HeaderMap,
) -> Result<StatusCode, ScimProblem> {
    scim::remove(&at, id, text(&headers, header::IF_MATCH)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    // One that is not text names no version.
    headers.get(name).map(|value| value.to_str().unwrap_or_default().to_owned())
}

fn answer(at: &ScimCaller, user: &Provisioned, status: StatusCode) -> ScimAnswer {
    let location = location(at, user);
    let answer = ScimAnswer::new(status, Value::Object(rendered(at, user)));
    answer.with(header::LOCATION, &location).with(header::ETAG, &user.version())
}

fn location(at: &ScimCaller, user: &Provisioned) -> String {
    format!("{}/Users/{}", base_url(&at.app.config, at.slug()), user.member.id)
}

/// A user as the identity provider sent them, with what we know.
fn rendered(at: &ScimCaller, provisioned: &Provisioned) -> Map<String, Value> {
    let user = &provisioned.user;
    let mut shown: Map<String, Value> = serde_json::from_str(&user.profile).unwrap_or_default();
    let extensions = shown.keys().filter(|name| name.starts_with("urn:")).map(String::as_str);
    let schemas: Vec<&str> = std::iter::once(USER_SCHEMA).chain(extensions).collect();
    let schemas = json!(schemas);
    let meta = json!({
        "resourceType": "User",
        "created": rfc3339(user.created_at),
        "lastModified": rfc3339(user.updated_at),
        "location": location(at, provisioned),
        "version": provisioned.version(),
    });
    shown.insert("schemas".to_owned(), schemas);
    shown.insert("id".to_owned(), json!(provisioned.member.id));
    shown.insert("active".to_owned(), json!(provisioned.is_active()));
    shown.insert("meta".to_owned(), meta);
    if let Some(external_id) = &user.external_id {
        shown.insert("externalId".to_owned(), json!(external_id));
    }
    shown
}
