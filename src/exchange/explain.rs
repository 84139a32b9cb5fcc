//! What would come of an assertion, and why: every check of [`super::exchange`] in its order, without
//! redeeming, storing or changing anything.

use serde::Serialize;
use serde_json::Value;

use super::assertion::{AuthenticAssertion, UnverifiedAssertion};
use super::grant::not_redeemed;
use super::issuer::{not_selected, select, trusted_issuer};
use super::token::preview;
use super::verified::Verified;
use super::{authenticate_assertion, candidates, expectations, resource};
use crate::app::App;
use crate::disclosure::Disclosure;
use crate::model::client::RegisteredClient;
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::oauth::reason::{Check, Fixer};
use crate::oauth::request::JWT_BEARER;
use crate::policy::{self, Explained, NotApplied, Permitted};
use crate::store::ledger::use_conflict;
use crate::store::sign_ins::NewSignIn;
use crate::store::snapshot::{IssuerProviders, Snapshot, TrustedProvider};

/// What is asked.
#[derive(Debug)]
pub struct Asked<'a> {
    pub assertion: &'a str,
    /// The client that would redeem it; it need not authenticate.
    pub client_id: &'a str,
    pub scope: Option<&'a [String]>,
    pub resource: &'a [String],
    /// The teamspace that the asker may see: an assertion of another's issuer is unknown to it.
    pub teamspace_id: Option<&'a str>,
    /// Whether the asker may learn no more about policies than that teamspace.
    pub confined: bool,
    /// Whether to say of the other policies why they did not apply.
    pub all: bool,
}

/// The answer, for administrators: it names what the token endpoint tells nobody.
#[derive(Debug, Serialize)]
pub struct Explanation {
    pub checks: Vec<Checked>,
    pub decisions: Vec<Explained>,
    /// Where it was asked for, and policies were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_applied: Option<NotApplied>,
    /// Hash of the policy set that decided.
    pub policy_set: String,
    /// The claims of the token that would be issued; member id and `jti` of a new member are made up.
    pub token: Option<Value>,
    pub error: Option<Refusal>,
}

/// One check.
#[derive(Debug, Serialize)]
pub struct Checked {
    pub check: Check,
    /// `passed`, `failed` or `not_reached`.
    pub outcome: &'static str,
}

/// What the token endpoint would answer, and what its log would say.
#[derive(Debug, Serialize)]
pub struct Refusal {
    pub error: &'static str,
    pub description: String,
    pub reason: Reason,
    pub detail: String,
    /// Who can fix it, the likeliest first.
    pub who: &'static [Fixer],
    pub what_to_do: &'static str,
}

/// Explains an assertion.
pub async fn explain(app: &App, asked: &Asked<'_>) -> Explanation {
    let policies = app.policies();
    let mut walk = Walk { app, asked, at: Check::Client, decisions: Vec::new(), not_applied: None };
    let outcome = walk.whole(&policies).await;
    let failed = outcome.as_ref().err().map(|error| error.reason.about().failed_check(walk.at));
    let outcome_of = |check: Check| match failed {
        Some(failed) if check == failed => "failed",
        Some(failed) if check > failed => "not_reached",
        _ => "passed",
    };
    let checks = Check::ALL.into_iter().map(|check| Checked { check, outcome: outcome_of(check) });
    let (token, error) = match outcome {
        Ok(token) => (Some(token), None),
        Err(error) => (None, Some(Refusal::of(&error))),
    };
    Explanation {
        checks: checks.collect(),
        decisions: walk.decisions,
        not_applied: walk.not_applied,
        policy_set: policies.hash.clone(),
        token,
        error,
    }
}

impl Refusal {
    fn of(error: &TokenError) -> Self {
        let cause = error.cause.as_ref().map(ToString::to_string).unwrap_or_default();
        let about = error.reason.about();
        Self {
            error: error.code.wire().0,
            description: error.description.to_string(),
            reason: error.reason.clone(),
            detail: if error.detail.is_empty() { cause } else { error.detail.clone() },
            who: about.fixers,
            what_to_do: about.what_to_do,
        }
    }
}

/// The steps of an exchange, and how far they got.
struct Walk<'a> {
    app: &'a App,
    asked: &'a Asked<'a>,
    at: Check,
    decisions: Vec<Explained>,
    not_applied: Option<NotApplied>,
}

