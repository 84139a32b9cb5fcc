//! Which key the token will be bound to: the one that the caller proves, which must be the one that the assertion names
//! (draft-ietf-oauth-identity-assertion-authz-grant §9.8.1, RFC 9449 §5).

use super::TokenCall;
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::dpop::{DpopProof, ExpectedProof, ProofFault, ProofHeader};
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::store::Conflict;
use crate::store::ledger::ProofUse;

/// The text for every proof that is no good: the log says why.
const NOT_GOOD: &str = "The DPoP proof was not accepted: make a new one for each request.";

/// RFC 9449 §8
const NEEDS_NONCE: &str = "The DPoP proof needs the nonce in the header DPoP-Nonce of this answer.";

/// The key of a token.
#[derive(Debug, Clone)]
pub(super) struct KeyBinding {
    /// The thumbprint of the key.
    pub thumbprint: String,
    /// The proof, which the token uses up; none in an explanation.
    pub proof: Option<ProofUse>,
}

impl KeyBinding {
    /// For an explanation: takes the proof that the assertion asks for as given, and any other if `is_proved`.
    pub fn supposed(named: Option<&String>, is_proved: bool) -> Option<Self> {
        let any = || is_proved.then(|| "(thumbprint of the client's key)".to_owned());
        let thumbprint = named.cloned().or_else(any)?;
        Some(Self { thumbprint, proof: None })
    }
}

/// Verifies the proof of a call, if it has one. Whatever the assertion says, a bad one is refused.
pub(super) fn prove(
    app: &App,
    call: &TokenCall<'_>,
    now: UnixSeconds,
) -> Result<Option<DpopProof>, TokenError> {
    if call.proof == ProofHeader::Absent {
        return Ok(None);
    }
    // Never what the request says of its own address: that is whatever the caller or a proxy wrote.
    let uri = format!("{}/oauth2/token", app.config.issuer);
    let nonces = app.dpop_nonces(now);
    let expected = ExpectedProof { method: "POST", uri: &uri, token: None, nonces: nonces.as_ref(), now };
    DpopProof::verify(call.proof, &expected).map_err(|fault| {
        let (code, reason, text) = match *fault {
            ProofFault::Nonce(_) => (ErrorCode::UseDpopNonce, Reason::PROOF_NONCE_NEEDED, NEEDS_NONCE),
            _ => (ErrorCode::InvalidDpopProof, Reason::PROOF_INVALID, NOT_GOOD),
        };
        TokenError::new(code, reason, text).detail(fault.to_string())
    })
}

/// Finds the key to bind to. `named` is the thumbprint of the key in the assertion; `demands_key` is the request's wish
/// that there is one.
pub(super) fn bind(
    named: Option<&String>,
    demands_key: bool,
    proof: Option<DpopProof>,
) -> Result<Option<KeyBinding>, TokenError> {
    match (named, proof) {
        (None, _) if demands_key => {
            let text =
                "The grant jwt-dpop needs an assertion that names a key (cnf); without one use jwt-bearer.";
            Err(TokenError::invalid_grant(Reason::CLAIM_MISSING, text).detail("cnf is missing"))
        }
        (Some(_), None) => {
            let text = "The assertion is bound to a key: send a DPoP proof that is made with it.";
            Err(TokenError::invalid_grant(Reason::PROOF_MISSING, text))
        }
        (Some(named), Some(proof)) if *named != proof.thumbprint => {
            let text = "The assertion is bound to another key than the one that made the DPoP proof.";
            let detail = format!("cnf names the key {named}, the proof is by {}", proof.thumbprint);
            Err(TokenError::invalid_grant(Reason::PROOF_MISMATCH, text).detail(detail))
        }
        (_, proof) => {
            Ok(proof.map(|proof| KeyBinding { thumbprint: proof.thumbprint, proof: Some(proof.used) }))
        }
    }
}

/// Refuses a bearer token where the resource (RFC 9728 §2) or the client (RFC 9449 §5.2) takes bound ones only.
pub(super) fn check_required(of_resource: bool, of_client: bool, is_bound: bool) -> Result<(), TokenError> {
    let (text, whose) = match (of_resource, of_client) {
        _ if is_bound => return Ok(()),
        (false, false) => return Ok(()),
        (true, _) => ("Tokens for this resource are bound to a key: send a DPoP proof.", "the resource"),
        (false, true) => ("Tokens of this client are bound to a key: send a DPoP proof.", "the client"),
    };
    let detail = format!("dpop_bound_access_tokens of {whose}");
    Err(TokenError::invalid_grant(Reason::PROOF_REQUIRED, text).detail(detail))
}

/// The refusal of a proof that was used, or that can no longer be shown to be unused.
pub(super) fn proof_replayed(conflict: Conflict) -> TokenError {
    TokenError::new(ErrorCode::InvalidDpopProof, Reason::PROOF_REPLAYED, NOT_GOOD)
        .detail(conflict.to_string())
}
