//! Proofs of possession (RFC 9449 §4.3).

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::assertion::{is_signed_by, opened};
use super::{Answered, Fault, NOW, Tiny, refuse};

/// Seconds by which a proof may be older or newer.
const WINDOW: i64 = 300;

/// The thumbprint of the key that was proved, if a proof was sent.
pub fn proved(tiny: &Tiny, headers: &HeaderMap) -> Answered<Option<String>> {
    let mut proofs = headers.get_all("dpop").iter().map(|proof| proof.to_str().unwrap_or_default());
    let Some(proof) = proofs.next() else { return Ok(None) };
    if proofs.next().is_some() && tiny.no(Fault::IgnoresProofs) {
        return Err(refuse("invalid_dpop_proof"));
    }
    let Some((header, claims)) = opened(proof, 0).zip(opened(proof, 1)) else {
        return if tiny.has(Fault::IgnoresProofs) { Ok(None) } else { Err(refuse("invalid_dpop_proof")) };
    };
    if !is_good(tiny, proof, &header, &claims) && tiny.no(Fault::IgnoresProofs) {
        return Err(refuse("invalid_dpop_proof"));
    }
    Ok(Some(thumbprint(&header["jwk"])))
}

fn is_good(tiny: &Tiny, proof: &str, header: &Value, claims: &Value) -> bool {
    let iat = claims["iat"].as_i64().unwrap_or_default();
    let is_new = || {
        let jti = claims["jti"].as_str().unwrap_or_default();
        !jti.is_empty()
            && (tiny.seen.lock().unwrap().insert(format!("proof {jti}")) || tiny.has(Fault::ProofsAgain))
    };
    header["typ"] == "dpop+jwt"
        && header["jwk"].get("d").is_none()
        && is_signed_by(proof, header, &header["jwk"])
        && claims["htm"] == "POST"
        && claims["htu"] == tiny.token_url()
        && (iat - NOW).abs() <= WINDOW
        && is_new()
}

/// RFC 7638 §3.2.
fn thumbprint(jwk: &Value) -> String {
    let members = json!({ "crv": jwk["crv"], "kty": jwk["kty"], "x": jwk["x"], "y": jwk["y"] });
    countersign::random::digest(&members.to_string())
}

/// Whether the assertion's key is the proved one (ID-JAG draft §9.8.1).
pub fn confirm(tiny: &Tiny, cnf: &Value, proved: Option<&str>) -> Answered<()> {
    let jkt = cnf["jkt"].as_str();
    let is_the_one = proved.is_some() && (jkt == proved || tiny.has(Fault::AnyProofKey));
    let is_confirmed = cnf.is_null() || is_the_one || tiny.has(Fault::IgnoresConfirmation);
    is_confirmed.then_some(()).ok_or_else(|| refuse("invalid_grant"))
}
