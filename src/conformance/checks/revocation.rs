//! Revocation (RFC 7009), where it is offered.

use serde_json::{Value, json};

use super::introspection::Introspector;
use crate::conformance::judged::CheckedRule;
use crate::conformance::keys::SuiteKeyError;
use crate::conformance::suite::Suite;
use crate::conformance::target::KnownClient;
use crate::conformance::wire::{ClientAuth, Probe, ProbeReply};

/// Runs the checks of the chapter.
pub async fn run(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let url = suite.metadata.get("revocation_endpoint").and_then(Value::as_str).map(str::to_owned);
    let Some(url) = url else {
        suite.skip(&CheckedRule::new("REV-01", "revocation"), "the metadata has no revocation_endpoint");
        return Ok(());
    };
    if !suite.wants("REV-01") {
        return Ok(());
    }
    let token = suite.exchange_changed(|_| ()).await?.text("access_token").to_owned();
    let reply = Probe::form(&url, &[("token", &token)]).send(&suite.http).await;
    let rule = CheckedRule::new("REV-01", "a caller without credentials");
    suite.expect(&rule, reply.is_refusal(), "401", &reply);
    let client = suite.target.client.clone();
    let reply = revoke(suite, &url, &client, "nobody-issued-this").await;
    suite.expect(&CheckedRule::new("REV-01", "an unknown token"), reply.status == 200, "200", &reply);
    if let Some(other) = suite.target.other_client.clone() {
        revoke(suite, &url, &other, &token).await;
        is_active(suite, &token, true, "a token that another client revoked").await;
    }
    let reply = revoke(suite, &url, &client, &token).await;
    if reply.is_error(400, "unsupported_token_type") {
        let why = "the server does not revoke tokens of this form (RFC 7009 section 2.2.1)";
        suite.skip(&CheckedRule::new("REV-01", "the client's own token"), why);
        return Ok(());
    }
    suite.expect(&CheckedRule::new("REV-01", "the client's own token"), reply.status == 200, "200", &reply);
    is_active(suite, &token, false, "a revoked token at introspection").await;
    Ok(())
}

async fn revoke(suite: &Suite, url: &str, client: &KnownClient, token: &str) -> ProbeReply {
    let KnownClient { id, secret } = client;
    let probe = match suite.auth {
        ClientAuth::Basic => Probe::form(url, &[("token", token)]).with_basic(id, secret),
        ClientAuth::Post => {
            Probe::form(url, &[("token", token), ("client_id", id.as_str()), ("client_secret", secret)])
        }
    };
    probe.send(&suite.http).await
}

async fn is_active(suite: &mut Suite, token: &str, expected: bool, title: &str) {
    let rule = CheckedRule::new("REV-01", title);
    let Some(introspector) = Introspector::of(suite) else {
        return suite.skip(&rule, "without introspection nobody can see it");
    };
    let reply = introspector.ask(suite, token).await;
    if let Some(why) = Introspector::why_silent(&reply) {
        return suite.skip(&rule, why);
    }
    let holds = reply.member("active") == Some(&json!(expected));
    suite.expect(&rule, holds, &format!("active {expected}"), &reply);
}
