//! Verifies DPoP proofs (RFC 9449 §4.3, §7.1) of tokens that are bound to a key: copy this file beside guard.rs.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::ThumbprintHash;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::Url;
use tokio::sync::Mutex;

/// The algorithms of proofs, as challenges list them.
pub const ALGS: &str = "ES256 EdDSA PS256 RS256";
const ALLOWED: [Algorithm; 4] = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::PS256, Algorithm::RS256];

const WINDOW: f64 = 300.0; // seconds that a proof may be older or newer
const LIFE: Duration = Duration::from_secs(601); // from the first to the last moment at which one is good
const GENERATION: usize = 100_000; // used proofs in each of the two generations, some 100 bytes each
const MAX_BODY: usize = 4 * 1024 * 1024;

#[derive(serde::Deserialize)]
struct ProofClaims {
    htm: String,
    htu: String,
    iat: f64,
    jti: String,
    ath: String,
    content_digest: Option<String>,
}

pub enum NoProof {
    /// There is not exactly one proof, or it is not good.
    Bad,
    /// There is no room to remember it by.
    Full,
}

/// The proofs that were used; each is good once. Only holders of a bound token add to them.
#[derive(Default)]
pub struct Proofs(Mutex<Generations>);

/// A generation is filled for the life of a proof, then kept for as long again.
#[derive(Default)]
struct Generations {
    young: HashSet<String>,
    old: HashSet<String>,
    young_since: Option<Instant>,
}

impl Proofs {
    /// Checks that the sender of a request to this server has the key with the thumbprint `jkt`.
    pub async fn check(
        &self,
        request: &mut Request,
        (server, token, jkt): (&str, &str, &str),
    ) -> Result<(), NoProof> {
        let mut proofs = request.headers().get_all("dpop").iter();
        let (Some(proof), None) = (proofs.next(), proofs.next()) else { return Err(NoProof::Bad) };
        let claims = proof.to_str().ok().and_then(|proof| signed_by(proof, jkt)).ok_or(NoProof::Bad)?;
        let is_good = claims.htm == request.method().as_str()
            && bare(&claims.htu).is_some_and(|url| bare(server) == Some(url))
            && (claims.iat - jsonwebtoken::get_current_timestamp() as f64).abs() <= WINDOW
            && claims.ath == URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()))
            && (1..=256).contains(&claims.jti.len());
        if !is_good {
            return Err(NoProof::Bad);
        }
        if let Some(expected) = &claims.content_digest {
            check_body(request, expected).await?;
        }
        self.use_up(format!("{jkt} {}", claims.jti)).await
    }

    async fn use_up(&self, proof: String) -> Result<(), NoProof> {
        let mut used = self.0.lock().await;
        if used.young_since.is_none_or(|since| since.elapsed() > LIFE) {
            used.old = std::mem::take(&mut used.young);
            used.young_since = Some(Instant::now());
        }
        let key = URL_SAFE_NO_PAD.encode(digest(&SHA256, proof.as_bytes()));
        if used.old.contains(&key) || used.young.contains(&key) {
            return Err(NoProof::Bad);
        }
        if used.young.len() >= GENERATION {
            return Err(NoProof::Full);
        }
        used.young.insert(key);
        Ok(())
    }
}

/// The claims of a proof, which the public key in its header has signed.
fn signed_by(proof: &str, jkt: &str) -> Option<ProofClaims> {
    let header = jsonwebtoken::decode_header(proof).ok()?;
    let jwk = header.jwk.as_ref()?;
    let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).ok()?;
    let is_proof = header.typ.as_deref() == Some("dpop+jwt") && header.crit.is_none();
    if !is_proof || !ALLOWED.contains(&header.alg) || thumbprint != jkt || shows_private_key(proof) {
        return None;
    }
    let mut expected = Validation::new(header.alg);
    expected.required_spec_claims.clear(); // a proof has neither exp nor aud
    expected.validate_exp = false;
    expected.validate_aud = false;
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(jsonwebtoken::decode(proof, &key, &expected).ok()?.claims)
}

/// Whether the key in the header is a private one: somebody may have read it.
fn shows_private_key(proof: &str) -> bool {
    let header = proof.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header: Option<serde_json::Value> = header.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    header.is_none_or(|header| !header["jwk"]["d"].is_null())
}

/// An address without query and fragment, as the URL standard writes it.
fn bare(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}

/// The digest of the body, where a proof has one (the DPoP profile of MCP, a draft).
async fn check_body(request: &mut Request, expected: &str) -> Result<(), NoProof> {
    let body = to_bytes(std::mem::take(request.body_mut()), MAX_BODY).await.map_err(|_| NoProof::Bad)?;
    let found = format!("sha-256=:{}:", STANDARD.encode(digest(&SHA256, &body)));
    *request.body_mut() = Body::from(body);
    if found == expected { Ok(()) } else { Err(NoProof::Bad) }
}
