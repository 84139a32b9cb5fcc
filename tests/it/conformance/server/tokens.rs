//! What is told about tokens, and their end.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use countersign::conformance::{SuiteAlg, SuiteKey};
use serde_json::{Value, json};

use super::request::{Form, read};
use super::{Answered, Fault, NOW, Tiny, client};

const SIGNED: &str = "application/token-introspection+jwt";

pub async fn introspect(
    State(tiny): State<Arc<Tiny>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method == Method::GET && tiny.has(Fault::IntrospectsGet) {
        return Json(json!({ "active": false })).into_response();
    }
    match caller(&tiny, (&method, &uri, &headers, &body), Fault::OpenIntrospection) {
        Ok((form, caller)) => {
            let told = told(&tiny, form.get("token").unwrap_or_default());
            if headers.get(header::ACCEPT).is_some_and(|accept| accept == SIGNED) {
                return ([(header::CONTENT_TYPE, SIGNED)], signed(&tiny, &caller, told)).into_response();
            }
            ([(header::CACHE_CONTROL, "no-store")], Json(told)).into_response()
        }
        Err(refused) => refused.into_answer(&tiny),
    }
}

/// RFC 9701 §5.
fn signed(tiny: &Tiny, caller: &str, told: Value) -> String {
    let typ = if tiny.has(Fault::UntypedSignedAnswer) { "JWT" } else { "token-introspection+jwt" };
    let header = json!({ "alg": "ES256", "kid": tiny.signing_key.kid(), "typ": typ }).to_string();
    let mut claims = json!({ "iss": tiny.issuer, "aud": caller, "iat": NOW, "token_introspection": told });
    if tiny.has(Fault::SignedAnswerLikeAToken) {
        claims["sub"] = json!("somebody");
        claims["exp"] = json!(NOW + 3600);
    }
    let another = SuiteKey::generate(SuiteAlg::Es256).unwrap();
    let key = if tiny.has(Fault::SignedByAnotherKey) { &another } else { &tiny.signing_key };
    key.sign("ES256", &header, &claims.to_string()).unwrap()
}

fn told(tiny: &Tiny, token: &str) -> Value {
    match tiny.active.lock().unwrap().get(token) {
        Some(claims) => {
            let mut told = claims.clone();
            told["active"] = json!(true);
            if tiny.has(Fault::TellsLittle) {
                told = json!({ "active": true });
            }
            told
        }
        None if tiny.has(Fault::TellsInactive) => json!({ "active": false, "reason": "unknown" }),
        None => json!({ "active": false }),
    }
}

pub async fn revoke(
    State(tiny): State<Arc<Tiny>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (form, caller) = match caller(&tiny, (&method, &uri, &headers, &body), Fault::OpenRevocation) {
        Ok(called) => called,
        Err(refused) => return refused.into_answer(&tiny),
    };
    let token = form.get("token").unwrap_or_default();
    let mut active = tiny.active.lock().unwrap();
    let is_own = active.get(token).map(|claims| claims["client_id"] == caller);
    match is_own {
        None if tiny.has(Fault::RefusesUnknownTokens) => StatusCode::BAD_REQUEST.into_response(),
        Some(true) if tiny.no(Fault::RevokesNothing) => {
            active.remove(token);
            StatusCode::OK.into_response()
        }
        _ => StatusCode::OK.into_response(),
    }
}

fn caller(
    tiny: &Tiny,
    (method, uri, headers, body): (&Method, &Uri, &HeaderMap, &Bytes),
    open: Fault,
) -> Answered<(Form, String)> {
    let form = read(tiny, method, uri, headers, body)?;
    match client::authenticate(tiny, headers, &form) {
        Ok(id) => Ok((form, id)),
        Err(_) if tiny.has(open) => Ok((form, String::new())),
        Err(refused) => Err(refused),
    }
}
