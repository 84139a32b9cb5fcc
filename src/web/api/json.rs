//! Input: strict JSON bodies and query parameters. A mistake in them is answered as a problem too.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::problem::Problem;
use crate::serde_words::SerdeError;

/// Longest body. The router sets it as its limit.
pub const MAX_BODY: usize = 64 * 1024;

/// A JSON body. Its type must deny unknown fields, so that a mistyped name does not silently mean the default.
pub struct JsonBody<T>(pub T);

/// Query parameters. Their type must deny unknown fields too.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        check_content_type(request.headers())?;
        parse(&read(request, state).await?)
    }
}

/// For a request whose body may be left out, or be `null`.
impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        let typed = check_content_type(request.headers());
        let body = read(request, state).await?;
        if body.is_empty() {
            return Ok(None);
        }
        typed?;
        let JsonBody(body) = parse::<Option<T>>(&body)?;
        Ok(body.map(JsonBody))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => {
                let detail = query_fault(&error.body_text());
                Err(Problem::new(StatusCode::BAD_REQUEST, "query_invalid", detail))
            }
        }
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("The body is longer than {MAX_BODY} bytes."),
        ),
        _ => Problem::new(StatusCode::BAD_REQUEST, "body_malformed", "The body could not be read."),
    })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<JsonBody<T>, Problem> {
    if has_nul(body) {
        return Err(Problem::invalid("body_invalid", "A text must not have the character NUL in it."));
    }
    if has_list_for_object(body) {
        return Err(Problem::invalid("body_invalid", "A list is where an object was expected."));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| fault(body, &error))?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(JsonBody(read))
}

/// The mistake in a body: JSON that does not fit, or no JSON.
fn fault(body: &[u8], error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    // A value of the wrong type in the place of an enumeration counts as no JSON for the library.
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(body) {
        return malformed(&error);
    }
    let (path, text) = (error.path().to_string(), error.inner().to_string());
    Problem::invalid("body_invalid", sentence(SerdeError { path: &path, text: &text, whole: "the body" }))
}

fn malformed(error: &serde_json::Error) -> Problem {
    let detail = format!("The body is not JSON: {error}.");
    Problem::new(StatusCode::BAD_REQUEST, "body_malformed", detail)
}

/// The mistake in a query. The library puts the parameter's name before its error.
fn query_fault(text: &str) -> String {
    let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(text);
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let (path, text) = text.split_once(": ").filter(|(name, _)| is_name(name)).unwrap_or((".", text));
    sentence(SerdeError { path, text, whole: "the query" })
}

/// An error with a capital at its beginning and a full stop at its end.
fn sentence(error: SerdeError<'_>) -> String {
    let mut plain = error.plain();
    if let Some(first) = plain.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !plain.ends_with('?') {
        plain.push('.');
    }
    plain
}

/// Whether a text or name in the body contains NUL, which PostgreSQL cannot store. An escape's digits have only one
/// spelling here, so few bodies are parsed twice.
fn has_nul(body: &[u8]) -> bool {
    fn within(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(within),
            Value::Object(members) => {
                members.iter().any(|(name, value)| name.contains('\0') || within(value))
            }
            _ => false,
        }
    }
    body.windows(6).any(|window| window == b"\\u0000")
        && serde_json::from_slice(body).is_ok_and(|value| within(&value))
}

/// Whether a list is where only an object may be: as the whole body, or inside a list, since no body has lists of lists.
/// Serde would take such a list for the object's members in their order.
fn has_list_for_object(body: &[u8]) -> bool {
    fn within(value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().any(|item| item.is_array() || within(item)),
            Value::Object(members) => members.values().any(within),
            _ => false,
        }
    }
    body.contains(&b'[')
        && serde_json::from_slice::<Value>(body).is_ok_and(|value| value.is_array() || within(&value))
}

/// Refuses a path or query with NUL in it: nothing has such a name.
pub async fn refuse_nul(request: Request, next: Next) -> Response {
    let named = request.uri().path_and_query().map(|named| named.as_str()).unwrap_or_default();
    match named.contains("%00") {
        true => Problem::new(StatusCode::BAD_REQUEST, "query_invalid", "NUL cannot be in a path or query.")
            .into_response(),
        false => next.run(request).await,
    }
}

/// Only JSON is accepted: browsers can send a form to another site without asking.
fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" | "application/merge-patch+json" => Ok(()),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content_type_unsupported",
            "The body must be application/json.",
        )),
    }
}
