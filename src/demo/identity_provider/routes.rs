//! The HTTP surface of the demo identity provider.

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::DemoIdp;
use super::authorize::{self, AuthenticationRequest, AuthorizeAnswer};
use super::client_auth;
use super::error::{Error, IdpTokenError, no_store};
use super::exchange::{self, ID_JAG, TOKEN_EXCHANGE};
use super::parameters::Parameters;

const AUTHORIZATION_CODE: &str = "authorization_code";

pub(super) fn router(idp: DemoIdp) -> Router {
    let paths = idp.inner.likeness.paths();
    Router::new()
        .route(&format!("{}/.well-known/openid-configuration", paths.issuer), get(discovery))
        .route(&paths.keys, get(keys))
        .route(&paths.authorize, get(authorize))
        .route(&paths.token, post(token))
        .route("/login", post(login))
        .route("/assets/{name}", get(asset))
        .with_state(idp)
}

/// The console's look.
async fn asset(Path(name): Path<String>) -> Result<Response, StatusCode> {
    let (kind, content) = match name.as_str() {
        "console.css" => ("text/css; charset=utf-8", include_str!("../../web/console/assets/console.css")),
        "console.js" => {
            ("text/javascript; charset=utf-8", include_str!("../../web/console/assets/console.js"))
        }
        "icon.svg" => ("image/svg+xml", include_str!("../../web/console/assets/icon.svg")),
        _ => return Err(StatusCode::NOT_FOUND),
    };
    Ok(([(header::CONTENT_TYPE, kind)], content).into_response())
}

/// `OpenID` Connect Discovery section 3, and what the ID-JAG draft section 7.1 adds to it.
async fn discovery(State(idp): State<DemoIdp>) -> Json<Value> {
    let (origin, paths) = (&idp.inner.origin, idp.inner.likeness.paths());
    Json(json!({
        "issuer": idp.inner.issuer,
        "authorization_endpoint": format!("{origin}{}", paths.authorize),
        "token_endpoint": idp.token_endpoint(),
        "jwks_uri": format!("{origin}{}", paths.keys),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "grant_types_supported": [AUTHORIZATION_CODE, TOKEN_EXCHANGE],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "identity_chaining_requested_token_types_supported": [ID_JAG],
    }))
}

async fn keys(State(idp): State<DemoIdp>) -> Json<Value> {
    Json(idp.inner.key.jwks())
}

async fn token(
    State(idp): State<DemoIdp>,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Result<Response, IdpTokenError> {
    let Form(pairs) = form.map_err(|_| IdpTokenError::InvalidRequest("the body must be a form"))?;
    let parameters = Parameters::new(pairs)?;
    if parameters.get("grant_type") == Some(AUTHORIZATION_CODE) {
        let client_id = client_auth::authenticate(&idp.directory(), &headers, &parameters)?;
        let tokens = authorize::redeem(&idp, &client_id, &parameters)?;
        return Ok((no_store(), Json(tokens)).into_response());
    }
    let answer = exchange::exchange(&idp, &headers, &parameters)?;
    Ok((no_store(), Json(answer)).into_response())
}

/// The sign-in in a browser.
async fn authorize(
    State(idp): State<DemoIdp>,
    request: Result<Query<AuthenticationRequest>, QueryRejection>,
) -> Result<Response, IdpTokenError> {
    let Query(request) =
        request.map_err(|_| IdpTokenError::InvalidRequest("a parameter is missing or repeated"))?;
    Ok(match authorize::authorize(&idp, request)? {
        AuthorizeAnswer::Page(page) => (no_store(), Html(page)).into_response(),
        AuthorizeAnswer::GoTo(url) => (no_store(), Redirect::to(&url)).into_response(),
    })
}

#[derive(Deserialize)]
struct Login {
    user: String,
    client_id: String,
}

/// Stands in for the browser sign-in: whoever asks is believed, hence loopback only.
async fn login(State(idp): State<DemoIdp>, Json(login): Json<Login>) -> Result<Response, IdpTokenError> {
    let id_token = idp.id_token(&login.user, &login.client_id).map_err(|error| match error {
        Error::UnknownPerson => IdpTokenError::AccessDenied("nobody has this user name"),
        Error::UnknownClient => IdpTokenError::InvalidRequest("no client has this client_id"),
        other => IdpTokenError::Server(other),
    })?;
    Ok((no_store(), Json(json!({ "id_token": id_token }))).into_response())
}
