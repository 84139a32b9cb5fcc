//! From a form to a token.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use countersign::oauth::request::JWT_BEARER;
use countersign::random;
use serde_json::{Value, json};

use super::claims::{Good, is_our_resource};
use super::request::Form;
use super::{Answered, Fault, NOW, Tiny, assertion, claims, client, proof, refuse};
use crate::harness::RESOURCE;

/// The only type of authorization details.
pub const KNOWN_DETAIL: &str = "tiny";

const SCOPES: [&str; 2] = ["docs.read", "docs.write"];

/// Answers a token request.
pub async fn exchange(tiny: &Tiny, headers: &HeaderMap, form: &Form) -> Answered<Response> {
    if tiny.has(Fault::LooksAtAssertionFirst)
        && let Some(text) = form.get("assertion")
    {
        let claims = assertion::authentic(tiny, text).await?;
        claims::check(tiny, claims, crate::harness::CLIENT)?;
    }
    let client_id = client::authenticate(tiny, headers, form)?;
    let grant_type = form.get("grant_type").ok_or_else(|| refuse("invalid_request"))?;
    if grant_type == "refresh_token" && tiny.has(Fault::KnowsRefresh) {
        return Err(refuse("invalid_grant"));
    }
    if grant_type != JWT_BEARER && tiny.no(Fault::TakesAnyGrant) {
        return Err(refuse("unsupported_grant_type"));
    }
    let missing = if tiny.has(Fault::MissingAssertionIsAGrant) { "invalid_grant" } else { "invalid_request" };
    let text = form.get("assertion").ok_or_else(|| refuse(missing))?;
    let claims = assertion::authentic(tiny, text).await?;
    let good = claims::check(tiny, claims, &client_id)?;
    let proved = proof::proved(tiny, headers).inspect_err(|refused| {
        if refused.code == "use_dpop_nonce" && tiny.has(Fault::NonceBurnsAssertion) {
            tiny.used.lock().unwrap().insert(good.jti.clone());
        }
    })?;
    proof::confirm(tiny, &good.claims["cnf"], proved.as_deref())?;
    resource(tiny, form, &good.claims)?;
    let scopes = scopes(tiny, form, &good.claims)?;
    let details = details(tiny, form)?;
    person(tiny, &good)?;
    redeem(tiny, text, &good).await?;
    let mut body = answer(tiny, &client_id, &good, &scopes, proved);
    if !details.is_null() {
        body["authorization_details"] = details;
    }
    Ok(told(tiny, body))
}

/// RFC 9396 §5: the details that are granted, which are those of the request; null for none.
fn details(tiny: &Tiny, form: &Form) -> Answered<Value> {
    let is_ignored = tiny.has(Fault::IgnoresRequestedDetails) || tiny.has(Fault::NoDetails);
    let Some(text) = form.get("authorization_details").filter(|_| !is_ignored) else {
        return Ok(Value::Null);
    };
    let asked: Value = serde_json::from_str(text).unwrap_or_default();
    let all = asked.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_good = !all.is_empty() && all.iter().all(|detail| detail["type"] == KNOWN_DETAIL);
    let is_taken = is_good || tiny.has(Fault::GrantsAnyDetails);
    is_taken.then_some(asked).ok_or_else(|| refuse("invalid_authorization_details"))
}

fn resource(tiny: &Tiny, form: &Form, claims: &Value) -> Answered<()> {
    let is_bad = form.get("resource").is_some_and(|asked| !is_our_resource(tiny, asked));
    let is_ignored = match claims["resource"].is_null() {
        true => tiny.has(Fault::AnyRequestedResource),
        false => tiny.has(Fault::IgnoresRequestedResource),
    };
    if is_bad && !is_ignored {
        return Err(refuse("invalid_target"));
    }
    Ok(())
}

fn scopes(tiny: &Tiny, form: &Form, claims: &Value) -> Answered<Vec<String>> {
    if tiny.has(Fault::GrantsEverything) {
        return Ok(SCOPES.map(str::to_owned).to_vec());
    }
    let asserted = claims["scope"].as_str().unwrap_or_default();
    let may = |scope: &&str| {
        SCOPES.contains(scope)
            || (tiny.has(Fault::UnknownScopes) && *scope == "conformance.unknown")
            || (tiny.has(Fault::OfflineAccess) && *scope == "offline_access")
    };
    let asserted: Vec<&str> = asserted.split(' ').filter(|scope| !scope.is_empty()).filter(may).collect();
    let asked = form.get("scope");
    let is_asked = |scope: &&str| asked.is_none_or(|asked| asked.split(' ').any(|one| one == *scope));
    let granted: Vec<String> = asserted.into_iter().filter(is_asked).map(str::to_owned).collect();
    let is_nothing = asked.is_some() && granted.is_empty();
    if is_nothing && tiny.no(Fault::NarrowsToNothing) {
        return Err(refuse("invalid_scope"));
    }
    Ok(granted)
}

