//! `/forward-auth/{resource_id}`: a proxy asks whether it may let a request through to an MCP server.
//!
//! Proxies differ in what they ask with: any method, and with or without the path and query of the request behind the
//! id. So the answer depends on the resource's id and the headers alone.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::dpop_nonce::supply_nonce;
use super::error::{Cause, forbid_caching, not_found};
use crate::app::App;
use crate::forward_auth::{
    ForwardRefusal, ForwardedCaller, KeyRefusal, LACKS_SCOPE, LIMITED_TO_OTHERS, ToolRefusal, decide,
};
use crate::idp::key::ALGORITHM_NAMES;
use crate::metrics::ForwardAuthResult;
use crate::model::resource::Resource;
use crate::oauth::credentials::refused as refused_credentials;
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::oauth::form::FormCredentials;
use crate::resource_server::authenticate;
use crate::store::snapshot::Snapshot;
use crate::web::middleware::{CallerAddress, RequestId};

/// What the server behind the proxy is told. All of them are in each answer with 200, also when they are empty:
/// otherwise a proxy would leave one that the caller has invented.
const IDENTITY: [HeaderName; 6] = [
    HeaderName::from_static("x-auth-subject"),
    HeaderName::from_static("x-auth-email"),
    HeaderName::from_static("x-auth-client-id"),
    HeaderName::from_static("x-auth-teamspace"),
    HeaderName::from_static("x-auth-scope"),
    HeaderName::from_static("x-auth-token-id"),
];

/// The header with the resource's credentials, as in HTTP Basic.
const PROXY_CREDENTIALS: HeaderName = HeaderName::from_static("x-resource-authorization");

/// For clients of older revisions of MCP.
const MCP_HEADERS: &str = "One MCP-Protocol-Version of 2026-07-28 or later, one Mcp-Method and, for a tool, one Mcp-Name \
    are expected.";

/// The routes of an issuer with this path.
pub(super) fn routes(path: &str) -> Router<Arc<App>> {
    Router::new().route(&format!("{path}/forward-auth/{{*rest}}"), any(answer))
}

async fn answer(State(app): State<Arc<App>>, request: Request) -> Response {
    let snapshot = app.snapshot();
    let id = resource_id(request.uri().path(), &app.config.issuer_path());
    let Some(resource) = snapshot.resource_by_id(id) else { return not_found().await };
    if resource.forward_auth_credentials
        && let Err(error) = check_proxy(&app, &snapshot, resource, &request)
    {
        app.metrics.count_forward_auth(ForwardAuthResult::UnknownProxy);
        return unknown_proxy(&error);
    }
    let RequestId(request_id) = request.extensions().get().cloned().unwrap_or_default();
    let decided = decide(&app, resource, request.headers(), &request_id);
    let decided = app.store.for_one_request(decided).await;
    let (mut response, result) = match decided {
        Ok(caller) => (passed(&caller), ForwardAuthResult::Passed),
        Err(refusal) => refused(&refusal, resource),
    };
    app.metrics.count_forward_auth(result);
    forbid_caching(&mut response);
    supply_nonce(&app, request.headers(), &mut response);
    response
}

/// Whether the proxy has the resource's credentials, where it must have them. The caller's token is in `Authorization`, so
/// they are in a header of their own.
fn check_proxy(
    app: &App,
    snapshot: &Snapshot,
    resource: &Resource,
    request: &Request,
) -> Result<(), TokenError> {
    let CallerAddress(address) = CallerAddress::of(request.extensions());
    let mut values = request.headers().get_all(PROXY_CREDENTIALS).iter();
    let presented = values.next().filter(|_| values.next().is_none()).map(|value| value.as_bytes());
    let proxy = authenticate(presented, FormCredentials::default(), snapshot, &app.limits, address)?;
    match proxy.resource().id == resource.id {
        true => Ok(()),
        false => Err(refused_credentials(Reason::CLIENT_AUTH_FAILED)),
    }
}

