//! A client that authenticates with a key (RFC 7523 §2.2, draft-ietf-oauth-rfc7523bis).

use serde_json::{Map, Value, json};

use super::client_authentication::with_client_assertion;
use crate::conformance::judged::CheckedRule;
use crate::conformance::keys::SuiteKeyError;
use crate::conformance::suite::Suite;
use crate::random;

/// What is wrong with a client assertion: header, claims, and whether a stranger signs.
type Spoil = fn(&mut Map<String, Value>, &mut Map<String, Value>, &str);

const WRONG: [(&str, &str, Spoil); 10] = [
    ("CLI-03", "no exp", |_, claims, _| drop(claims.remove("exp"))),
    ("CLI-03", "an exp of the past", |_, claims, _| set(claims, "exp", json!(1_000_000))),
    ("CLI-03", "another iss", |_, claims, _| set(claims, "iss", json!("somebody-else"))),
    ("CLI-03", "another sub", |_, claims, _| set(claims, "sub", json!("somebody-else"))),
    ("CLI-03", "no jti", |_, claims, _| drop(claims.remove("jti"))),
    ("CLI-04", "no aud", |_, claims, _| drop(claims.remove("aud"))),
    ("CLI-04", "the token endpoint as aud", |_, claims, url| set(claims, "aud", json!(url))),
    ("CLI-04", "a second aud", |_, claims, url| {
        let issuer = claims.get("aud").cloned();
        set(claims, "aud", json!([issuer, url]));
    }),
    ("CLI-05", "the typ of an ID-JAG", |header, _, _| set(header, "typ", json!("oauth-id-jag+jwt"))),
    ("CLI-05", "the typ of an access token", |header, _, _| set(header, "typ", json!("at+jwt"))),
];

fn set(members: &mut Map<String, Value>, name: &str, value: Value) {
    members.insert(name.to_owned(), value);
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// Runs the checks that need such a client.
pub async fn run(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let Some(id) = suite.target.key_client.clone() else {
        for id in ["CLI-03", "CLI-04"] {
            suite.skip(&CheckedRule::new(id, "a client with a key"), "no --key-client-id was given");
        }
        return Ok(());
    };
    if suite.wants("CLI-03") {
        let good = good_assertion(suite, &id)?;
        let reply = with_client_assertion(suite, &id, &good).await?;
        suite.expect_grant(&CheckedRule::new("CLI-03", "a good client assertion"), &reply);
        let reply = with_client_assertion(suite, &id, &good).await?;
        let rule = CheckedRule::new("CLI-03", "a client assertion for the second time");
        suite.expect(&rule, reply.is_error(401, "invalid_client"), "401 invalid_client", &reply);
    }
    if suite.wants("CLI-05") {
        let bare = client_assertion(suite, &id, |header, _, _| drop(header.remove("typ")))?;
        let reply = with_client_assertion(suite, &id, &bare).await?;
        suite.expect_grant(&CheckedRule::new("CLI-05", "a client assertion without typ"), &reply);
    }
    for (rule, title, spoil) in WRONG {
        if suite.wants(rule) {
            let wrong = client_assertion(suite, &id, spoil)?;
            let reply = with_client_assertion(suite, &id, &wrong).await?;
            let rule = CheckedRule::new(rule, format!("a client assertion with {title}"));
            suite.expect(&rule, reply.is_error(401, "invalid_client"), "401 invalid_client", &reply);
        }
    }
    if suite.wants("CLI-03") {
        let forged = forged(suite, &id)?;
        let reply = with_client_assertion(suite, &id, &forged).await?;
        let rule = CheckedRule::new("CLI-03", "a client assertion of a stranger's key");
        suite.expect(&rule, reply.is_error(401, "invalid_client"), "401 invalid_client", &reply);
    }
    Ok(())
}

fn parts(suite: &Suite, id: &str) -> (Map<String, Value>, Map<String, Value>) {
    let now = suite.now();
    let jti = random::token::<16>().unwrap_or_default();
    let kid = suite.idp.keys().client.kid();
    let header = json!({ "alg": "ES256", "kid": kid, "typ": "client-authentication+jwt" });
    let claims = json!({
        "iss": id, "sub": id, "aud": suite.target.issuer, "iat": now, "exp": now.saturating_add(60), "jti": jti,
    });
    (object(header), object(claims))
}

/// A good assertion of a client with the suite's key.
pub fn good_assertion(suite: &Suite, id: &str) -> Result<String, SuiteKeyError> {
    client_assertion(suite, id, |_, _, _| ())
}

fn client_assertion(suite: &Suite, id: &str, spoil: Spoil) -> Result<String, SuiteKeyError> {
    let (mut header, mut claims) = parts(suite, id);
    spoil(&mut header, &mut claims, &suite.token_url);
    let (header, claims) = (Value::Object(header).to_string(), Value::Object(claims).to_string());
    suite.idp.keys().client.sign("ES256", &header, &claims)
}

fn forged(suite: &Suite, id: &str) -> Result<String, SuiteKeyError> {
    let (header, claims) = parts(suite, id);
    let (header, claims) = (Value::Object(header).to_string(), Value::Object(claims).to_string());
    suite.idp.keys().stranger.sign("ES256", &header, &claims)
}
