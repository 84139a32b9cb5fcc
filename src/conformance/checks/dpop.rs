//! Tokens that are bound to a key (RFC 9449, ID-JAG draft §9.8), where they are offered.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::conformance::draft::AssertionDraft;
use crate::conformance::judged::CheckedRule;
use crate::conformance::keys::{SuiteKeyError, sign_with_secret};
use crate::conformance::suite::Suite;
use crate::conformance::wire::ProbeReply;
use crate::dpop::DPOP;
use crate::oauth::request::JWT_BEARER;
use crate::random;

const INVALID_PROOF: &[(u16, &str)] = &[(400, "invalid_dpop_proof")];
const NEEDS_NONCE: (u16, &str) = (400, "use_dpop_nonce");

/// The symmetric key of proofs that must be refused.
const SHARED_SECRET: &str = "a secret that everybody can read here";

/// Puts a fault into a proof: into its header or its claims.
type SpoilProof = fn(&mut Map<String, Value>, &mut Map<String, Value>);

const WRONG: [(&str, SpoilProof); 11] = [
    ("typ JWT", |header, _| set(header, "typ", json!("JWT"))),
    ("no jwk", |header, _| drop(header.remove("jwk"))),
    ("a private key in jwk", |header, _| {
        if let Some(Value::Object(jwk)) = header.get_mut("jwk") {
            set(jwk, "d", json!("AAAA"));
        }
    }),
    ("a shared secret (HS256)", |header, _| {
        set(header, "alg", json!("HS256"));
        set(header, "jwk", json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(SHARED_SECRET) }));
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
        for id in ["DPP-01", "DPP-02", "DPP-04", "DPP-06"] {
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
    if suite.wants("DPP-06") {
        nonces(suite).await?;
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
    let nonce = nonce(suite).await?;
    let rule = CheckedRule::new("DPP-01", "a proof for the second time");
    let proof = proof(suite, |_, _| (), nonce.as_deref())?;
    send(suite, &[&proof], |_| ()).await?;
    let reply = send(suite, &[&proof], |_| ()).await?;
    // A nonce may be good once.
    suite.expect_error(&rule, &[INVALID_PROOF, &[NEEDS_NONCE]].concat(), &reply);
    let reply = send(suite, &["nonsense"], |_| ()).await?;
    suite.expect_error(&CheckedRule::new("DPP-01", "a proof that is no JWT"), INVALID_PROOF, &reply);
    let second = self::proof(suite, |_, _| (), nonce.as_deref())?;
    let third = self::proof(suite, |_, _| (), nonce.as_deref())?;
    let reply = send(suite, &[&second, &third], |_| ()).await?;
    suite.expect_error(&CheckedRule::new("DPP-01", "two proofs"), INVALID_PROOF, &reply);
    Ok(())
}

/// The nonce that the server asks for; none if it does not.
async fn nonce(suite: &mut Suite) -> Result<Option<String>, SuiteKeyError> {
    let proof = proof(suite, |_, _| (), None)?;
    Ok(asked_nonce(&send(suite, &[&proof], |_| ()).await?))
}

fn asked_nonce(reply: &ProbeReply) -> Option<String> {
    let (status, error) = NEEDS_NONCE;
    reply.header("dpop-nonce").filter(|_| reply.is_error(status, error)).map(str::to_owned)
}

/// RFC 9449 §8: the request is sent again, with the same assertion.
async fn nonces(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let assertion = suite.changed(|_| ())?;
    let without = proof(suite, |_, _| (), None)?;
    let reply = send_assertion(suite, &assertion, &[&without]).await;
    let rule = CheckedRule::new("DPP-06", "a nonce with the refusal of a proof that lacks one");
    if !reply.is_error(NEEDS_NONCE.0, NEEDS_NONCE.1) {
        suite.skip(&rule, "the server asks for no nonce");
        return Ok(());
    }
    let nonce = asked_nonce(&reply);
    suite.expect(&rule, nonce.is_some(), "the header DPoP-Nonce", &reply);
    let Some(nonce) = nonce else { return Ok(()) };
    let made_up = proof(suite, |_, _| (), Some("made-up"))?;
    let reply = send_assertion(suite, &assertion, &[&made_up]).await;
    let rule = CheckedRule::new("DPP-06", "a nonce that the server did not give out");
    suite.expect_error(&rule, &[INVALID_PROOF, &[NEEDS_NONCE]].concat(), &reply);
    let with = proof(suite, |_, _| (), Some(&nonce))?;
    let reply = send_assertion(suite, &assertion, &[&with]).await;
    suite.expect_grant(&CheckedRule::new("DPP-06", "the same assertion with the nonce"), &reply);
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
    match asked_nonce(&reply) {
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
    Ok(send_assertion(suite, &assertion, proofs).await)
}

async fn send_assertion(suite: &mut Suite, assertion: &str, proofs: &[&str]) -> ProbeReply {
    let probe = suite.token_probe(&[("grant_type", JWT_BEARER), ("assertion", assertion)]);
    let probe = proofs.iter().fold(probe, |probe, proof| probe.with_header(DPOP, proof));
    suite.send(probe).await
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
    let is_symmetric = header.get("alg").is_some_and(|alg| alg == "HS256");
    let (header, claims) = (Value::Object(header).to_string(), Value::Object(claims).to_string());
    match is_symmetric {
        true => Ok(sign_with_secret(SHARED_SECRET, &header, &claims)),
        false => key.sign("ES256", &header, &claims),
    }
}
