//! Explains what the token endpoint would answer to an assertion, and why. It makes the checks of [`super::exchange`]
//! without redeeming, storing or changing anything.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::client::find_client;
use super::decide::{Decided, decide, look_up_member};
use super::key_binding::{KeyBinding, check_required};
use super::pending_grant::not_redeemed;
use super::progress::{Progress, Refused};
use super::verified::VerifiedRequest;
use super::verify::{TargetRequest, check_kill_switches, check_types, resolve_target, verify};
use crate::app::App;
use crate::config::DenialError;
use crate::model::client::RegisteredClient;
use crate::oauth::authorization_details::Detail;
use crate::oauth::check::Check;
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::oauth::reason::Fixer;
use crate::oauth::request::JWT_BEARER;
use crate::policy::{self, Explained, NotApplied, Permitted, Policies};
use crate::store::ledger::use_conflict;
use crate::store::snapshot::Snapshot;
use crate::token::preview;

/// The question.
#[derive(Debug)]
pub struct ExplainRequest<'a> {
    /// The encoded assertion. It is not used up.
    pub assertion: &'a str,
    /// The client that would redeem it. It need not authenticate.
    pub client_id: &'a str,
    /// The scopes that the request would ask for; none without the parameter.
    pub scope: Option<&'a [String]>,
    /// The values of `resource` that the request would have.
    pub resource: &'a [String],
    /// The authorization details that the request would have; none without the parameter.
    pub details: Option<&'a [Detail]>,
    /// Whether the client would prove that it has a key, also where the assertion names none.
    pub key_bound: bool,
    /// The asker's teamspace: assertions of other teamspaces' issuers count as unknown.
    pub teamspace_id: Option<&'a str>,
    /// Whether the asker may learn about policies only what that teamspace may.
    pub confined: bool,
    /// Whether to explain why the other policies did not apply.
    pub all: bool,
}

/// The answer for administrators. It says things that the token endpoint never does.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// Every check, in the order in which they are made.
    pub checks: Vec<ExplainedCheck>,
    /// Each question that the policies were asked, its answer, and the part that each policy had in it.
    #[schema(value_type = Vec<Object>)]
    pub decisions: Vec<Explained>,
    /// The policies that did not apply; only on request, and only if policies were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    pub not_applied: Option<NotApplied>,
    /// Hash of the policy set that decided.
    pub policy_set: String,
    /// The id of the identity provider that the assertion leads to.
    #[schema(required)]
    pub identity_provider: Option<String>,
    /// The claims of the token that would be issued. The member id and `jti` of a new member are made up.
    #[schema(required)]
    pub token: Option<Value>,
    /// The refusal; null where a token would be issued.
    #[schema(required)]
    pub error: Option<Refusal>,
}

/// One check.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExplainedCheck)]
pub struct ExplainedCheck {
    /// The check's name.
    pub check: Check,
    /// `passed`, `failed` or `not_reached`.
    pub outcome: &'static str,
}

/// The answer that the token endpoint would give, with the reason that its log would have.
#[derive(Debug, Serialize, ToSchema)]
pub struct Refusal {
    /// The `error` of the answer (RFC 6749 §5.2).
    pub error: &'static str,
    /// The `error_description` of the answer.
    pub description: String,
    /// The stable reason, as in the decision log.
    #[schema(value_type = String)]
    pub reason: Reason,
    /// The expected and the received value, in words.
    pub detail: String,
    /// Who can fix it, the likeliest first.
    pub who: &'static [Fixer],
    /// The remedy, in a sentence for that person.
    pub what_to_do: &'static str,
}

/// Explains an assertion.
pub async fn explain(app: &App, asked: &ExplainRequest<'_>) -> Explanation {
    let mut walk = ExplainWalk {
        app,
        asked,
        policies: app.policies(),
        decisions: Vec::new(),
        not_applied: None,
        identity_provider: None,
    };
    let outcome = walk.whole().await;
    let failed = outcome.as_ref().err().map(|refused| refused.failed);
    let outcome_of = |check: Check| match failed {
        Some(failed) if check == failed => "failed",
        Some(failed) if check > failed => "not_reached",
        _ => "passed",
    };
    let checks = Check::ALL.into_iter().map(|check| ExplainedCheck { check, outcome: outcome_of(check) });
    let (token, error) = match outcome {
        Ok(token) => (Some(token), None),
        Err(refused) => (None, Some(Refusal::of(&refused.error, app.config.denial_error))),
    };
    Explanation {
        checks: checks.collect(),
        decisions: walk.decisions,
        not_applied: walk.not_applied,
        policy_set: walk.policies.hash.clone(),
        identity_provider: walk.identity_provider,
        token,
        error,
    }
}

impl Refusal {
    fn of(error: &TokenError, denial: DenialError) -> Self {
        let cause = error.cause.as_ref().map(ToString::to_string).unwrap_or_default();
        let about = error.reason.about();
        Self {
            error: error.code.for_clients(denial).wire().0,
            description: error.description.to_string(),
            reason: error.reason.clone(),
            detail: if error.detail.is_empty() { cause } else { error.detail.clone() },
            who: about.fixers,
            what_to_do: about.what_to_do,
        }
    }
}

/// The steps of an exchange, and the options for explaining the decision.
struct ExplainWalk<'a> {
    app: &'a App,
    asked: &'a ExplainRequest<'a>,
    policies: Arc<Policies>,
    decisions: Vec<Explained>,
    not_applied: Option<NotApplied>,
    identity_provider: Option<String>,
}

