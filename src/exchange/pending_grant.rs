//! Takes a verified request to a written grant: decision, one transaction, answer.

use std::sync::Arc;

use super::TokenCall;
use super::client::Client;
use super::decide::{Decided, decide, look_up_member};
use super::key_binding::{KeyBinding, proof_replayed};
use super::progress::{Refused, SignInOutcome};
use super::verified::VerifiedRequest;
use super::verify::{Target, VerifiedAssertion};
use crate::app::App;
use crate::idp::client_assertion::assertion_replayed;
use crate::limits::turns::NewcomerTurn;
use crate::model::member::{Member, Role, Status};
use crate::oauth::check::Check;
use crate::oauth::error::{Reason, TokenError};
use crate::shadow;
use crate::signing::SigningKey;
use crate::store::member_lookup::MemberLookup;
use crate::store::sign_ins::NewSignIn;
use crate::store::{Conflict, MemberChange, RedeemError, Redemption};
use crate::token::{Grant, TokenResponse, mint};

/// A verified request of an authenticated client. It cannot be made without a [`Client`].
pub(super) struct PendingGrant<'a>(VerifiedRequest<'a>);

/// A token that may be sent, since its sign-in is recorded.
pub(super) struct Granted {
    pub response: TokenResponse,
    pub record: Arc<NewSignIn>,
}

/// What the client asks for, beside the target.
pub(super) struct Asked {
    pub scope: Option<Vec<String>>,
    /// The key that the token will be bound to; none for a bearer token.
    pub key: Option<KeyBinding>,
}

/// The step to repeat before a request can be written. Nothing of it was written.
pub(super) enum Stale {
    /// An administrator changed the configuration, so everything is verified again.
    Configuration,
    /// Another write came in between, so the decision is made again.
    Facts,
    /// The decision depends on the number of taken seats, which is reliable only in a newcomer's turn.
    Seats,
}

/// The result of an attempt.
pub(super) type CommitAttempt = Result<Granted, Stale>;

impl<'a> PendingGrant<'a> {
    /// The request of the client that authenticated.
    pub fn new(
        client: &Client,
        call: &TokenCall<'a>,
        asked: Asked,
        assertion: VerifiedAssertion,
        target: Target,
    ) -> Self {
        let (request_id, address) = (call.request_id, Some(call.address));
        let (method, client_assertion) = (client.method(), client.assertion().cloned());
        let client = Arc::clone(client.registered());
        let Asked { scope, key } = asked;
        Self(VerifiedRequest {
            request_id,
            client,
            method,
            client_assertion,
            scope,
            address,
            assertion,
            target,
            key,
        })
    }

    /// Ends it without a decision.
    pub fn refuse(&self, error: impl Into<TokenError>) -> Box<Refused> {
        self.0.progress().refuse(error)
    }

    /// Waits for a newcomer's turn.
    pub async fn take_turn(&self, app: &App) -> Result<NewcomerTurn, Box<Refused>> {
        let turn = app.turns.take(&self.0.teamspace().id).await;
        turn.map_err(|busy| self.refuse(busy))
    }

    /// Decides, writes and signs. The key is fetched first: nothing is consumed for a token that could not be signed.
    pub async fn settle(&self, app: &App, has_turn: bool) -> Result<CommitAttempt, Box<Refused>> {
        let (request, policies, signer) = (&self.0, app.policies(), app.signer());
        let no_key = || self.refuse(TokenError::unavailable(Reason::INTERNAL, "no signing key"));
        let key = signer.active(request.now()).ok_or_else(no_key)?;
        let member = look_up_member(app, request, &policies).await?;
        let is_newcomer = matches!(member, MemberLookup::Absent { .. });
        if is_newcomer && !has_turn && policies.compiled.reads_seats_used() {
            return Ok(Err(Stale::Seats));
        }
        let decided = decide(app, request, policies, member)?;
        let grant = self.permit(app, &decided)?;
        self.commit(app, key, &decided, &grant).await
    }

    fn permit(&self, app: &App, decided: &Decided) -> Result<Grant, Box<Refused>> {
        let progress = decided.progress(&self.0);
        match &decided.decision.decision.outcome {
            Ok(permitted) => {
                let grant = self.0.grant(app, permitted, &decided.member);
                grant.map_err(|error| progress.refuse(error))
            }
            Err(denial) => {
                let snapshot = app.snapshot();
                let disclosure = self.0.disclosure(&snapshot, &decided.policies);
                let error = self.0.denied(&disclosure, denial, &decided.faults);
                let refused = progress.before(Check::Policies).refuse(error);
                try_shadow(app, decided, &refused.record);
                Err(refused)
            }
        }
    }

