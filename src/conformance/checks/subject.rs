//! The person (ID-JAG draft §3.1, §6).

use crate::conformance::draft::AssertionDraft;
use crate::conformance::judged::CheckedRule;
use crate::conformance::keys::SuiteKeyError;
use crate::conformance::suite::Suite;
use crate::random;

/// Runs the checks of the chapter.
pub async fn run(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if suite.wants("SUB-02") {
        another_email(suite).await?;
    }
    if suite.wants("SUB-05") {
        nobody(suite).await?;
    }
    if suite.wants("JAG-25") {
        emails(suite).await?;
    }
    Ok(())
}

/// What is wrong with a draft, and how to make it so.
type BadDraft = (&'static str, fn(&mut AssertionDraft));

/// Emails that make nobody known: whoever is new must be refused.
const BAD_EMAILS: [BadDraft; 3] = [
    ("an email that is not verified", |draft| draft.claim("email_verified", false)),
    ("a text as email_verified", |draft| draft.claim("email_verified", "true")),
    ("a number as email", |draft| draft.claim("email", 7)),
];

async fn emails(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if suite.target.email.is_none() {
        suite.skip(&CheckedRule::own("JAG-25", "emails"), "the assertions have no email");
        return Ok(());
    }
    for (title, change) in BAD_EMAILS {
        let subject = format!("conformance-{}", random::token::<8>().unwrap_or_default());
        let reply = suite
            .exchange_changed(|draft| {
                draft.claim("sub", subject);
                draft.claim("email", format!("new.{}", draft.facts.email.clone().unwrap_or_default()));
                change(draft);
            })
            .await?;
        let rule = CheckedRule::own("JAG-25", format!("a new person with {title}"));
        suite.expect(&rule, reply.is_refusal(), "a refusal", &reply);
    }
    Ok(())
}

/// The subject says who somebody is, not the email.
async fn another_email(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let rule = CheckedRule::new("SUB-02", "the same subject with another email");
    let Some(email) = suite.target.email.clone() else {
        suite.skip(&rule, "the assertions have no email");
        return Ok(());
    };
    let first = suite.exchange_changed(|_| ()).await?;
    let other = suite.exchange_changed(|draft| draft.claim("email", format!("other.{email}"))).await?;
    let subject = |part: serde_json::Value| part.get("sub").and_then(|sub| sub.as_str()).map(str::to_owned);
    match (subject(first.token_part(1)), subject(other.token_part(1))) {
        (Some(first), Some(second)) => {
            suite.expect(&rule, first == second, "the same `sub` in the access token", &other);
        }
        (None, _) => suite.skip(&rule, "the access token is no JWT"),
        _ => suite.expect(&rule, other.is_grant(), "200 with an access token", &other),
    }
    Ok(())
}

/// Somebody without a name anywhere.
async fn nobody(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let rule = CheckedRule::own("SUB-05", "a new subject without an email");
    if !suite.target.profile.has_email() {
        suite.skip(&rule, "in this profile a subject is enough");
        return Ok(());
    }
    let subject = format!("conformance-{}", random::token::<8>().unwrap_or_default());
    let reply = suite
        .exchange_changed(|draft| {
            draft.claim("sub", subject);
            draft.without("email");
        })
        .await?;
    suite.expect(&rule, reply.is_refusal(), "a refusal", &reply);
    Ok(())
}