impl ExplainWalk<'_> {
    async fn whole(&mut self) -> Result<Value, Box<Refused>> {
        let (app, asked, snapshot) = (self.app, self.asked, self.app.snapshot());
        let begun = Progress {
            client_id: asked.client_id,
            scope: asked.scope,
            ..Progress::begin(app.clock.now(), "")
        };
        let client = known_client(app, &snapshot, asked.client_id).await.map_err(|error| begun.refuse(error));
        // A teamspace may not learn which clients exist: it hears about a problem with a client only after an
        // assertion that its own identity provider has issued to that client.
        let client = if asked.confined { Ok(client) } else { client.map(Ok) }?;
        check_types(app, asked.details).map_err(|error| begun.refuse(error))?;
        let assertion = verify(app, &snapshot, asked.assertion, asked.teamspace_id, begun).await?;
        self.identity_provider = Some(assertion.trusted.provider.id.clone());
        let client = client?;
        let progress = assertion.progress(begun);
        let requested = TargetRequest { resource: asked.resource, details: asked.details };
        let target = resolve_target(app, &snapshot, &assertion, requested, progress)?;
        check_kill_switches(&snapshot, &assertion, &target.resource, progress)?;
        let (method, scope) = (client.token_endpoint_auth_method, asked.scope.map(<[String]>::to_vec));
        let key = KeyBinding::supposed(assertion.id_jag.claims().key.as_ref(), asked.key_bound);
        let (of_resource, of_client) =
            (target.resource.dpop_bound_access_tokens, client.dpop_bound_access_tokens);
        check_required(of_resource, of_client, key.is_some()).map_err(|error| {
            let resource = &target.resource.identifier;
            Progress { resource, ..progress.before(Check::Proof) }.refuse(error)
        })?;
        let request = VerifiedRequest {
            request_id: "",
            client,
            method,
            client_assertion: None,
            scope,
            address: None,
            assertion,
            target,
            key,
        };
        let member = look_up_member(app, &request, &self.policies).await?;
        let decided = decide(app, &request, Arc::clone(&self.policies), member)?;
        let permitted = self.permitted(&request, &decided)?;
        self.check_single_use(&request, &decided).await?;
        let grant = request.grant(app, permitted, &decided.member);
        let grant = grant.map_err(|error| decided.progress(&request).refuse(error))?;
        Ok(preview(&grant, &app.config.issuer))
    }

    /// Explains the decision, without what the asker may not learn.
    fn permitted<'d>(
        &mut self,
        request: &VerifiedRequest<'_>,
        decided: &'d Decided,
    ) -> Result<&'d Permitted, Box<Refused>> {
        let (snapshot, asked) = (self.app.snapshot(), self.asked);
        let disclosure = request.disclosure(&snapshot, &self.policies);
        let (policies, decision) = (&self.policies.compiled, &decided.decision.decision);
        self.decisions = policy::explain_answers(policies, &decided.facts, decision.answers.clone());
        if asked.all {
            let tells = |policy: &str| !asked.confined || disclosure.tells(policy);
            self.not_applied = Some(policy::not_applied(policies, &decided.facts, &self.decisions, tells));
        }
        let refusals = asked.confined.then(|| disclosure.confine_explained(&mut self.decisions));
        decision.outcome.as_ref().map_err(|denial| {
            let mut error = request.denied(&disclosure, denial, &decided.faults);
            if let Some(told) = refusals {
                error.detail = told.detail(&error.detail).unwrap_or(error.detail);
                error.reason = told.reason(error.reason.as_str()).map_or(error.reason, Reason::of_policy);
            }
            decided.progress(request).before(Check::Policies).refuse(error)
        })
    }

    async fn check_single_use(
        &self,
        request: &VerifiedRequest<'_>,
        decided: &Decided,
    ) -> Result<(), Box<Refused>> {
        let (id, claims) = (request.assertion.id_jag.id().to_owned(), request.claims());
        let issued_at = claims.issued_at();
        let expires_at = claims.dead_at(self.app.config.assertion.clock_skew.as_secs());
        let used = self.app.store.read(move |c| use_conflict(c, &id, issued_at, expires_at)).await;
        let error = match used {
            Ok(None) => return Ok(()),
            Ok(Some(conflict)) => not_redeemed(conflict),
            Err(error) => error.into(),
        };
        Err(decided.progress(request).before(Check::SingleUse).refuse(error))
    }
}

async fn known_client(
    app: &App,
    snapshot: &Snapshot,
    client_id: &str,
) -> Result<Arc<RegisteredClient>, TokenError> {
    let refused = |code, reason, text| Err(TokenError::new(code, reason, text));
    let found = find_client(app, snapshot, client_id).await;
    match found {
        Err(error) if error.reason == Reason::CLIENT_UNKNOWN => {
            refused(ErrorCode::InvalidClient, Reason::CLIENT_UNKNOWN, "No client has this id.")
        }
        Ok(client) if !client.enabled => {
            refused(ErrorCode::InvalidClient, Reason::CLIENT_BLOCKED, "The client is disabled.")
        }
        Ok(client) if !client.grant_types.iter().any(|grant| grant == JWT_BEARER) => refused(
            ErrorCode::UnauthorizedClient,
            Reason::GRANT_UNSUPPORTED,
            "The client is not registered for the JWT bearer grant.",
        ),
        found => found,
    }
}
