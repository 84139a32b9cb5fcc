//! The service as clients reach it: through its proxy, under its issuer. The classic mistakes are a proxy that strips
//! the path, or that leads to another deployment.

use axum::http::header;
use serde_json::Value;

use super::http::{self, HttpReply};
use super::line::Lines;
use super::pages;
use super::patient::Patient;
use crate::clock::{DAY, rfc3339};
use crate::idp::fetch::FetchError;
use crate::model::signing_key::split_retired;
use crate::oauth::difference::Difference;
use crate::tls::expiry;

/// The names of the checks, in the order of the report.
pub(super) const ORDER: [&str; 8] =
    ["metadata", "endpoints", "certificate", "key_set", "token_endpoint", "cors", "admin_api", "console"];

/// Asks for everything that clients ask for.
pub(super) async fn examine(patient: &Patient, lines: &Lines) {
    tokio::join!(
        metadata(patient, lines),
        key_set(patient, lines),
        token_endpoint(patient, lines),
        pages::examine(patient, lines),
        admin_api(patient, lines),
        console(patient, lines),
    );
}

/// RFC 8414 §3.1: the well-known part comes between host and path.
fn metadata_url(patient: &Patient) -> String {
    let path = patient.config.issuer_path();
    let origin = patient.config.issuer.strip_suffix(&path).unwrap_or(&patient.config.issuer);
    format!("{origin}/.well-known/oauth-authorization-server{path}")
}

async fn metadata(patient: &Patient, lines: &Lines) {
    let (url, issuer) = (metadata_url(patient), &patient.config.issuer);
    let reply = match http::get(&patient.own, &url).await {
        Ok(reply) => reply,
        Err(error) => return unreachable("metadata", &url, &error, lines),
    };
    patient.readings.note("issuer", reply.date, patient.clock.now());
    certificate(patient, &reply, lines);
    if let Some((message, fix)) = wrong_status(&url, &reply, 200) {
        return lines.fail("metadata", message, fix);
    }
    let Some(found) = reply.text("issuer") else {
        let fix = "Let the proxy pass this path to Countersign, unchanged.";
        return lines.fail("metadata", format!("{url} did not answer with metadata."), fix);
    };
    if found != issuer {
        let remark = Difference::between(issuer, found).map(|how| format!(" They differ only {how}."));
        let found: String = found.chars().take(300).collect();
        return lines.fail(
            "metadata",
            format!("{url} names the issuer {found}, not {issuer}.{}", remark.unwrap_or_default()),
            "The proxy leads to another deployment, or `issuer` here differs from the service's. Clients compare bytes.",
        );
    }
    lines.ok("metadata", format!("{url} names exactly this issuer ({} ms).", reply.millis()));
    let wrong = ["token_endpoint", "jwks_uri"].into_iter().zip(["/oauth2/token", "/oauth2/jwks"]);
    let wrong = wrong.filter(|(name, path)| reply.text(name) != Some(format!("{issuer}{path}").as_str()));
    let wrong: Vec<&str> = wrong.map(|(name, _)| name).collect();
    match wrong.is_empty() {
        true => lines.ok("endpoints", "The metadata names the endpoints below this issuer."),
        false => lines.fail(
            "endpoints",
            format!("The metadata has another {} than this version has.", wrong.join(" and ")),
            "Let the proxy pass the document unchanged, and look for another server with this issuer.",
        ),
    }
}

fn unreachable(name: &str, url: &str, error: &FetchError, lines: &Lines) {
    let fix = match error {
        FetchError::Redirect => {
            "Clients do not follow redirects here. Let the proxy pass this path to Countersign."
        }
        FetchError::Lookup(_) => "Create the DNS record of the issuer's host, or correct `issuer`.",
        _ => {
            "Start the service and its proxy, or correct `issuer`, DNS or the certificate. Try `curl -v` with this URL \
             from this machine; a root of your own belongs in `fetch.ca_file`."
        }
    };
    lines.fail(name, format!("{url} {error}."), fix);
}

/// The problem with an answer of another status, and what to do.
fn wrong_status(url: &str, reply: &HttpReply, expected: u16) -> Option<(String, &'static str)> {
    if reply.status == expected {
        return None;
    }
    Some(match (reply.is_our_not_found(), reply.status) {
        (true, _) => (
            format!("{url} reaches Countersign, but under another path."),
            "The proxy changes or strips the path, or the service has another `issuer`. Pass the path unchanged.",
        ),
        (false, 404) => (
            format!("{url} answered with status 404, and that was not Countersign."),
            "Let the proxy pass this path to Countersign, unchanged.",
        ),
        (false, 502..=504) => (
            format!("{url} answered with status {}: the proxy does not reach Countersign.", reply.status),
            "Start the service, or correct the proxy's upstream address.",
        ),
        (false, status) => (
            format!("{url} answered with status {status}; expected {expected}."),
            "Let the proxy pass this path to Countersign, unchanged, for GET and POST and without a login of its own.",
        ),
    })
}