/// The answer to a proxy without the resource's credentials. Proxies pass 401 and its challenge on to the MCP client, which
/// would take them for a word about its own token: so it is 503 without one, and the log says what is wrong.
fn unknown_proxy(error: &TokenError) -> Response {
    let text = "The proxy in front of this server is not set up.\n";
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    forbid_caching(&mut response);
    let reason = &error.reason;
    let cause = format!("the proxy must send the resource's credentials in {PROXY_CREDENTIALS}: {reason}");
    response.extensions_mut().insert(Cause(cause));
    response
}

/// The segment after `/forward-auth/`. What follows it may be any text, which no extractor could read.
fn resource_id<'p>(path: &'p str, issuer_path: &str) -> &'p str {
    let rest = path.strip_prefix(issuer_path).and_then(|path| path.strip_prefix("/forward-auth/"));
    rest.and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

fn passed(caller: &ForwardedCaller) -> Response {
    let token = &caller.token.token;
    let values = [
        &token.member_id,
        &caller.email,
        &token.client_id,
        &caller.teamspace,
        &token.scopes.join(" "),
        &token.token_id,
    ];
    let mut response = Response::new(Body::empty());
    for (name, value) in IDENTITY.into_iter().zip(values) {
        // Text in another character set would reach servers as something else.
        let readable = Some(value).filter(|value| value.is_ascii());
        let value = readable.and_then(|value| HeaderValue::from_str(value).ok());
        let value = value.unwrap_or(HeaderValue::from_static(""));
        response.headers_mut().insert(name, value);
    }
    response
}

/// The status of a refusal, its text for people, and how it is counted.
///
/// A policy's no is 403, and so are headers that do not say what a request wants: nginx knows no other status between 401
/// and an error of its own. Neither has a challenge. No code of RFC 6750 §3.1 stands for them, and with
/// `insufficient_scope` clients would fetch tokens in vain.
fn told(refusal: &ForwardRefusal) -> (StatusCode, ForwardAuthResult, &str) {
    use ForwardAuthResult as R;
    match refusal {
        ForwardRefusal::NoToken => (StatusCode::UNAUTHORIZED, R::NoToken, "An access token is needed."),
        ForwardRefusal::Malformed => {
            let text = "One Authorization header with an access token is expected.";
            (StatusCode::BAD_REQUEST, R::InvalidRequest, text)
        }
        ForwardRefusal::NotActive(_) => {
            (StatusCode::UNAUTHORIZED, R::InvalidToken, "The access token is not active.")
        }
        ForwardRefusal::Key(KeyRefusal::TooMany) => unavailable(),
        ForwardRefusal::Key(KeyRefusal::NotBound) => {
            (StatusCode::UNAUTHORIZED, R::InvalidToken, "The access token is a bearer token.")
        }
        ForwardRefusal::Key(KeyRefusal::Required) => {
            (StatusCode::UNAUTHORIZED, R::InvalidToken, "The access token must be bound to a key.")
        }
        ForwardRefusal::Key(KeyRefusal::SentAlone | KeyRefusal::Proof(_) | KeyRefusal::Nonce(_)) => {
            (StatusCode::UNAUTHORIZED, R::InvalidToken, "The access token needs a good DPoP proof.")
        }
        ForwardRefusal::InsufficientScope => (StatusCode::FORBIDDEN, R::InsufficientScope, LACKS_SCOPE),
        ForwardRefusal::NotKnowable(_) => unavailable(),
        ForwardRefusal::Tool(refusal) => match refusal {
            ToolRefusal::Headers(_) => (StatusCode::FORBIDDEN, R::McpHeaders, MCP_HEADERS),
            ToolRefusal::NotGranted { .. } => (StatusCode::FORBIDDEN, R::ToolDenied, LIMITED_TO_OTHERS),
            ToolRefusal::Denied(denied) if denied.step_up.is_some() => {
                (StatusCode::UNAUTHORIZED, R::StepUp, &denied.message)
            }
            ToolRefusal::Denied(denied) => (StatusCode::FORBIDDEN, R::ToolDenied, &denied.message),
            // A new token has a new row in the log.
            ToolRefusal::SignInUnknown | ToolRefusal::Renamed => {
                (StatusCode::UNAUTHORIZED, R::SignInUnknown, "A new access token is needed.")
            }
            ToolRefusal::NotKnowable => unavailable(),
        },
    }
}

