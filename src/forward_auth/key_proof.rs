//! Whether the caller has the key that its token is bound to (RFC 9449 §7.1).

use axum::http::{HeaderMap, HeaderName};
use url::Url;

use crate::app::App;
use crate::dpop::{DpopProof, ExpectedProof, NotTaken, ProofFault, ProofHeader};
use crate::model::resource::Resource;
use crate::store::ledger::ProofUse;

/// What a proxy says about the request that it asks about. It must write both itself, whatever the caller sent.
const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

/// Why a caller has not shown that it has the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// The token came alone.
    #[error("the token is bound to a key, and was sent as a bearer token")]
    SentAlone,
    /// The resource takes no bearer tokens.
    #[error("the resource takes only tokens that are bound to a key")]
    Required,
    /// A bearer token came as a bound one.
    #[error("the token is not bound to a key, and was sent with the scheme DPoP")]
    NotBound,
    /// There is no proof, or one that is no good.
    #[error("the proof: {0}")]
    Proof(String),
    /// The proof has no fresh nonce.
    #[error("the proof: {0}")]
    Nonce(String),
    /// Nobody could tell whether the proof is used a second time.
    #[error("too many proofs are in use")]
    TooMany,
}

/// Checks the proof of a request with a bound token. It is not used up yet.
pub(super) fn check_proof(
    app: &App,
    resource: &Resource,
    headers: &HeaderMap,
    (token, thumbprint): (&str, &str),
) -> Result<ProofUse, KeyRefusal> {
    let refuse = |text: &str| KeyRefusal::Proof(text.to_owned());
    let untold = || refuse("the proxy must set X-Forwarded-Method and X-Forwarded-Uri, once each");
    let (method, uri) = of_request(resource, headers).ok_or_else(untold)?;
    let now = app.clock.now();
    let nonces = app.dpop_nonces(now);
    let expected = ExpectedProof { method, uri: &uri, token: Some(token), nonces: nonces.as_ref(), now };
    let proof = DpopProof::verify(ProofHeader::of(headers), &expected).map_err(|fault| match *fault {
        ProofFault::Nonce(_) => KeyRefusal::Nonce(fault.to_string()),
        _ => KeyRefusal::Proof(fault.to_string()),
    })?;
    let proof = proof.ok_or_else(|| refuse("there is no DPoP header"))?;
    match proof.thumbprint == thumbprint {
        true => Ok(proof.used),
        false => Err(refuse("it is by another key than the token's")),
    }
}

/// Uses up the proof of a request that may pass.
pub(super) fn use_up(app: &App, proof: &ProofUse) -> Result<(), KeyRefusal> {
    app.used_proofs.take(proof, app.clock.now()).map_err(|not_taken| match not_taken {
        NotTaken::Used => KeyRefusal::Proof("it was used before".to_owned()),
        NotTaken::Full => KeyRefusal::TooMany,
    })
}

/// Method and address of the request. The origin is the registered one: a host in a header is whatever the caller wrote.
fn of_request<'h>(resource: &Resource, headers: &'h HeaderMap) -> Option<(&'h str, String)> {
    let (method, path) = (only(headers, &METHOD)?, only(headers, &URI)?);
    let origin = Url::parse(&resource.identifier).ok()?.origin();
    (origin.is_tuple() && path.starts_with('/')).then(|| (method, origin.ascii_serialization() + path))
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    (values.next().is_none() && !value.is_empty()).then_some(value)
}
