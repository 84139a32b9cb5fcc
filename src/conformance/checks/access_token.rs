//! The answer with the token, and the token itself (RFC 6749 §5.1, RFC 9068).

use serde_json::Value;

use super::published_keys::{NO_KEYS, is_by_published_key};
use super::resources_and_scopes::names;
use crate::conformance::judged::{CheckedRule, GOOD_ASSERTION, Judgement};
use crate::conformance::keys::SuiteKeyError;
use crate::conformance::suite::Suite;
use crate::conformance::wire::ProbeReply;

/// An hour, in seconds.
const LONGEST: i64 = 3600;
/// The claims that every access token has (RFC 9068 §2.2).
const REQUIRED: [&str; 7] = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"];
/// The fewest characters that 128 random bits can be written with.
const SHORTEST_ID: usize = 22;

/// Judges the first answer; everything else builds on it.
pub async fn first(suite: &mut Suite) -> Result<Option<ProbeReply>, SuiteKeyError> {
    let reply = suite.exchange_changed(|_| ()).await?;
    let rule = CheckedRule::new("RSP-01", GOOD_ASSERTION);
    if reply.is_grant() {
        suite.judge(&rule, Judgement::Holds);
        return Ok(Some(reply));
    }
    let mut judgement = Judgement::fails("200 with an access token", &reply);
    if let Judgement::Fails { found, .. } = &mut judgement
        && suite.idp.asked_keys() == 0
    {
        found.push_str("; the server has not asked for the key set of the identity provider");
    }
    suite.judge(&rule, judgement);
    Ok(None)
}

/// Runs the checks of the chapter on the first answer.
pub async fn run(suite: &mut Suite, reply: &ProbeReply) -> Result<(), SuiteKeyError> {
    answer(suite, reply);
    let claims = reply.token_part(1);
    if !claims.is_object() {
        for id in ["AT-01", "AT-02", "AT-03", "AT-04", "AT-05", "AT-06", "SUB-11"] {
            suite.skip(&CheckedRule::new(id, "the access token"), "the access token is no JWT");
        }
        return Ok(());
    }
    token(suite, reply, &claims);
    person(suite, reply, &claims);
    signature(suite, reply).await;
    another(suite, &claims).await
}

fn answer(suite: &mut Suite, reply: &ProbeReply) {
    let no_store = reply.header_has("cache-control", "no-store");
    let scope = suite.target.scope.clone();
    let (kind, lifetime) =
        (reply.text("token_type").to_owned(), reply.member("expires_in").and_then(Value::as_i64));
    let is_known = kind.eq_ignore_ascii_case("bearer") || kind.eq_ignore_ascii_case("dpop");
    let mut expect = |rule: CheckedRule, holds: bool, expected: &str| {
        suite.expect_wanted(&rule, holds, expected, reply);
    };
    expect(CheckedRule::new("RSP-01", "the media type"), reply.is_json(), "application/json");
    expect(CheckedRule::new("RSP-01", "caching"), no_store, "Cache-Control: no-store");
    expect(CheckedRule::new("RSP-01", "token_type"), is_known, "Bearer or DPoP");
    expect(CheckedRule::should("RSP-01", "expires_in"), lifetime.is_some(), "a number of seconds");
    let has_scope = scope.is_none() || !reply.text("scope").is_empty();
    expect(CheckedRule::new("RSP-02", "the granted scopes"), has_scope, "the member scope");
    let has_more = reply.member("refresh_token").is_some() || reply.member("id_token").is_some();
    expect(CheckedRule::new("RSP-04", "no other token"), !has_more, "neither refresh_token nor id_token");
    let is_short = lifetime.is_none_or(|seconds| (1..=LONGEST).contains(&seconds));
    expect(CheckedRule::new("RSP-05", "the token's life"), is_short, "an hour at the most");
    let token = reply.text("access_token");
    let elsewhere =
        reply.headers.values().any(|value| value.to_str().is_ok_and(|value| value.contains(token)));
    expect(CheckedRule::new("RSP-06", "the token in headers"), !elsewhere, "in the body only");
    if let Some(resource) = suite.target.resource.clone().filter(|_| suite.wants("RSP-03")) {
        let holds = reply.member("resource").is_some_and(|value| names(value, &resource));
        suite.expect(
            &CheckedRule::new("RSP-03", "the granted resource"),
            holds,
            "the member resource",
            reply,
        );
    }
}

