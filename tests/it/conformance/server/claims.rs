//! The claims of an assertion.

use serde_json::Value;

use super::{Answered, Fault, NOW, Tiny, refuse};
use crate::harness::RESOURCE;

/// Seconds by which clocks may differ.
const SKEW: i64 = 30;
const LONGEST_LIFE: i64 = 600;

/// An assertion that is good for the client.
pub struct Good {
    pub claims: Value,
    pub jti: String,
    pub sub: String,
}

fn demand(holds: bool) -> Answered<()> {
    holds.then_some(()).ok_or_else(|| refuse("invalid_grant"))
}

/// A text that is not empty and not too long.
fn is_text(value: &Value, most: usize) -> bool {
    value.as_str().is_some_and(|text| (1..=most).contains(&text.len()))
}

fn is_number(value: &Value) -> Option<i64> {
    let seconds = value.as_f64().filter(|seconds| (0.0..1e11).contains(seconds))?;
    Some(seconds as i64)
}

/// Checks every claim.
pub fn check(tiny: &Tiny, claims: Value, client_id: &str) -> Answered<Good> {
    audience(tiny, &claims["aud"])?;
    let is_workload = claims["client_id"].is_null() && tiny.has(Fault::TakesWorkloads);
    demand(claims["client_id"] == client_id || is_workload || tiny.has(Fault::NoClientBinding))?;
    demand(is_text(&claims["sub"], 255) || tiny.has(Fault::AnySubject))?;
    times(tiny, &claims)?;
    if tiny.has(Fault::CrashesOnTokenId) && !claims["jti"].is_string() {
        return Err(super::Refused { status: 500, ..refuse("server_error") });
    }
    demand(is_text(&claims["jti"], 256) || tiny.has(Fault::NoTokenId))?;
    asked(tiny, &claims)?;
    optional(tiny, &claims)?;
    let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    let (jti, sub) = (text("jti"), text("sub"));
    Ok(Good { claims, jti, sub })
}

fn audience(tiny: &Tiny, aud: &Value) -> Answered<()> {
    let all = aud.as_array().map(Vec::as_slice).unwrap_or(std::slice::from_ref(aud));
    let is_ours = |one: &Value| {
        let text = one.as_str().unwrap_or_default();
        text == tiny.issuer
            || (tiny.has(Fault::LooseAudience) && text.to_ascii_lowercase().starts_with(&tiny.issuer))
            || (tiny.has(Fault::TokenUrlAsAudience) && text == tiny.token_url())
            || (tiny.has(Fault::TakesWorkloads) && text == tiny.token_url())
    };
    let is_absent = aud.is_null() && tiny.has(Fault::NoAudience);
    let among = tiny.has(Fault::AudienceAmongOthers) && all.iter().any(is_ours);
    demand(is_absent || among || matches!(all, [one] if is_ours(one)))
}

fn times(tiny: &Tiny, claims: &Value) -> Answered<()> {
    let exp = match &claims["exp"] {
        Value::String(text) if tiny.has(Fault::ExpiryAsText) => text.parse().ok(),
        other => is_number(other),
    };
    let iat = is_number(&claims["iat"]);
    if tiny.no(Fault::NoExpiry) {
        demand(exp.is_some_and(|exp| exp > NOW - SKEW))?;
    }
    if tiny.no(Fault::NoIssuedAt) {
        demand(iat.is_some_and(|iat| iat <= NOW + SKEW))?;
    }
    if tiny.no(Fault::LongLife)
        && let Some((iat, exp)) = iat.zip(exp)
    {
        demand(exp - iat <= LONGEST_LIFE)?;
    }
    let nbf = &claims["nbf"];
    let is_good = nbf.is_null() || is_number(nbf).is_some_and(|nbf| nbf <= NOW + SKEW);
    demand(is_good || tiny.has(Fault::IgnoresNotBefore))
}

/// Resource, scope and details.
fn asked(tiny: &Tiny, claims: &Value) -> Answered<()> {
    let resource = &claims["resource"];
    let is_ours = |one: &Value| is_our_resource(tiny, one.as_str().unwrap_or_default());
    let all_ours = match resource {
        Value::Null => true,
        Value::Array(all) => !all.is_empty() && all.iter().all(is_ours),
        one => is_ours(one),
    };
    demand(all_ours || tiny.has(Fault::AnyResource))?;
    let scope = &claims["scope"];
    let is_array = scope.is_array() && tiny.has(Fault::ScopeInArray);
    let is_good = scope.as_str().is_some_and(|text| !text.contains(['"', '\\']));
    demand(scope.is_null() || is_array || is_good)?;
    demand(claims["authorization_details"].is_null() || tiny.has(Fault::IgnoresDetails))
}

/// RFC 3986 §6.2.2.
pub fn is_our_resource(tiny: &Tiny, text: &str) -> bool {
    match tiny.has(Fault::ComparesResourcesExactly) {
        true => text == RESOURCE,
        false => countersign::oauth::resource::normalize(text).as_deref() == Some(RESOURCE),
    }
}

fn optional(tiny: &Tiny, claims: &Value) -> Answered<()> {
    let absent_or = |name: &str, is: fn(&Value) -> bool| claims[name].is_null() || is(&claims[name]);
    let is_actor = |act: &Value| is_text(&act["sub"], 255);
    demand(absent_or("act", is_actor) || tiny.has(Fault::AnyActor))?;
    let is_of_nobody = !claims["aud_tenant"].is_null() || !absent_or("tenant", Value::is_string);
    demand(!is_of_nobody || tiny.has(Fault::IgnoresTenant))?;
    let is_list = |amr: &Value| amr.as_array().is_some_and(|all| all.iter().all(Value::is_string));
    let are_facts = absent_or("auth_time", Value::is_number)
        && absent_or("acr", Value::is_string)
        && absent_or("amr", is_list);
    demand(are_facts || tiny.has(Fault::AnySignInFacts))?;
    let is_email = absent_or("email", Value::is_string) && absent_or("email_verified", Value::is_boolean);
    demand((is_email && claims["email_verified"] != false) || tiny.has(Fault::AnyEmail))?;
    demand(claims.get("azp").is_none() || tiny.no(Fault::RefusesUnknownClaims))
}
