//! Tokens that are bound to a key (RFC 9449, ID-JAG draft §9.8), where they are offered.

use serde_json::{Map, Value, json};

use crate::conformance::draft::AssertionDraft;
use crate::conformance::judged::CheckedRule;
use crate::conformance::keys::SuiteKeyError;
use crate::conformance::suite::Suite;
use crate::conformance::wire::ProbeReply;
use crate::dpop::DPOP;
use crate::oauth::request::JWT_BEARER;
use crate::random;

const INVALID_PROOF: &[(u16, &str)] = &[(400, "invalid_dpop_proof")];

/// Puts a fault into a proof: into its header or its claims.
type SpoilProof = fn(&mut Map<String, Value>, &mut Map<String, Value>);

const WRONG: [(&str, SpoilProof); 10] = [
    ("typ JWT", |header, _| set(header, "typ", json!("JWT"))),
    ("no jwk", |header, _| drop(header.remove("jwk"))),
    ("a private key in jwk", |header, _| {
        if let Some(Value::Object(jwk)) = header.get_mut("jwk") {
            set(jwk, "d", json!("AAAA"));
        }
    }),
    ("alg none", |header, _| set(header, "alg", json!("none"))),
    ("htm GET", |_, claims| set(claims, "htm", json!("GET"))),
    ("another htu", |_, claims| set(claims, "htu", json!("https://other.example/token"))),
    ("an iat of an hour ago", |_, claims| {
        let iat = claims.get("iat").and_then(Value::as_i64).unwrap_or_default();
        set(claims, "iat", json!(iat - 3600));
    }),
    ("an iat in an hour", |_, claims| {
        let iat = claims.get("iat").and_then(Value::as_i64).unwrap_or_default();
        set(claims, "iat", json!(iat + 3600));
    }),
    ("no jti", |_, claims| drop(claims.remove("jti"))),
    ("no htm", |_, claims| drop(claims.remove("htm"))),
];

fn set(members: &mut Map<String, Value>, name: &str, value: Value) {
    members.insert(name.to_owned(), value);
}

/// Runs the checks of the chapter.
pub async fn run(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if suite.metadata.get("dpop_signing_alg_values_supported").is_none() {
        for id in ["DPP-01", "DPP-02", "DPP-04"] {
            let reason = "the metadata has no dpop_signing_alg_values_supported";
            suite.skip(&CheckedRule::new(id, "proofs of possession"), reason);
        }
        return Ok(());
    }
    if suite.wants("DPP-04") {
        let reply = with_proof(suite, |_, _| (), |_| ()).await?;
        let thumbprint = suite.idp.keys().client.kid().to_owned();
        let claims = reply.token_part(1);
        let bound = claims.get("cnf").and_then(|cnf| cnf.get("jkt")).and_then(Value::as_str);
        let is_bound = reply.is_grant()
            && reply.text("token_type").eq_ignore_ascii_case("dpop")
            && (!claims.is_object() || bound == Some(&thumbprint));
        let rule = CheckedRule::new("DPP-04", "a good proof");
        suite.expect(&rule, is_bound, "token_type DPoP, and the key's thumbprint in the token", &reply);
    }
    if suite.wants("DPP-01") {
        wrong_proofs(suite).await?;
    }
    if suite.wants("DPP-02") {
        let kid = suite.idp.keys().client.kid().to_owned();
        let reply = with_proof(suite, |_, _| (), |draft| draft.claim("cnf", json!({ "jkt": kid }))).await?;
        suite.expect_grant(&CheckedRule::new("DPP-02", "the proof's key in the assertion"), &reply);
        let kid = suite.idp.keys().stranger.kid().to_owned();
        let reply = with_proof(suite, |_, _| (), |draft| draft.claim("cnf", json!({ "jkt": kid }))).await?;
        let rule = CheckedRule::new("DPP-02", "another key in the assertion than the proof's");
        suite.expect_error(&rule, &[(400, "invalid_grant")], &reply);
    }
    Ok(())
}

async fn wrong_proofs(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    for (title, spoil) in WRONG {
        let reply = with_proof(suite, spoil, |_| ()).await?;
        suite.expect_error(
            &CheckedRule::new("DPP-01", format!("a proof with {title}")),
            INVALID_PROOF,
            &reply,
        );
    }
    let rule = CheckedRule::new("DPP-01", "a proof for the second time");
    let proof = proof(suite, |_, _| (), None)?;
    send(suite, &[&proof], |_| ()).await?;
    let reply = send(suite, &[&proof], |_| ()).await?;
    let is_refused = reply.is_error(400, "invalid_dpop_proof") || reply.is_error(400, "use_dpop_nonce");
    suite.expect(&rule, is_refused, "400 invalid_dpop_proof", &reply);
    let reply = send(suite, &["nonsense"], |_| ()).await?;
    suite.expect_error(&CheckedRule::new("DPP-01", "a proof that is no JWT"), INVALID_PROOF, &reply);
    let second = self::proof(suite, |_, _| (), None)?;
    let third = self::proof(suite, |_, _| (), None)?;
    let reply = send(suite, &[&second, &third], |_| ()).await?;
    suite.expect_error(&CheckedRule::new("DPP-01", "two proofs"), INVALID_PROOF, &reply);
    Ok(())
}

/// Exchanges with a proof, and once more with the nonce if the server asks for one (RFC 9449 §8).
async fn with_proof(
    suite: &mut Suite,
    spoil: SpoilProof,
    change: impl Fn(&mut AssertionDraft),
) -> Result<ProbeReply, SuiteKeyError> {
    let first = proof(suite, spoil, None)?;
    let reply = send(suite, &[&first], &change).await?;
    let nonce = reply.header("dpop-nonce").map(str::to_owned);
    match nonce.filter(|_| reply.is_error(400, "use_dpop_nonce")) {
        Some(nonce) => {
            let second = proof(suite, spoil, Some(&nonce))?;
            send(suite, &[&second], &change).await
        }
        None => Ok(reply),
    }
}

async fn send(
    suite: &mut Suite,
    proofs: &[&str],
    change: impl Fn(&mut AssertionDraft),
) -> Result<ProbeReply, SuiteKeyError> {
    let assertion = suite.changed(change)?;
    let probe = suite.token_probe(&[("grant_type", JWT_BEARER), ("assertion", &assertion)]);
    let probe = proofs.iter().fold(probe, |probe, proof| probe.with_header(DPOP, proof));
    Ok(suite.send(probe).await)
}

fn proof(suite: &Suite, spoil: SpoilProof, nonce: Option<&str>) -> Result<String, SuiteKeyError> {
    let key = &suite.idp.keys().client;
    let object = |value: Value| value.as_object().cloned().unwrap_or_default();
    let mut header = object(json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": key.bare_jwk() }));
    let jti = random::token::<16>().unwrap_or_default();
    let claims = json!({ "htm": "POST", "htu": suite.token_url, "iat": suite.now(), "jti": jti });
    let mut claims = object(claims);
    if let Some(nonce) = nonce {
        set(&mut claims, "nonce", json!(nonce));
    }
    spoil(&mut header, &mut claims);
    let (header, claims) = (Value::Object(header).to_string(), Value::Object(claims).to_string());
    key.sign("ES256", &header, &claims)
}
