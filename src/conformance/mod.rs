//! `countersign conformance`: the requirements of the standards, tried from outside on any authorization server that
//! takes ID-JAGs.
//!
//! It brings its own identity provider, and one good assertion. Each check spoils it in one way, and looks at the
//! answer. Nothing is known of the server but what it was set up with.

mod checks;
mod draft;
mod issuer;
mod judged;
mod keys;
mod profile;
mod report;
mod requirements;
mod setup;
mod suite;
mod target;
mod wire;

use std::sync::Arc;

use reqwest::Certificate;
use tokio::net::TcpListener;

pub use issuer::{ClientDocument, SuiteIdp};
pub use judged::{CheckedRule, Judged, Judgement};
pub use keys::{SuiteAlg, SuiteKey, SuiteKeyError, SuiteKeys};
pub use profile::ConformanceProfile;
pub use report::{ConformanceReport, RuleReport, RuleState};
pub use requirements::{Requirement, RequirementLevel, requirement, requirements};
pub use setup::setup;
use suite::Suite;
pub use target::{KnownClient, TestTarget};
pub use wire::{ClientAuth, ProbeReply, Transcript};

use crate::clock::Clock;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ConformanceError {
    /// The keys failed.
    #[error(transparent)]
    Key(#[from] SuiteKeyError),
    /// No client for HTTP can be made.
    #[error("no HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

/// Starts the identity provider. Without a public URL, its issuer is the listener's address.
pub fn serve_idp(
    listener: TcpListener,
    public: Option<String>,
    keys: Arc<SuiteKeys>,
) -> std::io::Result<SuiteIdp> {
    let local = listener.local_addr()?;
    let issuer = public.unwrap_or_else(|| format!("http://{local}"));
    Ok(SuiteIdp::serve(listener, issuer, keys))
}

/// Tries everything, and reports.
pub async fn examine(
    target: TestTarget,
    idp: SuiteIdp,
    ca: Vec<Certificate>,
    clock: Arc<dyn Clock>,
) -> Result<ConformanceReport, ConformanceError> {
    let is_http = |url: &str| url.starts_with("http:");
    let without_tls = is_http(&target.issuer) && target.token_url.as_deref().is_none_or(is_http);
    let mut suite = Suite::new(target, idp, wire::http(ca, without_tls)?, clock);
    checks::metadata::discover(&mut suite).await;
    if suite.token_url.is_empty() {
        let rule = CheckedRule::new("RSP-01", judged::GOOD_ASSERTION);
        suite.judge(&rule, missing_endpoint());
        return Ok(report(suite));
    }
    if let Some(first) = checks::access_token::first(&mut suite).await? {
        chapters(&mut suite, &first).await?;
    }
    Ok(report(suite))
}

fn report(suite: Suite) -> ConformanceReport {
    let (target, judged) = suite.finish();
    ConformanceReport::new(&target, judged)
}

fn missing_endpoint() -> Judgement {
    Judgement::Fails {
        expected: "a token endpoint".to_owned(),
        found: "neither metadata that names one nor --token-url".to_owned(),
        transcripts: Vec::new(),
    }
}

async fn chapters(suite: &mut Suite, first: &ProbeReply) -> Result<(), SuiteKeyError> {
    checks::access_token::run(suite, first).await?;
    checks::token_request::run(suite).await?;
    checks::client_authentication::run(suite).await?;
    checks::key_client::run(suite).await?;
    checks::document_client::run(suite).await?;
    checks::assertion::run(suite).await?;
    checks::replay::run(suite).await?;
    checks::subject::run(suite).await?;
    checks::resources_and_scopes::run(suite).await?;
    checks::dpop::run(suite).await?;
    checks::introspection::run(suite).await?;
    checks::revocation::run(suite).await
}
