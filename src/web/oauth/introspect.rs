//! `POST /oauth2/introspect` (RFC 7662), also with a signed answer (RFC 9701).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::form::read_form;
use crate::app::App;
use crate::metrics::IntrospectionOutcome;
use crate::model::resource::Resource;
use crate::oauth::error::{Reason, TokenError};
use crate::oauth::presented_token::PresentedToken;
use crate::resource_server::{TokenDescription, authenticate_by_form, introspect as describe};
use crate::signing::{JwtType, SigningError};
use crate::web::error::forbid_caching;
use crate::web::middleware::CallerAddress;

/// The media type of a signed answer.
const SIGNED: &str = "application/token-introspection+jwt";

/// Tells a resource server whether a token is active, and what it says.
pub async fn introspect(State(app): State<Arc<App>>, request: Request) -> Response {
    let (outcome, mut response) = match answer(&app, request).await {
        Ok(answered) => answered,
        Err(error) => (IntrospectionOutcome::Refused, error.into_response()),
    };
    app.metrics.count_introspection(outcome);
    forbid_caching(&mut response);
    response
}

async fn answer(app: &App, request: Request) -> Result<(IntrospectionOutcome, Response), TokenError> {
    let (parts, body) = request.into_parts();
    let CallerAddress(address) = CallerAddress::of(&parts.extensions);
    let body = read_form(&parts, body).await?;
    let mut presented = PresentedToken::parse(&body)?;
    let authorization = parts.headers.get(AUTHORIZATION).map(|value| value.as_bytes());
    let credentials = std::mem::take(&mut presented.credentials);
    let server = authenticate_by_form(app, authorization, credentials, address).await?;
    let token = describe(app, &presented.token()?, server.resource())?;
    let description = TokenDescription::of(token.as_deref(), &app.config.issuer);
    let outcome = match description.is_active() {
        true => IntrospectionOutcome::Active,
        false => IntrospectionOutcome::Inactive,
    };
    let (content_type, body) = match wants_signed(&parts.headers) {
        true => (SIGNED, signed(app, description, server.resource()).map(String::into_bytes)),
        false => ("application/json", plain(&description)),
    };
    let body = body.map_err(|error| TokenError::unavailable(Reason::INTERNAL, error))?;
    Ok((outcome, ([(CONTENT_TYPE, content_type)], body).into_response()))
}

fn plain(description: &TokenDescription<'_>) -> Result<Vec<u8>, SigningError> {
    let mut body = Vec::with_capacity(512);
    serde_json::to_writer(&mut body, description).map_err(|_| SigningError::Sign)?;
    Ok(body)
}

fn signed(app: &App, description: TokenDescription<'_>, resource: &Resource) -> Result<String, SigningError> {
    let now = app.clock.now();
    let signer = app.signer();
    let key = signer.active(now).ok_or(SigningError::Sign)?;
    key.sign(JwtType::TokenIntrospection, &description.into_claims(resource, &app.config.issuer, now))
}

/// Whether the caller lists the type of signed answers, and not with the weight 0.
fn wants_signed(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_signed = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(SIGNED));
        is_signed && !parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}
