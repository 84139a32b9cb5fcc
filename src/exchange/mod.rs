//! One token exchange (RFC 7523, draft-ietf-oauth-identity-assertion-authz-grant §4.4): verify, then
//! decide, then write once, then answer. [`exchange`] is the whole flow; each step consumes what the one
//! before it produced.

pub mod assertion;
pub mod claims;
pub mod client;
mod commit;
pub mod explain;
pub mod grant;
mod issuer;
pub mod resource;
pub mod token;
pub mod verified;

use std::net::IpAddr;
use std::sync::Arc;

use crate::app::App;
use crate::clock::UnixSeconds;
use crate::idp::jwks::KeyError;
use crate::model::identity_provider::IdentityProvider;
use crate::model::resource::Resource;
use crate::model::scope::ScopeRequest;
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::oauth::request::{FormCredentials, TokenRequest};
use crate::oauth::scope::Candidates;
use crate::store::Conflict;
use crate::store::sign_ins::NewSignIn;
use crate::store::snapshot::{IssuerProviders, Snapshot, Tenancy, TrustedProvider};
use assertion::{AuthenticAssertion, IdJag, UnverifiedAssertion};
use claims::Expectations;
use client::{Client, Credentials, authenticate};
use grant::Case;
use issuer::{select, trusted_issuer};
use resource::ResourceRequest;
use token::TokenResponse;
use verified::Verified;

/// A request at the token endpoint, as it came.
pub struct TokenCall<'a> {
    pub authorization: Option<&'a [u8]>,
    pub body: &'a [u8],
    pub address: IpAddr,
    pub request_id: &'a str,
}

/// What came of a request, and the row that the decision log has of it.
pub struct Exchanged {
    pub result: Result<TokenResponse, TokenError>,
    pub record: NewSignIn,
}

/// How often a request is begun anew because the configuration changed before it was written.
const ATTEMPTS: usize = 4;

/// Why a request ended without a token.
enum Ended {
    Refused(TokenError),
    /// Nothing was written: the whole request must be looked at again under the new configuration.
    ConfigurationChanged,
}

impl From<TokenError> for Ended {
    fn from(error: TokenError) -> Self {
        Self::Refused(error)
    }
}

/// Exchanges an assertion for an access token, and records what came of it.
pub async fn exchange(app: &App, call: TokenCall<'_>) -> Exchanged {
    for _ in 0..ATTEMPTS {
        let (snapshot, mut record) = (app.snapshot(), begin(app.clock.now(), call.request_id));
        let (client, request) = match identify(app, &snapshot, &call, &mut record) {
            Ok(identified) => identified,
            Err(error) => return refuse_stranger(app, error, record, call.address).await,
        };
        match perform(app, &snapshot, &client, request, &mut record).await {
            Ok(response) => return Exchanged { result: Ok(response), record },
            Err(Ended::Refused(error)) => return refuse(app, error, record).await,
            Err(Ended::ConfigurationChanged) => {
                if let Err(error) = app.reload().await {
                    tracing::warn!(%error, "cannot take over a change of configuration");
                }
            }
        }
    }
    let busy = TokenError::unavailable(Reason::INTERNAL, Conflict::ConfigurationChanged);
    refuse(app, busy, begin(app.clock.now(), call.request_id)).await
}

/// Records a request that could not even be read.
pub async fn refuse_early(app: &App, error: TokenError, request_id: &str, address: IpAddr) -> Exchanged {
    refuse_stranger(app, error, begin(app.clock.now(), request_id), address).await
}

fn begin(now: UnixSeconds, request_id: &str) -> NewSignIn {
    NewSignIn { at: now, request_id: request_id.to_owned(), ..NewSignIn::default() }
}

/// The client, before anything is said about the assertion.
fn identify(
    app: &App,
    snapshot: &Snapshot,
    call: &TokenCall<'_>,
    record: &mut NewSignIn,
) -> Result<(Client, TokenRequest), TokenError> {
    let mut request = TokenRequest::parse(call.body)?;
    let credentials = std::mem::take(&mut request.credentials);
    let client = authenticate_limited(app, snapshot, call, credentials, record)?;
    Ok((client, request))
}

