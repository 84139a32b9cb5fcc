//! `countersign conformance`: it passes where it should, and finds each fault by the id that names it.

mod countersign_itself;
mod faults;
mod report;
mod server;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use countersign::clock::Clock;
use countersign::conformance::{
    self, ConformanceProfile, ConformanceReport, Judgement, KnownClient, RequirementLevel, RuleState,
    SuiteAlg, SuiteIdp, SuiteKeys, TestTarget,
};

use crate::harness::{CLIENT, RESOURCE, SECRET};

/// How long one run may take.
const LONGEST: Duration = Duration::from_secs(60);

pub async fn bind() -> tokio::net::TcpListener {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Making RSA keys takes long, so all tests share them.
static KEYS: LazyLock<Arc<SuiteKeys>> = LazyLock::new(|| Arc::new(SuiteKeys::generate().unwrap()));

/// The suite's identity provider.
pub async fn idp() -> SuiteIdp {
    conformance::serve_idp(bind().await, None, Arc::clone(&KEYS)).unwrap()
}

/// The client, the resource and the person of the tests.
pub fn target(issuer: &str, profile: ConformanceProfile) -> TestTarget {
    TestTarget {
        issuer: issuer.to_owned(),
        token_url: None,
        client: KnownClient { id: CLIENT.to_owned(), secret: SECRET.to_owned() },
        auth: None,
        other_client: None,
        key_client: None,
        introspection: None,
        resource: Some(RESOURCE.to_owned()),
        scope: Some("docs.read docs.write".to_owned()),
        subject: "00u1dana".to_owned(),
        email: profile.has_email().then(|| "dana@acme.com".to_owned()),
        profile,
        alg: SuiteAlg::Rs256,
        only: Vec::new(),
    }
}

/// A run, which must end in time.
pub async fn examine(target: TestTarget, idp: SuiteIdp, clock: Arc<dyn Clock>) -> ConformanceReport {
    let run = conformance::examine(target, idp, Vec::new(), clock);
    tokio::time::timeout(LONGEST, run).await.expect("under a minute").unwrap()
}

/// Ids that fail, or differ from our recommendations.
pub fn shortcomings(report: &ConformanceReport) -> Vec<&'static str> {
    let is_short = |state| [RuleState::Fails, RuleState::Differs].contains(&state);
    report.rules.iter().filter(|rule| is_short(rule.state)).map(|rule| rule.id).collect()
}

/// How many checks of a level hold.
pub fn holding(report: &ConformanceReport, level: RequirementLevel) -> usize {
    let checks = report.rules.iter().flat_map(|rule| &rule.checks);
    checks.filter(|check| check.level == level && matches!(check.judgement, Judgement::Holds)).count()
}
