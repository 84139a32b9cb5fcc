//! Introspection (RFC 7662), where it is offered.

use axum::http::Method;
use serde_json::{Value, json};

use super::resources_and_scopes::names;
use crate::conformance::judged::{CheckedRule, Judgement};
use crate::conformance::keys::SuiteKeyError;
use crate::conformance::suite::Suite;
use crate::conformance::target::KnownClient;
use crate::conformance::wire::{ClientAuth, Probe, ProbeReply};

/// What an active token is described with.
const DESCRIBED: [&str; 6] = ["scope", "client_id", "exp", "iat", "sub", "aud"];

/// The endpoint and who may ask there.
pub struct Introspector {
    url: String,
    caller: KnownClient,
    auth: ClientAuth,
}

impl Introspector {
    /// None where there is no endpoint.
    pub fn of(suite: &Suite) -> Option<Self> {
        let url = suite.metadata.get("introspection_endpoint")?.as_str()?.to_owned();
        let own = suite.target.introspection.clone();
        let auth = if own.is_some() { ClientAuth::Basic } else { suite.auth };
        Some(Self { url, caller: own.unwrap_or_else(|| suite.target.client.clone()), auth })
    }

    /// Why an answer says nothing, if it does not.
    pub fn why_silent(reply: &ProbeReply) -> Option<&'static str> {
        match (reply.status, reply.text("error")) {
            (401 | 403, _) => Some("the client may not introspect: give --introspection-client-id"),
            (400, "unsupported_token_type") => Some("the server does not introspect tokens of this form"),
            _ => None,
        }
    }

    /// Asks about a token.
    pub async fn ask(&self, suite: &Suite, token: &str) -> ProbeReply {
        let KnownClient { id, secret } = &self.caller;
        let probe = match self.auth {
            ClientAuth::Basic => Probe::form(&self.url, &[("token", token)]).with_basic(id, secret),
            ClientAuth::Post => Probe::form(
                &self.url,
                &[("token", token), ("client_id", id.as_str()), ("client_secret", secret)],
            ),
        };
        probe.send(&suite.http).await
    }
}

/// Runs the checks of the chapter.
pub async fn run(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let Some(introspector) = Introspector::of(suite) else {
        let rule = |id| CheckedRule::new(id, "introspection");
        if suite.target.profile.needs_introspection() {
            let found = "no introspection_endpoint in the metadata".to_owned();
            let expected = "introspection of the token, which this profile ends with".to_owned();
            suite.judge(&rule("INT-03"), Judgement::Fails { expected, found, transcripts: Vec::new() });
        }
        for id in ["INT-01", "INT-02", "INT-03", "INT-06"] {
            suite.skip(&rule(id), "the metadata has no introspection_endpoint");
        }
        return Ok(());
    };
    callers(suite, &introspector).await?;
    inactive(suite, &introspector).await?;
    active(suite, &introspector).await
}

async fn callers(suite: &mut Suite, introspector: &Introspector) -> Result<(), SuiteKeyError> {
    let token = suite.exchange_changed(|_| ()).await?.text("access_token").to_owned();
    if suite.wants("INT-01") {
        let probe = Probe::form(&introspector.url, &[("token", &token)]);
        let reply = probe.send(&suite.http).await;
        suite.expect(
            &CheckedRule::new("INT-01", "a caller without credentials"),
            reply.is_refusal(),
            "a refusal (401)",
            &reply,
        );
        let probe = Probe::form(&introspector.url, &[("token", &token)]);
        let reply = probe.with_basic(&introspector.caller.id, "not-the-secret").send(&suite.http).await;
        suite.expect(
            &CheckedRule::new("INT-01", "a caller with a wrong secret"),
            reply.status == 401,
            "401",
            &reply,
        );
    }
    if suite.wants("INT-06") {
        let url = format!("{}?token={token}", introspector.url);
        let KnownClient { id, secret } = introspector.caller.clone();
        let reply =
            Probe::get(&url).with_method(Method::GET).with_basic(&id, &secret).send(&suite.http).await;
        let rule = CheckedRule::new("INT-06", "GET instead of POST");
        suite.expect(&rule, reply.is_refusal(), "405", &reply);
    }
    Ok(())
}

async fn inactive(suite: &mut Suite, introspector: &Introspector) -> Result<(), SuiteKeyError> {
    if !suite.wants("INT-02") {
        return Ok(());
    }
    let id_jag = suite.changed(|_| ())?;
    for (title, token) in
        [("an unknown token", "nobody-issued-this"), ("an ID-JAG as token", id_jag.as_str())]
    {
        let reply = introspector.ask(suite, token).await;
        let holds = reply.status == 200 && reply.json == json!({ "active": false });
        let rule = CheckedRule::new("INT-02", title);
        match Introspector::why_silent(&reply) {
            Some(why) => suite.skip(&rule, why),
            None => suite.expect(&rule, holds, "200 {\"active\":false}, and nothing else", &reply),
        }
    }
    Ok(())
}

async fn active(suite: &mut Suite, introspector: &Introspector) -> Result<(), SuiteKeyError> {
    let granted = suite.exchange_changed(|_| ()).await?;
    let reply = introspector.ask(suite, granted.text("access_token")).await;
    let rule = CheckedRule::new("INT-03", "an active token");
    let is_needed = suite.target.profile.needs_introspection();
    if let Some(why) = Introspector::why_silent(&reply).filter(|_| !is_needed) {
        suite.skip(&rule, why);
        return Ok(());
    }
    if suite.wants("INT-03") {
        let has_scope = suite.target.scope.is_some();
        let wanted = DESCRIBED.iter().filter(|name| has_scope || **name != "scope");
        let has_all = wanted.into_iter().all(|name| reply.member(name).is_some());
        let is_active = reply.status == 200 && reply.member("active") == Some(&Value::Bool(true));
        let expected = format!("active true, {}", DESCRIBED.join(", "));
        suite.expect(&rule, is_active && has_all, &expected, &reply);
        let whose = reply.text("client_id") == suite.target.client.id;
        suite.expect(&CheckedRule::new("INT-03", "whose token it is"), whose, "the client's id", &reply);
        if let Some(resource) = suite.target.resource.clone() {
            let holds = reply.member("aud").is_some_and(|aud| names(aud, &resource));
            suite.expect(&CheckedRule::new("INT-03", "for whom the token is"), holds, "the resource", &reply);
        }
    }
    if suite.wants("INT-06") {
        let holds = reply.header_has("cache-control", "no-store");
        suite.expect(&CheckedRule::new("INT-06", "caching"), holds, "Cache-Control: no-store", &reply);
    }
    Ok(())
}