/// The steps in their order: nothing in the assertion is believed before its signature is good, nothing
/// is written before all is decided, nothing is answered before it is written.
async fn perform(
    app: &App,
    snapshot: &Snapshot,
    client: &Client,
    request: TokenRequest,
    record: &mut NewSignIn,
) -> Result<TokenResponse, Ended> {
    let now = record.at;
    let asked = request.into_bearer()?;
    record.scopes_asked = shorten(&asked.scope.as_deref().unwrap_or_default().join(" "));

    let unverified = UnverifiedAssertion::peek(&asked.assertion, app.config.assertion.max_size.bytes())?;
    record.issuer = shorten(unverified.issuer());
    let providers = trusted_issuer(snapshot, unverified.issuer(), record)?;
    let authentic = authenticate_assertion(app, unverified, providers).await?;
    describe(record, &authentic);
    let registered = client.registered();
    let selected = select(providers, &authentic, record);
    let id_jag = authentic.check(&expectations(app, &registered.client_id, now))?;
    let TrustedProvider { tenancy, provider } = selected?;
    app.limits.check_subject(&registered.client_id, id_jag.claims().person()).map_err(TokenError::from)?;

    let resource = resource(&id_jag, &asked.resource, tenancy, snapshot)?;
    record.resource.clone_from(&resource.identifier);
    let candidates = candidates(&id_jag, asked.scope.as_deref(), provider, &resource)?;

    let verified = Verified {
        client: registered,
        method: client.method(),
        id_jag: &id_jag,
        tenancy,
        provider,
        resource: &resource,
        candidates: &candidates,
        generation: snapshot.generation,
        now,
    };
    redeem(app, Case::new(client, verified), record).await
}

/// The key comes first: nothing is consumed for a token that could not be signed.
async fn redeem(app: &App, case: Case<'_>, record: &mut NewSignIn) -> Result<TokenResponse, Ended> {
    let signer = app.signer();
    let none = || TokenError::unavailable(Reason::INTERNAL, "no signing key");
    let key = signer.active(record.at).ok_or_else(none)?;
    case.settle(app, key, record).await
}

fn authenticate_limited(
    app: &App,
    snapshot: &Snapshot,
    call: &TokenCall<'_>,
    form: FormCredentials,
    record: &mut NewSignIn,
) -> Result<Client, TokenError> {
    let credentials = Credentials::from_request(call.authorization, form);
    // Credentials that cannot be read name nobody, and are counted together.
    let claimed = credentials.as_ref().map(|c| c.claimed_id(snapshot)).unwrap_or_default();
    record.client_id = shorten(&claimed);
    app.limits.check_authentication(&claimed, call.address)?;
    let client = credentials.and_then(|c| authenticate(&c, snapshot)).inspect_err(|error| {
        if error.code == ErrorCode::InvalidClient {
            app.limits.note_failed_authentication(&claimed, call.address);
        }
    })?;
    record.client_id.clone_from(&client.registered().client_id);
    Ok(client)
}

fn expectations(app: &App, client_id: &str, now: UnixSeconds) -> Expectations {
    Expectations {
        audience: app.config.issuer.clone(),
        client_id: client_id.to_owned(),
        now,
        clock_skew: app.config.assertion.clock_skew.as_secs(),
        max_lifetime: app.config.assertion.max_lifetime.as_secs(),
    }
}