fn token(suite: &mut Suite, reply: &ProbeReply, claims: &Value) {
    let header = reply.token_part(0);
    let kind = header.get("typ").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let is_typed = kind == "at+jwt" || kind == "application/at+jwt";
    let has_all = REQUIRED.iter().all(|name| claims.get(*name).is_some());
    let time = |name: &str| claims.get(name).and_then(Value::as_i64).unwrap_or_default();
    let life = time("exp").saturating_sub(time("iat"));
    let (issuer, client) = (suite.target.issuer.clone(), suite.target.client.id.clone());
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let resource = suite.target.resource.clone();
    let mut expect = |rule: CheckedRule, holds: bool, expected: &str| {
        suite.expect_wanted(&rule, holds, expected, reply);
    };
    expect(CheckedRule::new("AT-01", "the token's typ"), is_typed, "at+jwt");
    expect(CheckedRule::new("AT-01", "the token's claims"), has_all, &REQUIRED.join(", "));
    let is_whose = text("client_id") == client;
    expect(CheckedRule::new("AT-01", "the token's client_id"), is_whose, "the client that asked");
    expect(
        CheckedRule::new("META-02", "the token's iss"),
        text("iss") == issuer,
        "the issuer, byte for byte",
    );
    if let Some(resource) = &resource {
        let is_for_it = claims.get("aud").is_some_and(|aud| names(aud, resource));
        expect(CheckedRule::new("AT-03", "the token's aud"), is_for_it, "the resource alone");
    }
    expect(
        CheckedRule::new("AT-05", "the token's life"),
        (1..=LONGEST).contains(&life),
        "an hour at the most",
    );
    let is_long = text("jti").len() >= SHORTEST_ID;
    expect(CheckedRule::new("AT-06", "the token's jti"), is_long, "128 random bits");
}

fn person(suite: &mut Suite, reply: &ProbeReply, claims: &Value) {
    let (subject, email) = (suite.target.subject.clone(), suite.target.email.clone());
    let told = claims.to_string();
    if suite.wants("AT-04") {
        let rule = CheckedRule::new("AT-04", "no email in the token");
        let holds = email.as_ref().is_none_or(|email| !told.contains(email.as_str()));
        suite.expect(&rule, holds, "nothing that the resource does not need", reply);
    }
    if suite.wants("SUB-11") {
        let own = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let is_own = own != subject && Some(own) != email.as_deref();
        suite.expect(&CheckedRule::new("SUB-11", "the token's sub"), is_own, "the server's own id", reply);
    }
}

/// A published key made the signature (RFC 9068 §2.1).
async fn signature(suite: &mut Suite, reply: &ProbeReply) {
    let rule = CheckedRule::new("AT-02", "the token's signature");
    if !suite.wants("AT-02") {
        return;
    }
    match is_by_published_key(suite, reply.text("access_token")).await {
        None => suite.skip(&rule, NO_KEYS),
        Some(holds) => suite.expect(&rule, holds, "one of a published key with its algorithm", reply),
    }
}

async fn another(suite: &mut Suite, first: &Value) -> Result<(), SuiteKeyError> {
    if suite.wants("AT-06") {
        let reply = suite.exchange_changed(|_| ()).await?;
        let jti = reply.token_part(1).get("jti").cloned();
        let rule = CheckedRule::new("AT-06", "the jti of two tokens");
        suite.expect(&rule, jti.is_some() && jti.as_ref() != first.get("jti"), "two ids", &reply);
    }
    Ok(())
}
