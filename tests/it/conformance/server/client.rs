//! Client authentication.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::assertion::{is_signed_by, opened};
use super::request::{Form, decoded};
use super::{Answered, Fault, NOW, Refused, Tiny, refuse};
use crate::harness::{CLIENT, SECRET, http};

/// The clients with a secret.
const CLIENTS: [&str; 2] = [CLIENT, "another-client"];
/// The client with a key.
pub const KEY_CLIENT: &str = "client-with-a-key";

fn invalid_client(challenge: bool) -> Refused {
    Refused { status: 401, code: "invalid_client", challenge, told: "authentication failed" }
}

/// The id of the client that authenticated.
pub fn authenticate(tiny: &Tiny, headers: &HeaderMap, form: &Form) -> Answered<String> {
    let basic = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    if let Some(assertion) = form.get("client_assertion") {
        if basic.is_some() || form.get("client_secret").is_some() {
            return Err(refuse("invalid_request"));
        }
        return by_assertion(tiny, assertion, form.get("client_id"));
    }
    let Some(basic) = basic else {
        let id = form.get("client_id").ok_or_else(|| invalid_client(false))?;
        let Some(secret) = form.get("client_secret").filter(|_| tiny.no(Fault::RefusesPost)) else {
            let taken = tiny.has(Fault::TakesClientWithoutSecret) && id == CLIENT;
            return if taken { Ok(id.to_owned()) } else { Err(invalid_client(false)) };
        };
        return by_secret(tiny, id, secret, false);
    };
    if form.get("client_secret").is_some() && tiny.no(Fault::TakesTwoWays) {
        return Err(refuse("invalid_request"));
    }
    let (id, secret) = credentials(basic).ok_or_else(|| invalid_client(true))?;
    if form.get("client_id").is_some_and(|other| other != id) {
        return Err(refuse("invalid_request"));
    }
    by_secret(tiny, &id, &secret, true)
}

fn by_secret(tiny: &Tiny, id: &str, secret: &str, challenge: bool) -> Answered<String> {
    let is_known = CLIENTS.contains(&id);
    if !is_known && tiny.has(Fault::TellsUnknownClients) {
        return Err(Refused { told: "there is no such client", ..invalid_client(challenge) });
    }
    if !is_known || (secret != SECRET && tiny.no(Fault::IgnoresSecret)) {
        return Err(invalid_client(challenge));
    }
    Ok(id.to_owned())
}

fn credentials(basic: &str) -> Option<(String, String)> {
    let pair = STANDARD.decode(basic.strip_prefix("Basic ")?).ok()?;
    let (id, secret) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some((decoded(id)?, decoded(secret)?))
}

/// Reads the metadata document of a client whose id is the URL of one.
pub async fn learn(tiny: &Tiny, form: &Form) {
    let Some(id) = form.get("client_id").filter(|id| id.starts_with(&tiny.idp)) else { return };
    let Ok(answer) = http().get(id).send().await else { return };
    let document: Value = answer.json().await.unwrap_or_default();
    let is_its_own = document["client_id"] == id || tiny.has(Fault::AnyDocument);
    let has_secret = document.get("client_secret").is_some() && tiny.no(Fault::DocumentWithSecret);
    if is_its_own && !has_secret {
        tiny.documents.lock().unwrap().insert(id.to_owned(), document["jwks"]["keys"][0].clone());
    }
}

/// RFC 7523 §3.
fn by_assertion(tiny: &Tiny, assertion: &str, named: Option<&str>) -> Answered<String> {
    if tiny.has(Fault::TakesIdJagAsClient) {
        let kind = opened(assertion, 0).map(|header| header["typ"].clone());
        if kind == Some("oauth-id-jag+jwt".into()) {
            return Ok(CLIENT.to_owned());
        }
    }
    let (header, claims) =
        opened(assertion, 0).zip(opened(assertion, 1)).ok_or_else(|| invalid_client(false))?;
    if header["alg"] == "HS256" && tiny.has(Fault::TakesHmacClient) {
        return Ok(claims["iss"].as_str().unwrap().to_owned());
    }
    let issuer = claims["iss"].as_str().unwrap_or_default();
    let of_document = tiny.documents.lock().unwrap().get(issuer).cloned();
    let id = if of_document.is_some() { issuer } else { KEY_CLIENT };
    let key = of_document.as_ref().unwrap_or(&tiny.client_key);
    let kind = header["typ"].as_str();
    let is_good = matches!(kind, None | Some("JWT" | "client-authentication+jwt"))
        && is_signed_by(assertion, &header, key)
        && claims["iss"] == id
        && claims["sub"] == id
        && named.is_none_or(|named| named == id)
        && claims["exp"].as_i64().is_some_and(|exp| exp > NOW)
        && audience(tiny, &claims["aud"]);
    let jti = claims["jti"].as_str().filter(|_| is_good).ok_or_else(|| invalid_client(false))?;
    let is_new = tiny.seen.lock().unwrap().insert(format!("client {jti}"));
    if is_new || tiny.has(Fault::ClientAssertionsAgain) {
        return Ok(id.to_owned());
    }
    Err(invalid_client(false))
}

fn audience(tiny: &Tiny, aud: &Value) -> bool {
    let token_url = tiny.has(Fault::ClientAudienceIsTokenUrl) && *aud == tiny.token_url();
    *aud == tiny.issuer || token_url
}