    /// Writes the grant. If the state differs from the one decided on (a seat taken, a member suspended), the write
    /// leaves nothing behind.
    async fn commit(
        &self,
        app: &App,
        key: &SigningKey,
        decided: &Decided,
        grant: &Grant,
    ) -> Result<CommitAttempt, Box<Refused>> {
        let progress = decided.progress(&self.0);
        let record = Arc::new(progress.row(&SignInOutcome::Granted(grant)));
        let redemption = self.redemption(app, decided, grant);
        let written = app.store.redeem(redemption, Arc::clone(&record));
        // The token is signed while the commit waits for the disk.
        let sealed = mint(grant, &app.config.issuer, key);
        let conflict = match written.await {
            Ok(committed) => {
                try_shadow(app, decided, &record);
                let sealed = sealed
                    .map_err(|error| progress.refuse(TokenError::unavailable(Reason::INTERNAL, error)))?;
                return Ok(Ok(Granted { response: sealed.open(committed), record }));
            }
            Err(RedeemError::Store(error)) => return Err(progress.refuse(error)),
            Err(RedeemError::Conflict(conflict)) => conflict,
        };
        let changed = match conflict {
            Conflict::FactsChanged => Stale::Facts,
            Conflict::ConfigurationChanged => Stale::Configuration,
            other => return Err(progress.before(Check::SingleUse).refuse(not_redeemed(other))),
        };
        app.member_cache.forget(&self.0.identity(""));
        Ok(Err(changed))
    }

    fn redemption(&self, app: &App, decided: &Decided, grant: &Grant) -> Redemption {
        let (request, claims) = (&self.0, self.0.claims());
        let (signed_in_at, link) = (request.signed_in_at(app), request.new_link(&decided.member));
        let member = match &decided.member {
            MemberLookup::Bound(member) if member.status != Status::Invited && link.is_none() => {
                MemberChange::Known { member_id: member.id.clone() }
            }
            MemberLookup::Bound(member) => {
                MemberChange::Accept { member: member.clone(), signed_in_at, identities: Vec::new(), link }
            }
            MemberLookup::Unbound(member) => {
                let identities = request.identities(&member.id);
                MemberChange::Accept { member: member.clone(), signed_in_at, identities, link }
            }
            MemberLookup::Absent { seats_used } => {
                let counts_seats = decided.policies.compiled.reads_seats_used();
                self.provisioning(grant, counts_seats.then_some(*seats_used))
            }
        };
        Redemption {
            assertion: request.assertion.id_jag.id().to_owned(),
            issued_at: claims.issued_at(),
            expires_at: claims.dead_at(app.config.assertion.clock_skew.as_secs()),
            client_assertion: request.client_assertion.clone(),
            proof: request.key.as_ref().and_then(|key| key.proof.clone()),
            generation: request.assertion.generation,
            member,
        }
    }

    fn provisioning(&self, grant: &Grant, seats_counted: Option<i64>) -> MemberChange {
        let (request, now) = (&self.0, self.0.now());
        let email = request.claims().email.known().cloned();
        let member = Member {
            id: grant.member_id.clone(),
            teamspace_id: request.teamspace().id.clone(),
            email: email.unwrap_or_else(|| Member::without_email(&grant.member_id)),
            role: Role::Developer,
            status: Status::Active,
            provisioned_by: "sign-in".to_owned(),
            created_at: now,
            last_sign_in_at: Some(now),
            sessions_ended_at: None,
            first_sign_in_at: Some(now),
            link: request.link(),
        };
        let identities = request.identities(&grant.member_id);
        MemberChange::Provision { member, identities, seats_counted }
    }
}

/// Asks the shadow set, if there is one, once for each decision that took effect: not for decisions that are made
/// again, nor for an assertion that turned out to be used.
fn try_shadow(app: &App, decided: &Decided, record: &NewSignIn) {
    if let Some(shadow) = &app.shadow {
        let Decided { policies, facts, decision, .. } = decided;
        shadow.compare(&shadow::ActualDecision { policies, facts, decision: &decision.decision }, record);
    }
}

/// Refuses an assertion that was used, or that can no longer be shown to be unused (EMA §7.4.2: single use).
pub(super) fn not_redeemed(conflict: Conflict) -> TokenError {
    match conflict {
        Conflict::Replayed => {
            let text = "The assertion was used before: get a new one for each access token.";
            TokenError::invalid_grant(Reason::REPLAYED, text)
        }
        Conflict::ExpiresTooEarly { .. } | Conflict::IssuedTooEarly { .. } | Conflict::NotServedYet => {
            TokenError::invalid_grant(Reason::EXPIRED, "The assertion is too old; ask for a new one.")
                .detail(conflict.to_string())
        }
        Conflict::ClientAssertionReplayed | Conflict::ClientAssertionTooOld => assertion_replayed(conflict),
        Conflict::ProofReplayed | Conflict::ProofTooOld => proof_replayed(conflict),
        Conflict::FactsChanged | Conflict::ConfigurationChanged => {
            TokenError::unavailable(Reason::INTERNAL, conflict)
        }
    }
}
