//! Whether the running service is alive or ready, by its management listener.

use serde_json::Value;

use super::http::{self, HttpReply};
use crate::config::{Config, Duration};
use crate::idp::fetch::{FetchError, FetcherError};

/// Docker and systemd give up after some seconds themselves, and would not say why.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why the service does not count as healthy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HealthProblem {
    /// No HTTP client can be made.
    #[error(transparent)]
    Client(#[from] FetcherError),
    /// Nobody answers at this URL.
    #[error("{0} {1}")]
    NoAnswer(String, FetchError),
    /// The service says that it cannot serve sign-ins, and why.
    #[error("not ready: {0}")]
    NotReady(String),
    /// The URL answers with this status, which the service would not.
    #[error("{0} answered with status {1}: that is not Countersign's management listener")]
    AnotherProgram(String, u16),
}

/// The URL of the management listener as this machine reaches it.
pub(crate) fn management_url(config: &Config) -> String {
    http::url_of(config.management_listen)
}

/// Asks `/healthz`, or with `ready` `/readyz`.
pub(crate) async fn ask(base: &str, ready: bool) -> Result<(), HealthProblem> {
    let path = if ready { "readyz" } else { "healthz" };
    let url = format!("{}/{path}", base.trim_end_matches('/'));
    let mut config = Config::default();
    config.fetch.timeout = PATIENCE;
    let fetcher = http::for_own_urls(&http::fetcher(&config)?, [base]);
    let reply =
        http::get(&fetcher, &url).await.map_err(|error| HealthProblem::NoAnswer(url.clone(), error))?;
    match (reply.status, reply.text("status")) {
        (200, Some(_)) => Ok(()),
        (503, Some("stopping")) => Err(HealthProblem::NotReady("it is stopping".to_owned())),
        (503, Some(_)) => Err(HealthProblem::NotReady(failing(&reply).join(", "))),
        (status, _) => Err(HealthProblem::AnotherProgram(url, status)),
    }
}

/// The failing checks of `/readyz`, with their problems.
pub(super) fn failing(reply: &HttpReply) -> Vec<String> {
    let checks = reply.json.as_ref().and_then(|json| json.get("checks")).and_then(Value::as_object);
    let failing = checks.into_iter().flatten().filter(|(_, told)| *told != "ok");
    failing.map(|(name, told)| format!("{name}: {}", told.as_str().unwrap_or_default())).collect()
}
