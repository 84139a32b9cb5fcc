//! Client authentication (RFC 6749 §2.3, §5.2).

use crate::conformance::draft::AssertionDraft;
use crate::conformance::judged::CheckedRule;
use crate::conformance::keys::{SuiteKeyError, sign_with_secret};
use crate::conformance::suite::Suite;
use crate::conformance::target::KnownClient;
use crate::conformance::wire::{ClientAuth, Probe};
use crate::oauth::request::JWT_BEARER;
use serde_json::json;

/// The type of a client assertion (RFC 7523 §2.2).
pub const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const REFUSED: &str = "a refusal (401 invalid_client or 400)";

/// Runs the checks of the chapter.
pub async fn run(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    wrong_secret(suite).await?;
    ways(suite).await?;
    two_ways(suite).await?;
    client_assertions(suite).await
}

fn with_secret(client: &KnownClient, secret: &str) -> KnownClient {
    KnownClient { id: client.id.clone(), secret: secret.to_owned() }
}

async fn wrong_secret(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let client = suite.target.client.clone();
    let wrong = with_secret(&client, "not-the-secret-of-this-client");
    let invalid_client: &[(u16, &str)] = &[(401, "invalid_client")];
    if suite.wants("TOK-09") {
        let assertion = suite.changed(|_| ())?;
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
        let reply = suite.send(suite.token_probe_of(&wrong, &form)).await;
        let rule = CheckedRule::new("TOK-09", "a good assertion with a wrong secret");
        suite.expect_error(&rule, invalid_client, &reply);
    }
    if suite.wants("TOK-10") {
        let expired = suite.changed(|draft| draft.claim("exp", draft.facts.now - 3600))?;
        for (title, assertion) in [("an expired assertion", expired.as_str()), ("nonsense", "nonsense")] {
            let form = [("grant_type", JWT_BEARER), ("assertion", assertion)];
            let reply = suite.send(suite.token_probe_of(&wrong, &form)).await;
            let rule = CheckedRule::new("TOK-10", format!("{title} with a wrong secret"));
            suite.expect_error(&rule, invalid_client, &reply);
        }
    }
    if suite.wants("CLI-08") {
        let assertion = suite.changed(|_| ())?;
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
        let known = Probe::form(&suite.token_url, &form).with_basic(&client.id, &wrong.secret);
        let known = suite.send(known).await;
        let unknown = Probe::form(&suite.token_url, &form).with_basic("nobody-has-this-id", &wrong.secret);
        let unknown = suite.send(unknown).await;
        let rule = CheckedRule::new("CLI-08", "a challenge for a failed Authorization header");
        let holds = known.is_error(401, "invalid_client") && known.header_has("www-authenticate", "basic");
        suite.expect(&rule, holds, "401 invalid_client with WWW-Authenticate: Basic", &known);
        let rule = CheckedRule::new("CLI-08", "an unknown client");
        let is_same = unknown.status == known.status && unknown.body == known.body;
        suite.expect(&rule, is_same, "the same answer as for a wrong secret", &unknown);
    }
    Ok(())
}

