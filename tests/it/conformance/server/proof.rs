//! Proofs of possession (RFC 9449 §4.3).

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::assertion::{is_signed_by, opened};
use super::{Answered, Fault, NOW, Tiny, refuse};

/// The nonce that every proof needs.
pub const NONCE: &str = "the-nonce-of-the-day";
/// Seconds by which a proof may be older or newer.
const WINDOW: i64 = 300;

/// The thumbprint of the key that was proved, if a proof was sent.
pub fn proved(tiny: &Tiny, headers: &HeaderMap) -> Answered<Option<String>> {
    let mut proofs = headers.get_all("dpop").iter().map(|proof| proof.to_str().unwrap_or_default());
    let Some(proof) = proofs.next() else { return Ok(None) };
    if proofs.next().is_some() && tiny.no(Fault::IgnoresProofs) && tiny.no(Fault::TwoProofs) {
        return Err(refuse("invalid_dpop_proof"));
    }
    let Some((header, claims)) = opened(proof, 0).zip(opened(proof, 1)) else {
        return if tiny.has(Fault::IgnoresProofs) { Ok(None) } else { Err(refuse("invalid_dpop_proof")) };
    };
    if tiny.no(Fault::IgnoresProofs) {
        if !is_good(tiny, proof, &header, &claims) {
            return Err(refuse("invalid_dpop_proof"));
        }
        if claims["nonce"] != NONCE && (claims["nonce"].is_null() || tiny.no(Fault::AnyNonce)) {
            return Err(refuse("use_dpop_nonce"));
        }
        if !is_new(tiny, &claims) {
            return Err(refuse("invalid_dpop_proof"));
        }
    }
    Ok(Some(thumbprint(&header["jwk"])))
}

fn is_good(tiny: &Tiny, proof: &str, header: &Value, claims: &Value) -> bool {
    let iat = claims["iat"].as_i64().unwrap_or_default();
    let is_symmetric = header["alg"] == "HS256" && tiny.has(Fault::SecretProofKey);
    (header["typ"] == "dpop+jwt" || tiny.has(Fault::AnyProofType))
        && (header["jwk"].get("d").is_none() || tiny.has(Fault::PrivateProofKey))
        && (is_symmetric || is_signed_by(proof, header, &header["jwk"]))
        && (claims["htm"] == "POST" || tiny.has(Fault::AnyProofMethod))
        && (claims["htu"] == tiny.token_url() || tiny.has(Fault::AnyProofAddress))
        && ((iat - NOW).abs() <= WINDOW || tiny.has(Fault::AnyProofTime))
}

fn is_new(tiny: &Tiny, claims: &Value) -> bool {
    let jti = claims["jti"].as_str().unwrap_or_default();
    !jti.is_empty()
        && (tiny.seen.lock().unwrap().insert(format!("proof {jti}")) || tiny.has(Fault::ProofsAgain))
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
