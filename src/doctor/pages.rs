//! The token endpoint as pages of other origins reach it. The classic mistakes are a proxy that answers preflights
//! itself, and one that adds headers of its own.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use axum::http::{Method, Request};

use super::http::{self, HttpReply};
use super::line::Lines;
use super::patient::Patient;
use crate::idp::fetch::FetchError;

/// Sends the preflight of a page of the first origin, if there are any (Fetch standard, CORS-preflight fetch).
pub(super) async fn examine(patient: &Patient, lines: &Lines) {
    let origins = &patient.config.cors_origins;
    let Some(origin) = origins.first() else { return };
    let url = format!("{}/oauth2/token", patient.config.issuer);
    let found = preflight(patient, &url, origin).await.map(|reply| fault(&reply, origin));
    let fix = "Let the proxy pass OPTIONS at this path to Countersign and add no Access-Control headers of its own; \
               restart the service if `cors_origins` was changed.";
    match found {
        Ok(None) => {
            let message = format!("Pages of {} may call the token endpoint.", origins.join(", "));
            lines.ok("cors", message);
        }
        Ok(Some(fault)) => lines.fail("cors", format!("The preflight of {origin} at {url} {fault}."), fix),
        Err(error) => lines.fail("cors", format!("The preflight of {origin}: {url} {error}."), fix),
    }
}

async fn preflight(patient: &Patient, url: &str, origin: &str) -> Result<HttpReply, FetchError> {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri(url)
        .header(ORIGIN, origin)
        .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization");
    http::send(&patient.own, request.body(Vec::new()).map_err(|_| FetchError::NotAUrl)?).await
}

/// What keeps a browser from sending the request.
fn fault(reply: &HttpReply, origin: &str) -> Option<String> {
    let mut allowed = reply.headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter();
    match (allowed.next(), allowed.next()) {
        _ if !(200..300).contains(&reply.status) => {
            Some(format!("was answered with status {}", reply.status))
        }
        (None, _) => Some("was answered without Access-Control-Allow-Origin".to_owned()),
        (Some(_), Some(_)) => Some("was answered with Access-Control-Allow-Origin twice".to_owned()),
        (Some(value), None) if value != origin => {
            Some("was answered with another Access-Control-Allow-Origin".to_owned())
        }
        _ if reply.headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS) => Some(
            "was answered with Access-Control-Allow-Credentials, which lets pages send cookies".to_owned(),
        ),
        _ => None,
    }
}
