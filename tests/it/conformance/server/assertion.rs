//! The assertion as a signed text.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use countersign::oauth::json::parse_object;
use serde_json::{Value, json};

use super::{Answered, Fault, Refused, Tiny, refuse};
use crate::harness::{decode, http};

const KIND: &str = "oauth-id-jag+jwt";

/// Unpadded base64url only.
fn strict(part: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).ok()
}

/// A part of a JWT as JSON, whatever else is true of it.
pub fn opened(token: &str, part: usize) -> Option<Value> {
    serde_json::from_slice(&strict(token.split('.').nth(part)?)?).ok()
}

fn object(tiny: &Tiny, part: &str) -> Option<Value> {
    let bytes = strict(part)?;
    if tiny.has(Fault::DuplicateMembers) {
        return serde_json::from_slice(&bytes).ok().filter(Value::is_object);
    }
    parse_object(&bytes).map(Value::Object)
}

/// Whether a key of this kind made the signature.
pub fn is_signed_by(token: &str, header: &Value, jwk: &Value) -> bool {
    let part = |name: &str| decode(jwk[name].as_str().unwrap_or_default());
    let Some((message, signature)) = token.rsplit_once('.') else { return false };
    let Some(signature) = strict(signature) else { return false };
    let message = message.as_bytes();
    match (header["alg"].as_str(), jwk["kty"].as_str()) {
        (Some("RS256"), Some("RSA")) => {
            let key = RsaPublicKeyComponents { n: part("n"), e: part("e") };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, message, &signature).is_ok()
        }
        (Some("ES256"), Some("EC")) => {
            let point = [vec![4], part("x"), part("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, &signature).is_ok()
        }
        _ => false,
    }
}

/// The claims of an assertion with a good header and signature of the known issuer.
pub async fn authentic(tiny: &Tiny, token: &str) -> Answered<Value> {
    let bad = || refuse("invalid_grant");
    let token = if tiny.has(Fault::TakesPadding) { token.trim_end_matches('=') } else { token };
    let mut parts: Vec<&str> = token.split('.').collect();
    if tiny.has(Fault::FiveParts) {
        parts.truncate(3);
    }
    let [header, payload, signature] = parts[..] else { return Err(bad()) };
    let header = object(tiny, header).ok_or_else(bad)?;
    let claims = object(tiny, payload).ok_or_else(bad)?;
    kind(tiny, &header)?;
    if tiny.has(Fault::UsesUpEarly) {
        let is_new = tiny.used.lock().unwrap().insert(claims["jti"].to_string());
        is_new.then_some(()).ok_or_else(bad)?;
    }
    issuer(tiny, &claims["iss"]).await?;
    let text = format!("{}.{}.{signature}", parts[0], parts[1]);
    signature_is_good(tiny, &header, &text).await.then_some(claims).ok_or_else(bad)
}

fn kind(tiny: &Tiny, header: &Value) -> Answered<()> {
    let kind = header["typ"].as_str().unwrap_or_default();
    let lower = if tiny.has(Fault::ExactCaseOfType) { kind.to_owned() } else { kind.to_ascii_lowercase() };
    let is_id_jag = lower.strip_prefix("application/").unwrap_or(&lower) == KIND;
    let is_workload = kind == "JWT" && tiny.has(Fault::TakesWorkloads);
    let is_critical = header.get("crit").is_some() || header.get("b64").is_some();
    if (!is_id_jag && !is_workload && tiny.no(Fault::AnyType)) || (is_critical && tiny.no(Fault::IgnoresCrit))
    {
        return Err(refuse("invalid_grant"));
    }
    Ok(())
}

async fn issuer(tiny: &Tiny, iss: &Value) -> Answered<()> {
    let only = match iss {
        Value::Array(all) if tiny.has(Fault::IssuerInArray) => all.first().cloned().unwrap_or_default(),
        other => other.clone(),
    };
    let loose = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
    let named = only.as_str().unwrap_or_default();
    let is_known = named == tiny.idp
        || (tiny.has(Fault::LooseIssuer) && loose(named) == loose(&tiny.idp))
        || (tiny.has(Fault::ItselfAsIssuer) && named == tiny.issuer);
    if is_known {
        return Ok(());
    }
    if tiny.has(Fault::AsksStranger) && named.starts_with("http") {
        let _ = http().get(format!("{named}/.well-known/openid-configuration")).send().await;
    }
    let told = if tiny.has(Fault::TellsUnknownIssuers) { "unknown issuer" } else { "refused" };
    Err(Refused { told, ..refuse("invalid_grant") })
}

async fn signature_is_good(tiny: &Tiny, header: &Value, token: &str) -> bool {
    let is_named = |key: &&Value| key["kid"] == header["kid"] || header.get("kid").is_none();
    let keys = || tiny.keys.iter();
    match tiny.fault {
        Some(Fault::NoSignatureCheck) => return true,
        Some(Fault::AlgNone)
            if header["alg"].as_str().is_some_and(|alg| alg.eq_ignore_ascii_case("none")) =>
        {
            return true;
        }
        Some(Fault::PublicKeyAsSecret) if header["alg"] == "HS256" => {
            return is_signed_with_public_key(tiny, token);
        }
        Some(Fault::KeyFromHeader) if header.get("jwk").is_some() => {
            return is_signed_by(token, header, &header["jwk"]);
        }
        Some(Fault::AnyKeyOfIssuer) => {
            // Whichever key fits, with the algorithm that fits it.
            return keys().any(|key| is_signed_by(token, &json!({ "alg": key["alg"] }), key));
        }
        Some(Fault::FollowsJku) if header.get("jku").is_some() => {
            let jwks = http().get(header["jku"].as_str().unwrap()).send().await.unwrap();
            let jwks: Value = jwks.json().await.unwrap();
            return jwks["keys"].as_array().unwrap().iter().any(|key| is_signed_by(token, header, key));
        }
        _ => {}
    }
    keys().filter(is_named).any(|key| is_signed_by(token, header, key))
}

/// The key in PEM, taken for a secret.
fn is_signed_with_public_key(tiny: &Tiny, token: &str) -> bool {
    let (message, tag) = token.rsplit_once('.').unwrap();
    tiny.pems.iter().any(|pem| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, pem.as_bytes());
        hmac::verify(&key, message.as_bytes(), &decode(tag)).is_ok()
    })
}