/// Each way that the metadata lists works.
async fn ways(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let client = suite.target.client.clone();
    let listed = suite.metadata.get("token_endpoint_auth_methods_supported").cloned().unwrap_or_default();
    let lists = |method: &str| listed.as_array().is_some_and(|all| all.iter().any(|one| one == method));
    if suite.wants("CLI-01") {
        for way in [ClientAuth::Basic, ClientAuth::Post] {
            let rule = CheckedRule::new("CLI-01", way.method());
            if way != suite.auth && !lists(way.method()) {
                suite.skip(&rule, "the metadata does not list it");
                continue;
            }
            let assertion = suite.changed(|_| ())?;
            let (chosen, form) =
                (suite.auth, [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())]);
            suite.auth = way;
            let probe = suite.token_probe_of(&client, &form);
            suite.auth = chosen;
            let reply = suite.send(probe).await;
            suite.expect_grant(&rule, &reply);
        }
        let rule = CheckedRule::new("CLI-01", "credentials in the URL");
        let assertion = suite.changed(|_| ())?;
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("client_id", &client.id).append_pair("client_secret", &client.secret);
        let url = format!("{}?{}", suite.token_url, query.finish());
        let reply = suite.send(Probe::form(&url, &form)).await;
        suite.expect(&rule, reply.is_refusal(), REFUSED, &reply);
    }
    if suite.wants("CLI-07") {
        let assertion = suite.changed(|_| ())?;
        let form = [("grant_type", JWT_BEARER), ("assertion", &assertion), ("client_id", &client.id)];
        let reply = suite.send(Probe::form(&suite.token_url, &form)).await;
        let rule = CheckedRule::new("CLI-07", "a client_id and no credentials");
        suite.expect(&rule, reply.is_refusal(), REFUSED, &reply);
    }
    Ok(())
}

async fn two_ways(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if !suite.wants("CLI-02") {
        return Ok(());
    }
    let KnownClient { id, secret } = suite.target.client.clone();
    let pairs: [(&str, &[(&str, &str)]); 2] = [
        ("Basic and a secret in the body", &[("client_id", &id), ("client_secret", &secret)]),
        ("another client_id beside Basic", &[("client_id", "nobody-has-this-id")]),
    ];
    for (title, more) in pairs {
        let assertion = suite.changed(|_| ())?;
        let mut form = vec![("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
        form.extend_from_slice(more);
        let probe = Probe::form(&suite.token_url, &form).with_basic(&id, &secret);
        let reply = suite.send(probe).await;
        let rule = CheckedRule::new("CLI-02", title);
        let expected: &[(u16, &str)] = &[(400, "invalid_request"), (401, "invalid_client")];
        suite.expect_error(&rule, expected, &reply);
    }
    Ok(())
}

/// Assertions that authenticate no client: an ID-JAG, and one signed with the client's secret.
async fn client_assertions(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let KnownClient { id, secret } = suite.target.client.clone();
    let (now, audience) = (suite.now(), suite.target.issuer.clone());
    if suite.wants("CLI-05") {
        let id_jag =
            suite.changed(|draft: &mut AssertionDraft| draft.claim("sub", draft.facts.client_id.clone()))?;
        let reply = with_client_assertion(suite, &id, &id_jag).await?;
        let rule = CheckedRule::new("CLI-05", "an ID-JAG as client assertion");
        suite.expect(&rule, reply.is_refusal(), REFUSED, &reply);
    }
    if suite.wants("CLI-06") {
        let claims = json!({
            "iss": id, "sub": id, "aud": audience, "iat": now, "exp": now.saturating_add(60), "jti": format!("c.{now}"),
        });
        let header = json!({ "alg": "HS256", "typ": "JWT" }).to_string();
        let signed = sign_with_secret(&secret, &header, &claims.to_string());
        let reply = with_client_assertion(suite, &id, &signed).await?;
        let rule = CheckedRule::new("CLI-06", "a client assertion signed with the client's secret");
        suite.expect(&rule, reply.is_refusal(), REFUSED, &reply);
    }
    Ok(())
}

/// Exchanges a good assertion with a client assertion in place of a secret.
pub async fn with_client_assertion(
    suite: &mut Suite,
    client_id: &str,
    client_assertion: &str,
) -> Result<crate::conformance::wire::ProbeReply, SuiteKeyError> {
    let assertion = suite.changed(|draft| draft.claim("client_id", client_id))?;
    let form = [
        ("grant_type", JWT_BEARER),
        ("assertion", &assertion),
        ("client_id", client_id),
        ("client_assertion_type", CLIENT_ASSERTION_TYPE),
        ("client_assertion", client_assertion),
    ];
    Ok(suite.send(Probe::form(&suite.token_url, &form)).await)
}