fn unavailable() -> (StatusCode, ForwardAuthResult, &'static str) {
    let text = "Temporarily unavailable; try again later.";
    (StatusCode::SERVICE_UNAVAILABLE, ForwardAuthResult::Unavailable, text)
}

fn refused(refusal: &ForwardRefusal, resource: &Resource) -> (Response, ForwardAuthResult) {
    let (status, result, text) = told(refusal);
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if let Some(challenge) = challenge(refusal, resource) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    response.extensions_mut().insert(Cause(format!("{refusal}")));
    (response, result)
}

fn wants_proof(refusal: &ForwardRefusal) -> bool {
    use KeyRefusal::{Nonce, Proof, SentAlone};
    matches!(refusal, ForwardRefusal::Key(SentAlone | Proof(_) | Nonce(_)))
}

/// The challenge of a refusal (RFC 6750 §3, RFC 9728 §5.1); none where another token would not help. None of its values
/// has a quote or a backslash: a scope and an authentication context cannot, and a URL has them encoded.
fn challenge(refusal: &ForwardRefusal, resource: &Resource) -> Option<HeaderValue> {
    let (error, step_up) = match refusal {
        ForwardRefusal::NoToken => (None, None),
        ForwardRefusal::Malformed => (Some("invalid_request"), None),
        ForwardRefusal::NotActive(_)
        | ForwardRefusal::Key(KeyRefusal::SentAlone | KeyRefusal::NotBound | KeyRefusal::Required)
        | ForwardRefusal::Tool(ToolRefusal::SignInUnknown | ToolRefusal::Renamed) => {
            (Some("invalid_token"), None)
        }
        ForwardRefusal::Key(KeyRefusal::Proof(_)) => (Some(ErrorCode::InvalidDpopProof.wire().0), None),
        ForwardRefusal::Key(KeyRefusal::Nonce(_)) => (Some(ErrorCode::UseDpopNonce.wire().0), None),
        ForwardRefusal::InsufficientScope => (Some("insufficient_scope"), None),
        ForwardRefusal::Tool(ToolRefusal::Denied(denied)) => {
            let step_up = denied.step_up.as_ref()?;
            (Some(ErrorCode::InsufficientUserAuthentication.wire().0), Some(step_up))
        }
        ForwardRefusal::Key(KeyRefusal::TooMany)
        | ForwardRefusal::NotKnowable(_)
        | ForwardRefusal::Tool(_) => return None,
    };
    let needs_proof = resource.dpop_bound_access_tokens || wants_proof(refusal);
    let scheme = if needs_proof { "DPoP" } else { "Bearer" };
    let mut challenge = format!("{scheme} resource_metadata=\"{}\"", resource.metadata_url());
    let mut add = |name: &str, value: &str| challenge.push_str(&format!(", {name}=\"{value}\""));
    if needs_proof {
        // RFC 9449 §7.1
        add("algs", &ALGORITHM_NAMES.join(" "));
    }
    if let Some(error) = error {
        add("error", error);
    }
    // RFC 9470 §3
    if let Some(values) = step_up.and_then(|step_up| step_up.acr_values.as_deref()) {
        add("acr_values", values);
    }
    if let Some(seconds) = step_up.and_then(|step_up| step_up.max_age) {
        add("max_age", &seconds.to_string());
    }
    if !resource.required_scopes.is_empty() {
        add("scope", &resource.required_scopes.join(" "));
    }
    HeaderValue::try_from(challenge).ok()
}
