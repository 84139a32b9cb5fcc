//! The assertion: each way in which it can be wrong, and the ways in which it may differ (ID-JAG draft §3.1, §4.4.1).

mod bad_claims;
mod bad_headers;
mod good;

use crate::conformance::draft::AssertionDraft;
use crate::conformance::judged::{CheckedRule, Judgement};
use crate::conformance::keys::SuiteKeyError;
use crate::conformance::requirements::RequirementLevel;
use crate::conformance::suite::Suite;
use crate::oauth::request::JWT_BEARER;

/// A change to a good assertion.
type AssertionChange = fn(&mut AssertionDraft);

/// An assertion to be refused, or accepted.
pub(super) struct AssertionCase {
    id: &'static str,
    /// Whether only we recommend it.
    is_own: bool,
    title: &'static str,
    change: AssertionChange,
}

/// A case that the rule itself demands.
const fn case(id: &'static str, title: &'static str, change: AssertionChange) -> AssertionCase {
    AssertionCase { id, is_own: false, title, change }
}

/// A case that we recommend beside the rule.
const fn own(id: &'static str, title: &'static str, change: AssertionChange) -> AssertionCase {
    AssertionCase { id, is_own: true, title, change }
}

impl AssertionCase {
    fn rule(&self) -> CheckedRule {
        let level = self.is_own.then_some(RequirementLevel::Own);
        CheckedRule { id: self.id, level, title: self.title.to_owned() }
    }
}

/// Runs the checks of the chapter.
pub async fn run(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    for case in bad_headers::BAD_HEADERS.iter().chain(bad_claims::BAD_CLAIMS) {
        if suite.wants(case.id) {
            let reply = suite.exchange_changed(case.change).await?;
            suite.expect_fault(&case.rule(), &reply);
        }
    }
    for case in good::GOOD {
        if suite.wants(case.id) {
            let reply = suite.exchange_changed(case.change).await?;
            suite.expect_grant(&case.rule(), &reply);
        }
    }
    resources(suite).await?;
    stranger(suite).await?;
    other_client(suite).await?;
    other_tokens(suite).await
}

/// Faults of `resource`, where there is one.
async fn resources(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if suite.target.resource.is_none() {
        suite.skip(&CheckedRule::new("JAG-16", "the claim resource"), "no --resource was given");
        return Ok(());
    }
    for case in bad_claims::BAD_RESOURCES {
        if suite.wants(case.id) {
            let reply = suite.exchange_changed(case.change).await?;
            suite.expect_fault(&case.rule(), &reply);
        }
    }
    Ok(())
}

/// An issuer that works and is not known: its answer looks like a bad signature's, and nobody asks it.
async fn stranger(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if !["JAG-03", "JAG-04", "ERR-03"].into_iter().any(|id| suite.wants(id)) {
        return Ok(());
    }
    let before = suite.idp.asked_stranger();
    let unknown = suite.exchange_changed(bad_claims::of_stranger).await?;
    let damaged = suite.exchange_changed(bad_headers::damaged).await?;
    if suite.wants("JAG-04") {
        let rule = CheckedRule::new("JAG-04", "an issuer that nobody configured");
        suite.expect_fault(&rule, &unknown);
        let rule = CheckedRule::new("JAG-04", "requests to an issuer that nobody configured");
        let holds = suite.idp.asked_stranger() == before;
        suite.expect(&rule, holds, "none: its address is the caller's choice", &unknown);
    }
    if suite.wants("JAG-03") {
        let before = suite.idp.asked_stranger();
        let reply = suite.exchange_changed(bad_headers::with_jku).await?;
        let rule = CheckedRule::new("JAG-03", "requests to the address in jku");
        let holds = suite.idp.asked_stranger() == before;
        suite.expect(&rule, holds, "none: its address is the caller's choice", &reply);
    }
    if suite.wants("ERR-03") {
        let rule = CheckedRule::new("ERR-03", "an unknown issuer and a bad signature");
        let is_same = unknown.status == damaged.status && unknown.body == damaged.body;
        suite.expect(&rule, is_same, "the same answer, since no signature was good yet", &unknown);
    }
    Ok(())
}

/// Another client with an assertion that was issued for ours.
async fn other_client(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let rule = CheckedRule::new("JAG-08", "another client presents the assertion");
    let Some(other) = suite.target.other_client.clone() else {
        suite.skip(&rule, "no --other-client-id was given");
        return Ok(());
    };
    if suite.wants("JAG-08") {
        let assertion = suite.changed(|_| ())?;
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
        let reply = suite.send(suite.token_probe_of(&other, &form)).await;
        suite.expect_fault(&rule, &reply);
    }
    Ok(())
}

/// Tokens of other kinds: our identity provider's, and the server's own.
async fn other_tokens(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if !suite.wants("JAG-30") {
        return Ok(());
    }
    let rule = CheckedRule::new("JAG-30", "the server's own access token as assertion");
    let granted = suite.exchange_changed(|_| ()).await?;
    let token = granted.text("access_token").to_owned();
    if token.is_empty() {
        suite.judge(&rule, Judgement::fails("an access token to try", &granted));
        return Ok(());
    }
    let reply = suite.exchange(&token).await;
    suite.expect_fault(&rule, &reply);
    Ok(())
}