async fn authenticate_assertion(
    app: &App,
    unverified: UnverifiedAssertion<'_>,
    providers: &IssuerProviders,
) -> Result<AuthenticAssertion, TokenError> {
    let (kid, algorithm) = (unverified.kid(), unverified.algorithm());
    // The keys are the issuer's: whichever provider asks for them, they are the same.
    let Some(TrustedProvider { tenancy, provider }) = providers.enabled().next() else {
        return Err(TokenError::unverified(Reason::ISSUER_DISABLED));
    };
    let keys = app.issuer_keys.find(&tenancy.teamspace.slug, provider, kid, algorithm).await;
    let keys = keys.map_err(|error| match error {
        KeyError::Unknown(detail) => TokenError::unverified(Reason::KID_UNKNOWN).detail(detail),
        KeyError::Busy => TokenError::unavailable(Reason::ISSUER_UNREACHABLE, error),
        KeyError::Unreachable => {
            let mut unavailable = TokenError::unavailable(Reason::ISSUER_UNREACHABLE, error);
            // Nobody asks again before.
            unavailable.retry_after = Some(app.config.jwks.min_refresh_interval.std().as_secs());
            unavailable
        }
    })?;
    unverified.authenticate(&keys)
}

fn resource(
    id_jag: &IdJag,
    requested: &[String],
    tenancy: &Tenancy,
    snapshot: &Snapshot,
) -> Result<Arc<Resource>, TokenError> {
    let (claimed, teamspace) = (&id_jag.claims().resource, &tenancy.teamspace.slug);
    ResourceRequest { claimed, requested, teamspace }.resolve(snapshot)
}

fn candidates(
    id_jag: &IdJag,
    requested: Option<&[String]>,
    provider: &IdentityProvider,
    resource: &Resource,
) -> Result<Candidates, TokenError> {
    let setting = provider.scope_setting();
    let scope = &id_jag.claims().scope;
    // A claim that cannot be read does not matter where the setting replaces it.
    let claimed = if setting.is_some() { scope.known() } else { scope.needed()? };
    ScopeRequest { claimed: claimed.map(Vec::as_slice), requested, setting: setting.as_deref(), resource }
        .candidates()
}

fn describe(record: &mut NewSignIn, authentic: &AuthenticAssertion) {
    let claims = authentic.claims();
    record.subject.clone_from(&claims.sub);
    record.email = claims.email.known().cloned().unwrap_or_default();
    record.assertion = authentic.id().to_owned();
    if record.scopes_asked.is_empty() {
        record.scopes_asked = shorten(&claims.scope.known().map_or(String::new(), |scopes| scopes.join(" ")));
    }
}

/// A caller's text in the log: bounded, and without the one character that PostgreSQL has no text with.
fn shorten(text: &str) -> String {
    text.chars().take(255).map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Refuses a caller who has not proved to be a client.
async fn refuse_stranger(app: &App, error: TokenError, mut record: NewSignIn, address: IpAddr) -> Exchanged {
    describe_refusal(&mut record, &error);
    let is_due = app.refusals.is_due_of_stranger(&record, address);
    end_refused(app, error, record, is_due).await
}

/// Refuses a client.
async fn refuse(app: &App, error: TokenError, mut record: NewSignIn) -> Exchanged {
    describe_refusal(&mut record, &error);
    let is_due = app.refusals.is_due(&record);
    end_refused(app, error, record, is_due).await
}

/// Answers a refusal, written down if it is due; the others of its kind are counted. When it cannot be written, the
/// caller is told to try again: an outcome that is not in the decision log did not happen.
async fn end_refused(app: &App, error: TokenError, record: NewSignIn, is_due: bool) -> Exchanged {
    if !is_due {
        return Exchanged { result: Err(error), record };
    }
    let row = Arc::new(record);
    let written = app.store.record(Arc::clone(&row)).await;
    let record = Arc::unwrap_or_clone(row);
    Exchanged { result: Err(written.err().map_or(error, TokenError::from)), record }
}

fn describe_refusal(record: &mut NewSignIn, error: &TokenError) {
    record.outcome = "refused".to_owned();
    record.reason = error.reason.as_str().to_owned();
    record.detail.clone_from(&error.detail);
    (record.member_id, record.token_id, record.scopes_granted) = Default::default();
}
