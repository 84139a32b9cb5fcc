//! An assertion counts once, and only a token uses it up; and input that must break nothing.

use futures_util::future::join_all;

use crate::conformance::draft::AssertionDraft;
use crate::conformance::judged::{CheckedRule, Judgement};
use crate::conformance::keys::SuiteKeyError;
use crate::conformance::suite::Suite;
use crate::conformance::target::KnownClient;
use crate::conformance::wire::{FORM, Probe};
use crate::oauth::request::JWT_BEARER;

/// How many requests present one assertion at once.
const AT_ONCE: usize = 10;

/// Runs the checks of the chapter.
pub async fn run(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if suite.wants("JAG-14") {
        again(suite).await?;
        at_once(suite).await?;
        same_id(suite).await?;
    }
    if suite.wants("JAG-15") {
        after_refusals(suite).await?;
    }
    if suite.wants("ERR-07") {
        hostile(suite).await?;
    }
    Ok(())
}

async fn again(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let assertion = suite.changed(|_| ())?;
    let first = suite.exchange(&assertion).await;
    suite.expect_grant(&CheckedRule::new("JAG-14", "an assertion for the first time"), &first);
    let second = suite.exchange(&assertion).await;
    suite.expect_fault(&CheckedRule::new("JAG-14", "the same assertion again"), &second);
    Ok(())
}

async fn at_once(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let rule = CheckedRule::new("JAG-14", format!("one assertion in {AT_ONCE} requests at once"));
    let assertion = suite.changed(|_| ())?;
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    let probes = (0..AT_ONCE).map(|_| suite.token_probe(&form).send(&suite.http)).collect::<Vec<_>>();
    let replies = join_all(probes).await;
    let granted: Vec<_> = replies.iter().filter(|reply| reply.is_grant()).collect();
    let judgement = match granted.len() {
        1 => Judgement::Holds,
        count => Judgement::Fails {
            expected: "one access token".to_owned(),
            found: format!("{count}"),
            transcripts: replies.iter().take(2).map(|reply| reply.transcript.clone()).collect(),
        },
    };
    suite.judge(&rule, judgement);
    Ok(())
}

/// The id counts, not the text.
async fn same_id(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let jti = suite.draft().claims.get("jti").cloned().unwrap_or_default();
    let with_jti = |draft: &mut AssertionDraft| draft.claim("jti", jti.clone());
    suite.exchange_changed(with_jti).await?;
    let later = |draft: &mut AssertionDraft| {
        draft.claim("jti", jti.clone());
        draft.claim("exp", draft.facts.now + 200);
    };
    let reply = suite.exchange_changed(later).await?;
    suite.expect_fault(&CheckedRule::new("JAG-14", "another assertion with the same jti"), &reply);
    Ok(())
}

async fn after_refusals(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let assertion = suite.changed(|_| ())?;
    let KnownClient { id, .. } = suite.target.client.clone();
    let wrong = KnownClient { id, secret: "not-the-secret-of-this-client".to_owned() };
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    suite.send(suite.token_probe_of(&wrong, &form)).await;
    let reply = suite.exchange(&assertion).await;
    suite.expect_grant(&CheckedRule::new("JAG-15", "an assertion after a wrong secret"), &reply);
    // The id of an assertion that somebody forged must not spoil the good one.
    let forged =
        suite.changed(|draft| draft.signed_by(crate::conformance::draft::AssertionSigner::Damaged))?;
    suite.exchange(&forged).await;
    let reply = suite.exchange(&mended(suite, &forged)?).await;
    suite.expect_grant(&CheckedRule::new("JAG-15", "a jti that a forgery used before"), &reply);
    if suite.target.resource.is_some() {
        let assertion = suite.changed(|_| ())?;
        suite.exchange_with(&assertion, &[("resource", "https://foreign.example/mcp")]).await;
        let reply = suite.exchange(&assertion).await;
        suite.expect_grant(&CheckedRule::new("JAG-15", "an assertion after a foreign resource"), &reply);
    }
    Ok(())
}

/// A good assertion with the claims of another.
fn mended(suite: &Suite, forged: &str) -> Result<String, SuiteKeyError> {
    let claims = crate::conformance::wire::opened(forged, 1).unwrap_or_default();
    suite.changed(|draft| draft.claims = claims.as_object().cloned().unwrap_or_default())
}

/// Bodies that nobody means well with. What they are answered with is watched for every answer.
async fn hostile(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let deep = format!("\"conformance\":{}{}", "[".repeat(5000), "]".repeat(5000));
    let deep = suite.changed(|draft| draft.last_claim(&deep))?;
    suite.exchange(&deep).await;
    for text in ["..", "a.b.c", "e30.e30.", "eyJhbGciOiJSUzI1NiJ9..", "\u{0}", "💥.💥.💥", "%", "=.=.="]
    {
        suite.exchange(text).await;
    }
    for claim in
        ["iss", "sub", "aud", "client_id", "exp", "iat", "nbf", "jti", "resource", "scope", "cnf", "act"]
    {
        for value in HOSTILE_VALUES {
            let text = suite.changed(|draft| {
                draft.without(claim);
                draft.last_claim(&format!("\"{claim}\":{value}"));
            })?;
            suite.exchange(&text).await;
        }
    }
    for body in ["", "&", "=", "grant_type", "grant_type=%", "%00=%00", "assertion=assertion=&&&"] {
        let probe = Probe::body(&suite.token_url, FORM, body);
        suite.send(probe).await;
    }
    Ok(())
}

/// JSON that no claim should be.
const HOSTILE_VALUES: [&str; 6] =
    ["null", "{}", "[[]]", "1e999", "-9223372036854775809", "\"\\u0000\\ud83d\\ude00\""];