fn certificate(patient: &Patient, reply: &HttpReply, lines: &Lines) {
    let Some(until) = reply.certificate.as_ref().and_then(|shown| expiry::of(&shown.0)) else { return };
    let left = until - patient.clock.now();
    let days = left / DAY;
    let message = format!("The certificate is valid until {} ({days} days).", rfc3339(until));
    match left < expiry::EXPIRES_SOON {
        true => lines.warn("certificate", message, "Renew it, and look why that did not happen by itself."),
        false => lines.ok("certificate", message),
    }
}

/// The published key set must have the keys of our database.
async fn key_set(patient: &Patient, lines: &Lines) {
    let url = format!("{}/oauth2/jwks", patient.config.issuer);
    let reply = match http::get(&patient.own, &url).await {
        Ok(reply) => reply,
        Err(error) => return unreachable("key_set", &url, &error, lines),
    };
    if let Some((message, fix)) = wrong_status(&url, &reply, 200) {
        return lines.fail("key_set", message, fix);
    }
    let Some(served) = reply.json.as_ref().and_then(|json| json.get("keys")).and_then(Value::as_array) else {
        let fix = "Let the proxy pass this path to Countersign, unchanged.";
        return lines.fail("key_set", format!("{url} did not answer with a key set."), fix);
    };
    let Some(stored) = &patient.stored else {
        let fix = "See the lines about the database.";
        return lines.warn("key_set", "The keys were not compared, since the database cannot be read.", fix);
    };
    let (published, _) = split_retired(&stored.keys, patient.clock.now());
    let is_missing = |public: &&str| !served.contains(&serde_json::from_str(public).unwrap_or_default());
    let missing = published.iter().map(|key| key.public_jwk.as_str()).filter(is_missing).count();
    match missing {
        0 => lines.ok("key_set", format!("{url} has every key of this database ({}).", published.len())),
        _ => lines.fail(
            "key_set",
            format!("{url} lacks {missing} of the {} keys of this database.", published.len()),
            "The proxy leads to another deployment, a cache keeps an old key set, or the service has another \
             `database_url`.",
        ),
    }
}

/// It takes POST only, and says so: then requests for tokens arrive as well.
async fn token_endpoint(patient: &Patient, lines: &Lines) {
    let url = format!("{}/oauth2/token", patient.config.issuer);
    match http::get(&patient.own, &url).await {
        Err(error) => unreachable("token_endpoint", &url, &error, lines),
        Ok(reply) => match wrong_status(&url, &reply, 405) {
            Some((message, fix)) => lines.fail("token_endpoint", message, fix),
            None => lines.ok("token_endpoint", format!("{url} is reached.")),
        },
    }
}

async fn admin_api(patient: &Patient, lines: &Lines) {
    let url = format!("{}/api/v1/teamspaces", patient.config.issuer);
    reach("admin_api", (&url, 401), patient, lines).await;
}

async fn console(patient: &Patient, lines: &Lines) {
    if let Some(console) = patient.config.console_url() {
        reach("console", (&format!("{console}/sign-in"), 200), patient, lines).await;
    }
}

/// A place for administrators, which some deployments do not publish.
async fn reach(name: &str, (url, expected): (&str, u16), patient: &Patient, lines: &Lines) {
    let private = |why: String| {
        let fix = "Nothing, if you keep it private on purpose. Otherwise let the proxy pass this path.";
        lines.warn(name, format!("{url} {why}."), fix);
    };
    match http::get(&patient.own, url).await {
        Err(error) => private(error.to_string()),
        Ok(reply) if reply.status == expected && is_ours(&reply) => {
            lines.ok(name, format!("{url} is reached."));
        }
        Ok(reply) => match wrong_status(url, &reply, expected) {
            Some((message, fix)) if reply.is_our_not_found() => lines.fail(name, message, fix),
            Some(_) => private(format!("answered with status {}", reply.status)),
            None => private("is answered by another program".to_owned()),
        },
    }
}

/// Countersign names each request.
fn is_ours(reply: &HttpReply) -> bool {
    reply.headers.contains_key("x-request-id") && reply.headers.contains_key(header::CONTENT_TYPE)
}