impl Walk<'_> {
    async fn whole(&mut self, policies: &policy::Policies) -> Result<Value, TokenError> {
        let (app, asked, now) = (self.app, self.asked, self.app.clock.now());
        let snapshot = app.snapshot();
        let client = self.told(find_client(&snapshot, asked.client_id))?;
        self.at = Check::Format;
        let unverified = UnverifiedAssertion::peek(asked.assertion, app.config.assertion.max_size.bytes())?;
        self.at = Check::Issuer;
        let providers = self.trusted_issuer(&snapshot, unverified.issuer())?;
        self.at = Check::Key;
        let authentic = authenticate_assertion(app, unverified, providers).await?;
        self.at = Check::Audience;
        let selected = self.select(providers, &authentic);
        let id_jag = authentic.check(&expectations(app, asked.client_id, now))?;
        let TrustedProvider { tenancy, provider } = selected?;
        let client = client.inspect_err(|_| self.at = Check::Client)?;
        self.at = Check::Resource;
        let resource = resource(&id_jag, asked.resource, tenancy, &snapshot)?;
        self.at = Check::Scopes;
        let candidates = candidates(&id_jag, asked.scope, provider, &resource)?;
        let verified = Verified {
            client,
            method: client.token_endpoint_auth_method,
            id_jag: &id_jag,
            tenancy,
            provider,
            resource: &resource,
            candidates: &candidates,
            generation: snapshot.generation,
            now,
        };
        self.decide(&verified, policies).await
    }

    async fn decide(
        &mut self,
        verified: &Verified<'_>,
        policies: &policy::Policies,
    ) -> Result<Value, TokenError> {
        self.at = Check::Member;
        let standing = verified.standing(self.app).await?;
        self.at = Check::Session;
        verified.check_session(self.app, &standing)?;
        self.at = Check::Policies;
        let facts = verified.facts(&standing);
        let (decisions, outcome) = policy::explain(&policies.compiled, &facts);
        let snapshot = self.app.snapshot();
        let disclosure = verified.disclosure(&snapshot, policies);
        if self.asked.all {
            let tells = |policy: &str| !self.asked.confined || disclosure.tells(policy);
            self.not_applied = Some(policy::not_applied(&policies.compiled, &facts, &decisions, tells));
        }
        self.decisions = decisions;
        let outcome = outcome.map_err(|denial| verified.denied(&disclosure, &denial));
        let permitted = match self.asked.confined {
            true => self.confine(&disclosure, outcome)?,
            false => outcome?,
        };
        self.at = Check::SingleUse;
        let (id, claims) = (verified.id_jag.id().to_owned(), verified.id_jag.claims());
        let issued_at = claims.issued_at();
        let expires_at = claims.dead_at(self.app.config.assertion.clock_skew.as_secs());
        let objection = self.app.store.read(move |c| use_conflict(c, &id, issued_at, expires_at)).await?;
        if let Some(objection) = objection {
            return Err(not_redeemed(objection));
        }
        self.at = Check::Token;
        Ok(preview(&verified.grant(self.app, &permitted, &standing)?, &self.app.config.issuer))
    }

    /// Which clients there are is not a teamspace's business: it is told what is wrong with one only after an
    /// assertion that its identity provider has issued to that client.
    fn told<T>(&self, found: Result<T, TokenError>) -> Result<Result<T, TokenError>, TokenError> {
        match self.asked.confined {
            true => Ok(found),
            false => found.map(Ok),
        }
    }

    /// Leaves out what the asker may not learn.
    fn confine(
        &mut self,
        disclosure: &Disclosure<'_>,
        outcome: Result<Permitted, TokenError>,
    ) -> Result<Permitted, TokenError> {
        let refusals = disclosure.confine_explained(&mut self.decisions);
        outcome.map_err(|mut error| {
            error.detail = refusals.detail(&error.detail).unwrap_or(error.detail);
            error.reason = refusals.reason(error.reason.as_str()).map_or(error.reason, Reason::of_policy);
            error
        })
    }

    /// To an administrator of one teamspace, other teamspaces' issuers do not exist.
    fn trusted_issuer<'s>(
        &self,
        snapshot: &'s Snapshot,
        issuer: &str,
    ) -> Result<&'s IssuerProviders, TokenError> {
        let mut record = NewSignIn::default();
        let found = trusted_issuer(snapshot, issuer, &mut record);
        let Some(own) = self.asked.teamspace_id else { return found };
        let shares = || snapshot.providers_of(issuer).is_some_and(|known| known.is_of_teamspace(own));
        match record.teamspace_id.as_deref() == Some(own) || shares() {
            true => found,
            false => Err(TokenError::unverified(Reason::ISSUER_UNKNOWN)),
        }
    }

    /// Where several teamspaces share the issuer, an administrator of one learns of an assertion that leads to another
    /// only that it does not lead to this one.
    fn select<'s>(
        &self,
        providers: &'s IssuerProviders,
        authentic: &AuthenticAssertion,
    ) -> Result<&'s TrustedProvider, TokenError> {
        let mut record = NewSignIn::default();
        let selected = select(providers, authentic, &mut record);
        let own = self.asked.teamspace_id;
        match own.is_none() || record.teamspace_id.is_none() || record.teamspace_id.as_deref() == own {
            true => selected,
            false => Err(not_selected(providers, authentic)),
        }
    }
}

fn find_client<'s>(snapshot: &'s Snapshot, client_id: &str) -> Result<&'s RegisteredClient, TokenError> {
    let refused = |code, reason, text| Err(TokenError::new(code, reason, text));
    match snapshot.client(client_id) {
        None => refused(ErrorCode::InvalidClient, Reason::CLIENT_UNKNOWN, "No client has this id."),
        Some(client) if !client.enabled => {
            refused(ErrorCode::InvalidClient, Reason::CLIENT_BLOCKED, "The client is disabled.")
        }
        Some(client) if !client.grant_types.iter().any(|grant| grant == JWT_BEARER) => refused(
            ErrorCode::UnauthorizedClient,
            Reason::GRANT_UNSUPPORTED,
            "The client is not registered for the JWT bearer grant.",
        ),
        Some(client) => Ok(client),
    }
}
