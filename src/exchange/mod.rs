//! One token exchange (RFC 7523, draft-ietf-oauth-identity-assertion-authz-grant §4.4): verify, decide, write once,
//! answer. Each step consumes the result of the step before, and a refusal carries everything known so far
//! (`progress`).

pub mod assertion;
pub mod claims;
pub(crate) mod client;
mod decide;
pub mod explain;
mod issuer;
pub mod issuer_lookup;
mod key_binding;
mod link;
mod near_miss;
mod pending_grant;
mod progress;
pub(crate) mod reached;
pub(crate) mod resource;
pub mod revoke;
mod verified;
mod verify;
pub(crate) mod what_if;

use std::net::IpAddr;
use std::sync::Arc;

use crate::app::App;
use crate::dpop::ProofHeader;
use crate::oauth::check::Check;
use crate::oauth::credentials::Credentials;
use crate::oauth::error::{Reason, TokenError};
use crate::oauth::request::TokenRequest;
use crate::store::sign_ins::NewSignIn;
use crate::token::TokenResponse;
use client::{Unauthenticated, authenticate};
use key_binding::{bind, check_required, prove};
use pending_grant::{Asked, Granted, PendingGrant, Stale};
use progress::{Progress, Refused};
use verify::{TargetRequest, check_kill_switches, check_types, resolve_target, verify};

/// A request at the token endpoint, as it came.
pub struct TokenCall<'a> {
    /// The value of the `Authorization` header; none without one.
    pub authorization: Option<&'a [u8]>,
    /// The header in which the caller proves that it has a key.
    pub proof: ProofHeader<'a>,
    /// The form, not yet decoded.
    pub body: &'a [u8],
    /// The caller's address, by the rules for proxies.
    pub address: IpAddr,
    /// The identifier that the log, the decision log and the answer name the request by.
    pub request_id: &'a str,
}

/// The result of a request, and its row in the decision log.
pub struct Exchanged {
    /// The token, or the refusal.
    pub result: Result<TokenResponse, TokenError>,
    /// The row of the decision log. Of many refusals alike only some are written; the rest is counted.
    pub record: Arc<NewSignIn>,
}

/// How often a request is tried. Each retry means that somebody else's write came first. So many in a row happen only
/// where many replicas admit newcomers, and the store's deadline for one request ends it earlier if writes are slow.
const ATTEMPTS: usize = 64;

/// Exchanges an assertion for an access token, and records the outcome.
pub async fn exchange(app: &App, call: TokenCall<'_>) -> Exchanged {
    match perform(app, &call).await {
        Ok(Granted { response, record }) => Exchanged { result: Ok(response), record },
        Err(mut refused) => {
            refused.error.code = refused.error.code.for_clients(app.config.denial_error);
            record_refusal(app, *refused, call.address).await
        }
    }
}

/// Records a request that could not even be read.
pub async fn refuse_early(app: &App, error: TokenError, request_id: &str, address: IpAddr) -> Exchanged {
    let refused = Progress::begin(app.clock.now(), request_id).refuse(error);
    record_refusal(app, *refused, address).await
}

/// Verifies, then decides and writes until nothing changes in between. Nothing is written before everything is
/// decided, and nothing is answered before it is written.
async fn perform(app: &App, call: &TokenCall<'_>) -> Result<Granted, Box<Refused>> {
    let (mut pending, mut turn) = (verify_call(app, call).await?, None);
    for _ in 0..ATTEMPTS {
        match pending.settle(app, turn.is_some()).await? {
            Ok(granted) => return Ok(granted),
            Err(Stale::Facts) => {}
            Err(Stale::Seats) => turn = Some(pending.take_turn(app).await?),
            Err(Stale::Configuration) => {
                let unavailable = |error| TokenError::unavailable(Reason::INTERNAL, error);
                app.reload().await.map_err(|error| pending.refuse(unavailable(error)))?;
                (pending, turn) = (verify_call(app, call).await?, None);
            }
        }
    }
    Err(pending.refuse(TokenError::unavailable(Reason::INTERNAL, "others' writes always came first")))
}

/// Takes the steps in order: first the client, before the answer says anything about the assertion; then the
/// assertion, of which nothing is trusted before its signature is verified; then the target of the token.
async fn verify_call<'a>(app: &App, call: &TokenCall<'a>) -> Result<PendingGrant<'a>, Box<Refused>> {
    let (snapshot, progress) = (app.snapshot(), Progress::begin(app.clock.now(), call.request_id));
    let mut request = TokenRequest::parse(call.body).map_err(|error| progress.refuse(error))?;
    let credentials = Credentials::from_request(call.authorization, std::mem::take(&mut request.credentials));
    let client = authenticate(app, &snapshot, credentials, call.address).await.map_err(|failed| {
        let Unauthenticated { claimed, error } = *failed;
        Progress { client_id: &claimed, ..progress }.refuse(error)
    })?;
    let client_id = client.registered().client_id.as_str();
    let progress = Progress { client_id, has_authenticated: true, ..progress };

    let asked = request.into_bearer().map_err(|error| progress.refuse(error))?;
    let progress = Progress { scope: asked.scope.as_deref(), ..progress };
    check_types(app, asked.details.as_deref()).map_err(|error| progress.refuse(error))?;
    let proof = prove(app, call, progress.at).map_err(|error| progress.refuse(error))?;
    let assertion = verify(app, &snapshot, &asked.assertion, None, progress).await?;
    let progress = assertion.progress(progress);
    let person = assertion.id_jag.claims().person();
    app.limits.check_subject(client_id, person).map_err(|limited| progress.refuse(limited))?;

    let requested = TargetRequest { resource: &asked.resource, details: asked.details.as_deref() };
    let target = resolve_target(app, &snapshot, &assertion, requested, progress)?;
    check_kill_switches(&snapshot, &assertion, &target.resource, progress)?;
    let progress = Progress { resource: &target.resource.identifier, ..progress.before(Check::Proof) };
    let key = bind(assertion.id_jag.claims().key.as_ref(), asked.demands_key, proof)
        .map_err(|error| progress.refuse(error))?;
    let (of_resource, of_client) =
        (target.resource.dpop_bound_access_tokens, client.registered().dpop_bound_access_tokens);
    check_required(of_resource, of_client, key.is_some()).map_err(|error| progress.refuse(error))?;
    Ok(PendingGrant::new(&client, call, Asked { scope: asked.scope, key }, assertion, target))
}

/// Answers a refusal, and writes it if it is due; further ones of its kind are counted. If it cannot be written, the
/// caller is told to try again: an outcome that is not in the decision log did not happen.
async fn record_refusal(app: &App, refused: Refused, address: IpAddr) -> Exchanged {
    let Refused { error, record, is_of_client, .. } = refused;
    let is_due = match is_of_client {
        true => app.refusals.is_due(&record),
        false => app.refusals.is_due_of_stranger(&record, address),
    };
    if !is_due {
        return Exchanged { result: Err(error), record };
    }
    let written = app.store.record(Arc::clone(&record)).await;
    Exchanged { result: Err(written.err().map_or(error, TokenError::from)), record }
}
