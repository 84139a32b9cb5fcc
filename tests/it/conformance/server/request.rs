//! The form of a token request.

use axum::http::{HeaderMap, Method, Uri, header};
use percent_encoding::percent_decode_str;

use super::{Answered, Fault, Refused, Tiny, refuse};

const MOST: usize = 64 * 1024;
const KNOWN: [&str; 9] = [
    "grant_type",
    "assertion",
    "scope",
    "resource",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "authorization_details",
];

/// The parameters of a form, in order.
#[derive(Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

pub fn read(tiny: &Tiny, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Answered<Form> {
    if method != Method::POST && tiny.no(Fault::TakesGet) {
        return Err(Refused { status: 405, ..refuse("invalid_request") });
    }
    if body.len() > MOST {
        return Err(Refused { status: 413, ..refuse("invalid_request") });
    }
    if method == Method::GET && tiny.has(Fault::TakesGet) {
        return check(tiny, parse(uri.query().unwrap_or_default()).unwrap_or_default());
    }
    let kind = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap().trim();
    if kind == "application/json" && tiny.has(Fault::TakesJson) {
        let body: std::collections::BTreeMap<String, String> = serde_json::from_slice(body).unwrap();
        return Ok(Form(body.into_iter().collect()));
    }
    if kind != "application/x-www-form-urlencoded" {
        return Err(refuse("invalid_request"));
    }
    let mut pairs =
        parse(std::str::from_utf8(body).map_err(|_| refuse("invalid_request"))?).ok_or_else(|| {
            let status = if tiny.has(Fault::CrashesOnBadEncoding) { 500 } else { 400 };
            Refused { status, ..refuse("invalid_request") }
        })?;
    if let Some(query) = uri.query() {
        let taken = tiny.has(Fault::TakesQuery) || tiny.has(Fault::TakesSecretInUrl);
        let more = parse(query).filter(|_| taken).ok_or_else(|| refuse("invalid_request"))?;
        pairs.extend(more);
    }
    check(tiny, pairs)
}

fn check(tiny: &Tiny, mut pairs: Vec<(String, String)>) -> Answered<Form> {
    for (at, (name, _)) in pairs.iter().enumerate() {
        let is_repeated = pairs[..at].iter().any(|(earlier, _)| earlier == name);
        if is_repeated && tiny.no(Fault::TakesFirstOfTwo) {
            return Err(refuse("invalid_request"));
        }
        if tiny.has(Fault::RefusesUnknownParameters) && !KNOWN.contains(&name.as_str()) {
            return Err(refuse("invalid_request"));
        }
    }
    if tiny.no(Fault::EmptyIsAValue) {
        pairs.retain(|(_, value)| !value.is_empty());
    }
    Ok(Form(pairs))
}

fn parse(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

fn pair(pair: &str) -> Option<(String, String)> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    Some((decoded(name)?, decoded(value)?))
}

pub fn decoded(text: &str) -> Option<String> {
    let digits =
        |at: usize| text.get(at + 1..at + 3).is_some_and(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
    if !text.match_indices('%').all(|(at, _)| digits(at)) {
        return None;
    }
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().ok().map(String::from)
}
