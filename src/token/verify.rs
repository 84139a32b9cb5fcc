//! Verifies our own access tokens as a resource server would (RFC 9068 §4), except for their expiry and audience.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::access_token::AccessToken;
use super::confirmation::Confirmation;
use crate::clock::UnixSeconds;
use crate::oauth::authorization_details::Detail;
use crate::signing::Signer;

/// The longest token that is looked at, in bytes. Ours are shorter: of the claims, only `act`, the scopes and the
/// authorization details can be long, and those come from an assertion and a request of limited size.
const MAX_TOKEN: usize = 32 * 1024;

#[derive(Deserialize)]
struct SignedClaims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    iat: UnixSeconds,
    exp: UnixSeconds,
    jti: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    authorization_details: Vec<Detail>,
    teamspace: String,
    teamspace_id: String,
    identity_provider_id: Option<String>,
    auth_time: Option<UnixSeconds>,
    acr: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
    act: Option<Value>,
    cnf: Option<Confirmation<String>>,
}

/// Reads a token that one of our published keys signed, with the type of access tokens and our issuer. None for
/// anything else.
pub fn verify(token: &str, signer: &Signer, issuer: &str) -> Option<AccessToken> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    // Its type, its algorithm and nothing else (RFC 8725 §3.1, §3.11): exactly what the key itself writes.
    let key = signer.key_with_header(header)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    if !key.verifies(signed.as_bytes(), &signature) {
        return None;
    }
    let claims: SignedClaims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    (claims.iss == issuer).then(|| read(claims, key.kid()))
}

fn read(claims: SignedClaims, kid: &str) -> AccessToken {
    AccessToken {
        token_id: claims.jti,
        member_id: claims.sub,
        teamspace: claims.teamspace,
        teamspace_id: claims.teamspace_id,
        identity_provider_id: claims.identity_provider_id,
        client_id: claims.client_id,
        audience: claims.aud,
        scopes: claims.scope.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
        authorization_details: claims.authorization_details,
        issued_at: claims.iat,
        expires_at: claims.exp,
        auth_time: claims.auth_time,
        acr: claims.acr,
        amr: claims.amr,
        act: claims.act,
        key_thumbprint: claims.cnf.map(|cnf| cnf.jkt),
        kid: kid.to_owned(),
    }
}
