//! Verifies Countersign's access tokens: copy this file beside your own tools, with limits.rs and proof.rs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use tokio::sync::{Mutex, RwLock};

use crate::limits::Detail;
use crate::proof::{ALGS, NoProof, Proofs};
use crate::revocations::Revocations;

/// The claims of a verified token. `iss` and `aud` are one string each, or the token is refused.
#[derive(Clone, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
pub struct Claims {
    iss: String,
    aud: String,
    pub iat: i64,
    jti: String,
    pub sub: String,
    pub client_id: String,
    pub teamspace: Option<String>,
    pub teamspace_id: Option<String>,
    identity_provider_id: Option<String>,
    pub scope: Option<String>,
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    pub authorization_details: Vec<Detail>,
    #[serde(skip_serializing)]
    #[schemars(skip)]
    cnf: Option<Confirmation>,
}

/// The key that a token is bound to (RFC 9449 §6.1). A token that is bound in another way is refused.
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    jkt: String,
}

/// The status, and the scheme and the `error` of the challenge if there is one.
type Refusal = (StatusCode, &'static str, Option<&'static str>);
const NO_TOKEN: Refusal = (StatusCode::UNAUTHORIZED, "Bearer", None);
const INVALID: Refusal = (StatusCode::UNAUTHORIZED, "Bearer", Some("invalid_token"));
const SENT_ALONE: Refusal = (StatusCode::UNAUTHORIZED, "DPoP", Some("invalid_token"));
const BAD_PROOF: Refusal = (StatusCode::UNAUTHORIZED, "DPoP", Some("invalid_dpop_proof"));
const TOO_LITTLE: Refusal = (StatusCode::FORBIDDEN, "Bearer", Some("insufficient_scope"));
const UNAVAILABLE: Refusal = (StatusCode::SERVICE_UNAVAILABLE, "", None); // not the token's fault: the client keeps it

pub struct Guard {
    pub issuer: String,
    pub resource: String,
    pub metadata_url: String,
    pub scope: &'static str,
    pub http: reqwest::Client,
    pub asked: Mutex<Option<Instant>>,
    pub keys: RwLock<Option<(Instant, JwkSet)>>,
    pub revocations: Option<Arc<Revocations>>,
    pub proofs: Proofs,
}

impl Guard {
    /// The key of this id among those fetched in the last five minutes.
    async fn cached(&self, kid: &str) -> Result<Option<Jwk>, Refusal> {
        let keys = self.keys.read().await;
        let fresh = keys.as_ref().filter(|(at, _)| at.elapsed() < Duration::from_secs(300));
        fresh.map(|(_, set)| set.find(kid).cloned()).ok_or(UNAVAILABLE)
    }

    /// Asks Countersign for a key that is not cached, but at most every five seconds.
    async fn key(&self, kid: &str) -> Result<Jwk, Refusal> {
        if let Ok(Some(key)) = self.cached(kid).await {
            return Ok(key);
        }
        let mut asked = self.asked.lock().await;
        if asked.is_none_or(|at| at.elapsed() >= Duration::from_secs(5)) {
            *asked = Some(Instant::now());
            let set = self.fetch().await.map_err(|_| UNAVAILABLE)?;
            *self.keys.write().await = Some((Instant::now(), set));
        }
        self.cached(kid).await?.ok_or(INVALID)
    }

    async fn fetch(&self) -> reqwest::Result<JwkSet> {
        let answer = self.http.get(format!("{}/oauth2/jwks", self.issuer)).send().await?;
        answer.error_for_status()?.json().await
    }

    async fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| INVALID)?;
        let (Some("at+jwt"), Some(kid), None) = (header.typ.as_deref(), header.kid.as_deref(), header.crit)
        else {
            return Err(INVALID);
        };
        let key = self.key(kid).await?;
        let algorithm = key.common.key_algorithm.and_then(|of_key| Algorithm::try_from(of_key).ok());
        let mut expected = Validation::new(algorithm.ok_or(INVALID)?);
        expected.set_issuer(&[&self.issuer]);
        expected.set_audience(&[&self.resource]);
        expected.leeway = 10;
        let key = DecodingKey::from_jwk(&key).map_err(|_| INVALID)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &expected).map_err(|_| INVALID)?.claims;
        if let Some(revocations) = &self.revocations
            && revocations.are_over(&claims).await.ok_or(UNAVAILABLE)?
        {
            return Err(INVALID);
        }
        let mut granted = claims.scope.as_deref().unwrap_or_default().split(' ');
        if granted.any(|scope| scope == self.scope) { Ok(claims) } else { Err(TOO_LITTLE) }
    }

    /// A token that is bound to a key comes with the scheme `DPoP` and a proof, any other with `Bearer`.
    async fn admit(&self, request: &mut Request) -> Result<Claims, Refusal> {
        let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = header.and_then(|value| value.split_once(' ')).ok_or(NO_TOKEN)?;
        let as_bound = scheme.eq_ignore_ascii_case("dpop");
        if !as_bound && !scheme.eq_ignore_ascii_case("bearer") {
            return Err(NO_TOKEN);
        }
        let token = token.to_owned();
        let claims = self.verify(&token).await?;
        match (&claims.cnf, as_bound) {
            (None, false) => {}
            (None, true) => return Err(INVALID),
            (Some(_), false) => return Err(SENT_ALONE),
            (Some(key), true) => {
                let about = (self.resource.as_str(), token.as_str(), key.jkt.as_str());
                self.proofs.check(request, about).await.map_err(|refused| match refused {
                    NoProof::Bad => BAD_PROOF,
                    NoProof::Full => UNAVAILABLE,
                })?;
            }
        }
        Ok(claims)
    }
}

/// The middleware: only requests with a good token reach the tools, with its claims as an extension.
pub async fn require_token(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    match guard.admit(&mut request).await {
        Ok(claims) => {
            request.extensions_mut().insert(claims);
            next.run(request).await
        }
        Err(UNAVAILABLE) => UNAVAILABLE.0.into_response(),
        Err((status, scheme, error)) => {
            let error = error.map(|code| format!("error=\"{code}\", ")).unwrap_or_default();
            let algs = if scheme == "DPoP" { format!("algs=\"{ALGS}\", ") } else { String::new() };
            let (scope, metadata) = (guard.scope, &guard.metadata_url);
            let challenge =
                format!("{scheme} {error}{algs}scope=\"{scope}\", resource_metadata=\"{metadata}\"");
            (status, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
        }
    }
}
