//! The MCP servers: whether each refuses a request without a token, and leads clients to us (RFC 9728).

use std::sync::Arc;

use axum::http::{Method, Request, header};
use url::Url;

use super::challenge::resource_metadata;
use super::http::{self, HttpReply};
use super::line::Lines;
use super::many::each;
use super::patient::Patient;
use crate::config::is_loopback;
use crate::idp::fetch::{FetchError, Fetcher};
use crate::model::resource::Resource;
use crate::oauth::difference::Difference;

/// The least that an MCP server answers to. It changes nothing there, even if the server lets everybody in.
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// Checks each registered resource.
pub(super) async fn examine(patient: &Arc<Patient>, lines: &Lines) {
    let Some(stored) = &patient.stored else {
        return lines.warn(
            "resources",
            "The MCP servers were not asked, since the database cannot be read.",
            "See the lines about the database.",
        );
    };
    let resources: Vec<Arc<Resource>> = stored.snapshot.resources().cloned().collect();
    if resources.is_empty() {
        lines.warn(
            "resources",
            "No MCP server is registered, so no token can be issued.",
            "Register one in the console, or with `countersign resource create`.",
        );
    }
    // Where everything is on one machine, nothing needs to be exempt.
    let is_local = |url: &str| Url::parse(url).is_ok_and(|url| is_loopback(&url));
    let local = resources.iter().map(|resource| resource.identifier.as_str()).filter(|url| is_local(url));
    let local = local.filter(|_| is_local(&patient.config.issuer));
    let fetcher = http::for_own_urls(&patient.fetcher, local);
    let check = |resource: Arc<Resource>| {
        let (patient, lines, fetcher) = (Arc::clone(patient), lines.clone(), fetcher.clone());
        async move { check_resource(&patient, &fetcher, &resource, &lines).await }
    };
    each(resources, "resources", lines, check).await;
}

async fn check_resource(patient: &Patient, fetcher: &Fetcher, resource: &Resource, lines: &Lines) {
    let name = &resource.identifier;
    let request = Request::builder()
        .method(Method::POST)
        .uri(name)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream")
        .body(PING.into());
    let Ok(request) = request else { return };
    let expected = format!("{}/resources/{}/protected-resource-metadata", patient.config.issuer, resource.id);
    let reply = match http::send(fetcher, request).await {
        Ok(reply) => reply,
        Err(error) => return unreachable(name, &error, lines),
    };
    if let Some(url) = challenged(name, &reply, &expected, lines) {
        metadata(patient, fetcher, (name, &url), lines).await;
    }
}

fn unreachable(name: &str, error: &FetchError, lines: &Lines) {
    match error {
        FetchError::PrivateAddress | FetchError::NotHttps | FetchError::Port => lines.warn(
            name,
            format!("It was not asked: the URL {error}, and its origin is not in `fetch.private_origins`."),
            "Add its exact origin to `fetch.private_origins` if the doctor should ask it. Sign-ins do not need that.",
        ),
        FetchError::Redirect => lines.fail(
            name,
            "It redirects a request without a token.",
            "Register the URL that it redirects to: clients compare it byte for byte.",
        ),
        error => lines.warn(
            name,
            format!("It cannot be checked from here: the URL {error}."),
            "Start the MCP server, or correct its registered identifier. Clients must reach it; this machine need not.",
        ),
    }
}

/// The address of the metadata that the answer names; otherwise tells what is wrong with it.
fn challenged(name: &str, reply: &HttpReply, expected: &str, lines: &Lines) -> Option<String> {
    let add =
        format!("Answer 401 with the header `WWW-Authenticate: Bearer resource_metadata=\"{expected}\"`");
    match reply.status {
        401 => {}
        200..=299 => {
            let message =
                format!("It lets everybody in: it answered with status {} without a token.", reply.status);
            lines.fail(name, message, format!("Verify the access token of each request first. {add}."));
            return None;
        }
        status => {
            let message = format!("It answered with status {status} without a token; expected 401.");
            let fix = format!("{add} before anything else, or correct the registered identifier.");
            lines.fail(name, message, fix);
            return None;
        }
    }
    let challenges = reply.headers.get_all(header::WWW_AUTHENTICATE).iter();
    let found = challenges.filter_map(|value| value.to_str().ok()).find_map(resource_metadata);
    if found.is_none() {
        let message =
            "It answers 401 without `resource_metadata`, so clients do not find out where to get a token.";
        lines.fail(name, message, format!("{add}, or with the URL of its own metadata."));
    }
    found
}

/// RFC 9728 §3.3: the document must name exactly this resource; and for it to be of use, our issuer.
async fn metadata(patient: &Patient, fetcher: &Fetcher, (name, url): (&str, &str), lines: &Lines) {
    let shown: String = url.chars().take(300).collect();
    let document = match fetcher.get(url).await {
        Ok(fetched) => fetched.json,
        Err(error) => {
            let message = format!("Its metadata at {shown} cannot be had: the URL {error}.");
            let fix = "Serve the document there as JSON with status 200, without a token; or correct the URL in the header.";
            return lines.fail(name, message, fix);
        }
    };
    let text =
        |value: &serde_json::Value| value.as_str().unwrap_or_default().chars().take(300).collect::<String>();
    let resource = document.get("resource").map(text).unwrap_or_default();
    if resource != name {
        let remark = Difference::between(name, &resource).map(|how| format!(" They differ only {how}."));
        return lines.fail(
            name,
            format!("Its metadata names the resource \"{resource}\".{}", remark.unwrap_or_default()),
            format!("Write `\"resource\": \"{name}\"` there, or register that identifier here: clients compare bytes."),
        );
    }
    let issuer = &patient.config.issuer;
    let servers = document.get("authorization_servers").and_then(serde_json::Value::as_array);
    let servers: Vec<String> = servers.into_iter().flatten().take(10).map(text).collect();
    if !servers.contains(issuer) {
        let remark = servers.iter().find_map(|server| Difference::between(issuer, server));
        let remark = remark.map(|how| format!(" One differs only {how}.")).unwrap_or_default();
        return lines.fail(
            name,
            format!("Its metadata names other authorization servers: {}.{remark}", servers.join(", ")),
            format!("Write `\"authorization_servers\": [\"{issuer}\"]` there."),
        );
    }
    lines.ok(name, "It answers 401 without a token, and its metadata names it and this issuer.");
}
