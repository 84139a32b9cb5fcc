//! `GET /oauth2/revocations`: the revocations since the last request, for resource servers that verify tokens themselves.
//! `POST` takes the same in a form, where there is room for an assertion of the server: a URL is no place for one.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::etag;
use super::form::read_form;
use crate::app::App;
use crate::oauth::credentials::refused;
use crate::oauth::error::{Reason, TokenError};
use crate::oauth::form::{Form, FormCredentials};
use crate::resource_server::{
    ResourceServer, RevocationQuery, authenticate, authenticate_by_form, list as list_revocations,
};
use crate::web::middleware::CallerAddress;

/// Lists revocations that concern the resource, and waits for one if the caller wants.
pub async fn list(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    answer(&app, &parts).await.unwrap_or_else(IntoResponse::into_response)
}

/// The same, for a request with a form.
pub async fn list_by_form(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    answer_form(&app, &parts, body).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer_form(app: &App, request: &Parts, body: Body) -> Result<Response, TokenError> {
    let CallerAddress(address) = CallerAddress::of(&request.extensions);
    let mut form = Form::parse(&read_form(request, body).await?)?;
    let authorization = request.headers.get(AUTHORIZATION).map(|value| value.as_bytes());
    let server = authenticate_by_form(app, authorization, form.take_credentials(), address).await?;
    answer_server(app, request, server, RevocationQuery::take(&mut form)?).await
}

async fn answer(app: &App, request: &Parts) -> Result<Response, TokenError> {
    let server = caller(app, request)?;
    let query = RevocationQuery::parse(request.uri.query().unwrap_or_default())?;
    answer_server(app, request, server, query).await
}

async fn answer_server(
    app: &App,
    request: &Parts,
    server: ResourceServer,
    query: RevocationQuery,
) -> Result<Response, TokenError> {
    let list = list_revocations(app, server, query).await?;
    let body = serde_json::to_string(&list).map_err(|e| TokenError::unavailable(Reason::INTERNAL, e))?;
    Ok(with_etag(&request.headers, body))
}

/// The resource server, by its header alone: there is no form, and a URL is no place for a secret.
fn caller(app: &App, request: &Parts) -> Result<ResourceServer, TokenError> {
    let mut headers = request.headers.get_all(AUTHORIZATION).iter();
    let (Some(authorization), None) = (headers.next(), headers.next()) else {
        return Err(refused(Reason::CLIENT_AUTH_FAILED));
    };
    let CallerAddress(address) = CallerAddress::of(&request.extensions);
    let nothing = FormCredentials::default();
    authenticate(Some(authorization.as_bytes()), nothing, &app.snapshot(), &app.limits, address)
}

/// The list, or that it is the one that the caller has.
fn with_etag(headers: &HeaderMap, body: String) -> Response {
    let tag = etag::of(&body);
    let is_known = etag::is_known(headers, &tag);
    // Nobody else may be given it, and it is old as soon as it is sent.
    let common =
        [(CACHE_CONTROL, "private, no-cache".to_owned()), (VARY, "Authorization".to_owned()), (ETAG, tag)];
    match is_known {
        true => (StatusCode::NOT_MODIFIED, common).into_response(),
        false => (common, [(CONTENT_TYPE, "application/json")], body).into_response(),
    }
}
