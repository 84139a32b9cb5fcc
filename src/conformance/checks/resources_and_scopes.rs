//! Resources and scopes of the token (RFC 8707, RFC 6749 §3.3, ID-JAG draft §4.4.1).

use serde_json::Value;

use crate::conformance::judged::CheckedRule;
use crate::conformance::keys::SuiteKeyError;
use crate::conformance::suite::Suite;
use crate::conformance::wire::ProbeReply;

const INVALID_TARGET: &[(u16, &str)] = &[(400, "invalid_target")];

/// Runs the checks of the chapter.
pub async fn run(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    scopes(suite).await?;
    foreign_scopes(suite).await?;
    resources(suite).await?;
    same_resource(suite).await?;
    details(suite).await
}

/// The scopes that an answer says it granted.
fn granted(reply: &ProbeReply) -> Vec<String> {
    reply.text("scope").split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

async fn scopes(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let all = suite.target.scope.clone().unwrap_or_default();
    let Some((first, rest)) = all.split_once(' ') else {
        suite.skip(&CheckedRule::new("GRT-01", "scopes"), "fewer than two scopes were given with --scope");
        return Ok(());
    };
    if suite.wants("GRT-01") {
        let reply = suite.exchange_changed(|draft| draft.claim("scope", first)).await?;
        let rule = CheckedRule::new("GRT-01", "an assertion with one scope of two");
        let holds =
            reply.is_grant() && !rest.split(' ').any(|scope| granted(&reply).iter().any(|g| g == scope));
        suite.expect(&rule, holds, "a token without the other one", &reply);
        let assertion = suite.changed(|_| ())?;
        let reply = suite.exchange_with(&assertion, &[("scope", first)]).await;
        let rule = CheckedRule::new("GRT-01", "a request for one scope of two");
        suite.expect(&rule, granted(&reply) == [first], "a token with that one", &reply);
        let assertion = suite.changed(|draft| draft.claim("scope", first))?;
        let reply = suite.exchange_with(&assertion, &[("scope", &all)]).await;
        let rule = CheckedRule::new("GRT-01", "a request for more than the assertion has");
        let is_narrowed = reply.is_error(400, "invalid_scope") || granted(&reply) == [first];
        suite.expect(&rule, is_narrowed, "a token with what both have, or 400 invalid_scope", &reply);
    }
    if suite.wants("GRT-02") {
        let assertion = suite.changed(|draft| draft.claim("scope", first))?;
        let reply = suite.exchange_with(&assertion, &[("scope", rest)]).await;
        let rule = CheckedRule::own("GRT-02", "a request for nothing that the assertion has");
        suite.expect_error(&rule, &[(400, "invalid_scope")], &reply);
    }
    Ok(())
}

async fn foreign_scopes(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if suite.target.scope.is_none() {
        suite.skip(&CheckedRule::new("GRT-03", "scopes"), "no --scope was given");
        return Ok(());
    }
    for (id, title, foreign) in [
        ("GRT-03", "a scope that the resource does not have", "conformance.unknown"),
        ("GRT-06", "a scope of identity providers", "offline_access"),
    ] {
        if suite.wants(id) {
            let scope = format!("{} {foreign}", suite.target.first_scope().unwrap_or_default());
            let reply = suite.exchange_changed(|draft| draft.claim("scope", scope)).await?;
            let holds = reply.is_refusal() || !granted(&reply).iter().any(|scope| scope == foreign);
            let rule = CheckedRule::new(id, title);
            suite.expect(&rule, holds && reply.status < 500, "a refusal, or a token without it", &reply);
        }
    }
    Ok(())
}

/// The audience of a token that is a JWT.
pub fn audience(reply: &ProbeReply) -> Option<Value> {
    reply.token_part(1).get("aud").cloned()
}

async fn resources(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let Some(resource) = suite.target.resource.clone() else {
        suite.skip(&CheckedRule::new("GRT-07", "resources"), "no --resource was given");
        return Ok(());
    };
    if suite.wants("GRT-07") {
        let assertion = suite.changed(|_| ())?;
        let reply = suite.exchange_with(&assertion, &[("resource", "https://foreign.example/mcp")]).await;
        let rule = CheckedRule::new("GRT-07", "a request for another resource than the assertion's");
        suite.expect_error(&rule, INVALID_TARGET, &reply);
        let assertion = suite.changed(|_| ())?;
        let reply = suite.exchange_with(&assertion, &[("resource", "no uri at all")]).await;
        let rule = CheckedRule::new("GRT-07", "a resource that is no URI");
        suite.expect_error(&rule, INVALID_TARGET, &reply);
    }
    if suite.wants("GRT-08") {
        let assertion = suite.changed(|draft| draft.without("resource"))?;
        let reply = suite.exchange_with(&assertion, &[("resource", &resource)]).await;
        let rule = CheckedRule::new("GRT-08", "an assertion without resource, and a request with it");
        let is_for_it = reply.is_grant() && audience(&reply).is_none_or(|aud| names(&aud, &resource));
        let holds =
            is_for_it || reply.is_error(400, "invalid_target") || reply.is_error(400, "invalid_grant");
        suite.expect(&rule, holds, "a token for it, 400 invalid_target or 400 invalid_grant", &reply);
        let assertion = suite.changed(|draft| draft.without("resource"))?;
        let reply = suite.exchange_with(&assertion, &[("resource", "https://foreign.example/mcp")]).await;
        let rule =
            CheckedRule::new("GRT-08", "an assertion without resource, and a request with a foreign one");
        suite.expect(&rule, reply.is_refusal(), "a refusal (400 invalid_target)", &reply);
    }
    Ok(())
}

/// Whether an audience is this resource alone.
pub fn names(audience: &Value, resource: &str) -> bool {
    match audience {
        Value::Array(all) => matches!(all.as_slice(), [Value::String(one)] if one == resource),
        Value::String(one) => one == resource,
        _ => false,
    }
}

/// RFC 3986 §6.2.2: which spellings are one resource.
async fn same_resource(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let Some(resource) = suite.target.resource.clone().filter(|_| suite.wants("GRT-09")) else {
        return Ok(());
    };
    let Some((scheme, rest)) = resource.split_once("://") else { return Ok(()) };
    let end = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let capitals = format!("{scheme}://{}{path}", host.to_ascii_uppercase());
    let reply = suite.exchange_changed(|draft| draft.claim("resource", capitals)).await?;
    let rule = CheckedRule::new("GRT-09", "the resource with its host in capitals");
    suite.expect_grant(&rule, &reply);
    if path.len() > 1 {
        let slash = format!("{resource}/");
        let reply = suite.exchange_changed(|draft| draft.claim("resource", slash)).await?;
        let rule = CheckedRule::new("GRT-09", "the resource with a slash more");
        suite.expect(&rule, reply.is_refusal(), "a refusal: it is another resource", &reply);
    }
    Ok(())
}

/// RFC 9396 §5: details that nobody can process, in the request. A server says by `authorization_details_types_supported`
/// (§10) that it implements the parameter, and then it must refuse them. Without that list it may have none of it, and
/// ignores the parameter like any that it does not know (RFC 6749 §3.2). What it never may is to say that it granted them (RFC 9396 §7).
async fn details(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if !suite.wants("GRT-10") {
        return Ok(());
    }
    let is_announced = suite.metadata.get("authorization_details_types_supported").is_some();
    for (title, details) in [
        (
            "authorization_details of an unknown type in the request",
            r#"[{"type":"urn:example:conformance"}]"#,
        ),
        ("authorization_details without type in the request", r#"[{"actions":["read"]}]"#),
    ] {
        let assertion = suite.changed(|_| ())?;
        let reply = suite.exchange_with(&assertion, &[("authorization_details", details)]).await;
        let rule = CheckedRule::new("GRT-10", title);
        if is_announced {
            suite.expect_error(&rule, &[(400, "invalid_authorization_details")], &reply);
        } else {
            let is_ignored = reply.is_grant() && !has_details(&reply);
            let expected = "a refusal, or a token without them, since the metadata lists no \
                authorization_details_types_supported";
            suite.expect(&rule, reply.is_refusal() || is_ignored, expected, &reply);
        }
    }
    Ok(())
}

/// Whether an answer, or the token in it, says that details were granted.
fn has_details(reply: &ProbeReply) -> bool {
    let name = "authorization_details";
    reply.member(name).is_some() || reply.token_part(1).get(name).is_some()
}