/// Somebody is known by an email, once.
fn person(tiny: &Tiny, good: &Good) -> Answered<()> {
    let mut known = tiny.known.lock().unwrap();
    if good.claims["email"].is_string() {
        known.insert(good.sub.clone());
    }
    let is_known = known.contains(&good.sub) || tiny.has(Fault::TakesNobody);
    is_known.then_some(()).ok_or_else(|| refuse("access_denied"))
}

async fn redeem(tiny: &Tiny, text: &str, good: &Good) -> Answered<()> {
    if tiny.has(Fault::UsesUpEarly) {
        return Ok(());
    }
    let key = if tiny.has(Fault::ReplayByText) { text } else { &good.jti };
    if tiny.has(Fault::ReplayAtOnce) {
        let is_used = tiny.used.lock().unwrap().contains(key);
        // Requests of one moment meet here, also on a busy machine.
        tokio::time::sleep(Duration::from_millis(60)).await;
        tiny.used.lock().unwrap().insert(key.to_owned());
        return if is_used { Err(refuse("invalid_grant")) } else { Ok(()) };
    }
    let is_new = tiny.used.lock().unwrap().insert(key.to_owned());
    (is_new || tiny.has(Fault::Replay)).then_some(()).ok_or_else(|| refuse("invalid_grant"))
}

fn answer(tiny: &Tiny, client_id: &str, good: &Good, scopes: &[String], proved: Option<String>) -> Value {
    let lifetime = if tiny.has(Fault::LongToken) { 86_400 } else { 3600 };
    let bound = proved.filter(|_| tiny.no(Fault::UnboundToken));
    let token = token(tiny, client_id, good, (scopes, lifetime, bound.as_deref()));
    let kind = if bound.is_some() { "DPoP" } else { "Bearer" };
    let mut body = json!({
        "access_token": token,
        "token_type": if tiny.has(Fault::OddTokenType) { "mac" } else { kind },
        "expires_in": lifetime,
    });
    if tiny.no(Fault::NoScope) {
        body["scope"] = json!(scopes.join(" "));
    }
    if tiny.no(Fault::NoResource) {
        body["resource"] = json!(RESOURCE);
    }
    if tiny.has(Fault::RefreshToken) {
        body["refresh_token"] = json!("x");
    }
    body
}

fn told(tiny: &Tiny, body: Value) -> Response {
    let mut headers = HeaderMap::new();
    if tiny.no(Fault::CacheableToken) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if tiny.has(Fault::TokenInHeader) {
        headers.insert(
            HeaderName::from_static("x-token"),
            body["access_token"].as_str().unwrap().parse().unwrap(),
        );
    }
    (headers, axum::Json(body)).into_response()
}

fn token(
    tiny: &Tiny,
    client_id: &str,
    good: &Good,
    (scopes, lifetime, bound): (&[String], i64, Option<&str>),
) -> String {
    let person =
        if tiny.has(Fault::MemberByEmail) { good.claims["email"].to_string() } else { good.sub.clone() };
    let sub = if tiny.has(Fault::SubjectOfProvider) { good.sub.clone() } else { random::digest(&person) };
    let jti = random::token::<24>().unwrap();
    let mut claims = json!({
        "iss": tiny.issuer,
        "aud": if tiny.has(Fault::IssuerAsAudience) { tiny.issuer.as_str() } else { RESOURCE },
        "sub": sub,
        "client_id": client_id,
        "iat": NOW,
        "exp": NOW + lifetime,
        "jti": if tiny.has(Fault::ShortTokenId) { &jti[..6] } else { jti.as_str() },
        "scope": scopes.join(" "),
    });
    if let Some(bound) = bound {
        claims["cnf"] = json!({ "jkt": bound });
    }
    if tiny.has(Fault::EmailInToken) {
        claims["email"] = good.claims["email"].clone();
    }
    if tiny.has(Fault::FewClaims) {
        claims.as_object_mut().unwrap().remove("client_id");
    }
    let kind = if tiny.has(Fault::UntypedToken) { "JWT" } else { "at+jwt" };
    let header = json!({ "alg": "ES256", "kid": tiny.signing_key.kid(), "typ": kind }).to_string();
    let another;
    let key = match tiny.has(Fault::SignsWithAnotherKey) {
        true => {
            another = countersign::conformance::SuiteKey::generate(tiny.signing_key.alg()).unwrap();
            &another
        }
        false => &tiny.signing_key,
    };
    let token = key.sign("ES256", &header, &claims.to_string()).unwrap();
    tiny.active.lock().unwrap().insert(token.clone(), claims);
    token
}
