//! Introspection (RFC 7662), where it is offered.

use axum::http::Method;
use axum::http::header::ACCEPT;
use serde_json::{Value, json};

use super::published_keys::{NO_KEYS, is_by_published_key};
use super::resources_and_scopes::names;
use crate::conformance::judged::{CheckedRule, Judgement};
use crate::conformance::keys::SuiteKeyError;
use crate::conformance::suite::Suite;
use crate::conformance::target::KnownClient;
use crate::conformance::wire::{ClientAuth, Probe, ProbeReply, opened};

/// What an active token is described with.
const DESCRIBED: [&str; 6] = ["scope", "client_id", "exp", "iat", "sub", "aud"];

/// The media type of signed answers (RFC 9701 §4), and without its beginning their `typ`.
const SIGNED: &str = "application/token-introspection+jwt";
const TYP: &str = "token-introspection+jwt";

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
        self.probe(token).send(&suite.http).await
    }

    /// Asks for a signed answer.
    async fn ask_signed(&self, suite: &Suite, token: &str) -> ProbeReply {
        self.probe(token).with_header(ACCEPT, SIGNED).send(&suite.http).await
    }

    fn probe(&self, token: &str) -> Probe {
        let KnownClient { id, secret } = &self.caller;
        match self.auth {
            ClientAuth::Basic => Probe::form(&self.url, &[("token", token)]).with_basic(id, secret),
            ClientAuth::Post => Probe::form(
                &self.url,
                &[("token", token), ("client_id", id.as_str()), ("client_secret", secret)],
            ),
        }
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
        for id in ["INT-01", "INT-02", "INT-03", "INT-05", "INT-06"] {
            suite.skip(&rule(id), "the metadata has no introspection_endpoint");
        }
        return Ok(());
    };
    callers(suite, &introspector).await?;
    inactive(suite, &introspector).await?;
    active(suite, &introspector).await?;
    signed(suite, &introspector).await
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

/// RFC 9701 §5: a signed answer is as good as one that came over TLS, and can be taken for no other token.
async fn signed(suite: &mut Suite, introspector: &Introspector) -> Result<(), SuiteKeyError> {
    if !suite.wants("INT-05") {
        return Ok(());
    }
    let granted = suite.exchange_changed(|_| ()).await?;
    let reply = introspector.ask_signed(suite, granted.text("access_token")).await;
    let rule = |title: &'static str| CheckedRule::new("INT-05", title);
    let is_signed = reply.header_has("content-type", SIGNED);
    if let Some(why) = Introspector::why_silent(&reply).or((!is_signed).then_some("no signed answer came")) {
        suite.skip(&rule("a signed answer"), why);
        return Ok(());
    }
    let [header, claims] = [0, 1].map(|part| opened(&reply.body, part).unwrap_or_default());
    let is_typed = header.get("typ").and_then(Value::as_str) == Some(TYP);
    suite.expect(&rule("its typ"), is_typed, TYP, &reply);
    let is_ours = claims.get("iss").and_then(Value::as_str) == Some(suite.target.issuer.as_str());
    let has_all = is_ours && claims.get("aud").is_some() && claims.get("iat").is_some_and(Value::is_number);
    suite.expect(&rule("its claims"), has_all, "iss of the server, aud, iat", &reply);
    let is_no_token = claims.get("sub").is_none() && claims.get("exp").is_none();
    suite.expect(&rule("nothing of a token beside them"), is_no_token, "neither sub nor exp", &reply);
    let told = claims.get("token_introspection").and_then(|told| told.get("active"));
    let is_active = told == Some(&Value::Bool(true));
    suite.expect(&rule("what it says"), is_active, "token_introspection with active true", &reply);
    match is_by_published_key(suite, &reply.body).await {
        None => suite.skip(&rule("its signature"), NO_KEYS),
        Some(holds) => suite.expect(&rule("its signature"), holds, "one of a published key", &reply),
    }
    let reply = introspector.ask_signed(suite, "nobody-issued-this").await;
    let claims = opened(&reply.body, 1).unwrap_or_default();
    let holds = claims.get("token_introspection") == Some(&json!({ "active": false }));
    suite.expect(&rule("an unknown token"), holds, "{\"active\":false}, and nothing else", &reply);
    Ok(())
}
