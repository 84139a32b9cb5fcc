//! From a verified assertion to a grant that is written down: facts, decision, one transaction.

use std::sync::Arc;

use super::Ended;
use super::client::Client;
use super::commit::redeem;
use super::token::{Grant, TokenResponse, mint};
use super::verified::Verified;
use crate::app::App;
use crate::limits::turns::Turn;
use crate::model::member::{Member, Role, Status};
use crate::oauth::error::{Reason, TokenError};
use crate::policy::facts::Facts;
use crate::policy::{Policies, RecordedDecision, RecordedFacts, decide_recorded};
use crate::shadow::Decided;
use crate::signing::SigningKey;
use crate::store::members::Standing;
use crate::store::sign_ins::NewSignIn;
use crate::store::{Conflict, MemberChange, RedeemError, Redemption};

/// How often a decision is made again when its facts changed before it was written.
const ATTEMPTS: usize = 4;
/// The same for a newcomer in turn, whom only those of other replicas can forestall.
const ATTEMPTS_IN_TURN: usize = 64;

/// A verified assertion that an authenticated client redeems: there is none without a [`Client`].
pub struct Case<'a>(Verified<'a>);

impl<'a> Case<'a> {
    /// The client that authenticated takes the place of the one that the facts were looked up for.
    pub fn new(client: &'a Client, verified: Verified<'a>) -> Self {
        Self(Verified { client: client.registered(), method: client.method(), ..verified })
    }

    /// Decides, writes and signs. A write that finds the facts changed (a seat taken, a member suspended) leaves
    /// nothing behind; the decision is then made again on the new ones.
    pub(super) async fn settle(
        &self,
        app: &App,
        key: &SigningKey,
        record: &mut NewSignIn,
    ) -> Result<TokenResponse, Ended> {
        let policies = app.policies();
        record.policy_set.clone_from(&policies.hash);
        let (mut turn, mut attempts) = (None, 0);
        while attempts < if turn.is_some() { ATTEMPTS_IN_TURN } else { ATTEMPTS } {
            attempts += 1;
            let standing = self.standing(app, &policies, &mut turn).await?;
            self.0.check_session(app, &standing)?;
            let (facts, recorded) = self.decide(app, &policies, &standing, record);
            let decided = Decided { policies: &policies, facts: &facts, decision: &recorded.decision };
            let permitted = match &recorded.decision.outcome {
                Ok(permitted) => permitted,
                Err(denial) => {
                    try_shadow(app, &decided, record);
                    let snapshot = app.snapshot();
                    return Err(self.0.denied(&self.0.disclosure(&snapshot, &policies), denial).into());
                }
            };
            let grant = self.0.grant(app, permitted, &standing)?;
            record.fill(&grant);
            let redemption = self.redemption(app, &grant, standing, policies.compiled.reads_seats_used());
            let token = || mint(&grant, &app.config.issuer, key);
            let outcome = redeem(app, redemption, record, token).await;
            if let Err(RedeemError::Conflict(Conflict::FactsChanged | Conflict::ConfigurationChanged)) =
                outcome
            {
                app.member_cache.forget(&self.0.identity(""));
            }
            if let Err(RedeemError::Conflict(Conflict::FactsChanged)) = outcome {
                continue;
            }
            let (committed, sealed) = outcome.map_err(Ended::from)?;
            try_shadow(app, &decided, record);
            let sealed = sealed.map_err(|error| TokenError::unavailable(Reason::INTERNAL, error))?;
            return Ok(sealed.open(committed));
        }
        Err(TokenError::unavailable(Reason::INTERNAL, Conflict::FactsChanged).into())
    }

    /// Who the person is. A newcomer waits for a turn where it matters how many seats are taken.
    async fn standing(
        &self,
        app: &App,
        policies: &Policies,
        turn: &mut Option<Turn>,
    ) -> Result<Standing, TokenError> {
        let standing = self.0.standing(app).await?;
        let is_newcomer = matches!(standing, Standing::Absent { .. });
        if turn.is_some() || !is_newcomer || !policies.compiled.reads_seats_used() {
            return Ok(standing);
        }
        *turn = Some(app.turns.take(&self.0.teamspace().id).await?);
        // Others have come in meanwhile.
        self.0.standing(app).await
    }

    /// Decides on the facts as they are now, for the row of the log as well.
    fn decide(
        &self,
        app: &App,
        policies: &Policies,
        standing: &Standing,
        record: &mut NewSignIn,
    ) -> (Facts, Arc<RecordedDecision>) {
        let facts = self.0.facts(standing);
        let recorded = decide_recorded(&policies.compiled, &facts, &app.policy_cache);
        record.describe(&recorded, &facts);
        if !facts.claims.not_known.is_empty() {
            record.detail = format!("not known, and not needed: {}", self.0.faults());
        }
        (facts, recorded)
    }

    fn redemption(&self, app: &App, grant: &Grant, standing: Standing, counts_seats: bool) -> Redemption {
        let claims = self.0.id_jag.claims();
        let signed_in_at = self.0.signed_in_at(app);
        let member = match standing {
            Standing::Bound(member) if member.status != Status::Invited => {
                MemberChange::Known { member_id: member.id }
            }
            Standing::Bound(member) => MemberChange::Accept { member, signed_in_at, identity: None },
            Standing::Unbound(member) => {
                let identity = self.0.identity(&member.id);
                MemberChange::Accept { member, signed_in_at, identity: Some(identity) }
            }
            Standing::Absent { seats_used } => self.provisioning(grant, counts_seats.then_some(seats_used)),
        };
        Redemption {
            assertion: self.0.id_jag.id().to_owned(),
            issued_at: claims.issued_at(),
            expires_at: claims.dead_at(app.config.assertion.clock_skew.as_secs()),
            generation: self.0.generation,
            member,
        }
    }

    fn provisioning(&self, grant: &Grant, seats_counted: Option<i64>) -> MemberChange {
        let member = Member {
            id: grant.member_id.clone(),
            teamspace_id: self.0.teamspace().id.clone(),
            email: self.0.id_jag.claims().email.known().cloned().unwrap_or_default(),
            role: Role::Developer,
            status: Status::Active,
            provisioned_by: "sign-in".to_owned(),
            created_at: self.0.now,
            last_sign_in_at: Some(self.0.now),
            sessions_ended_at: None,
        };
        let identity = self.0.identity(&grant.member_id);
        MemberChange::Provision { member, identity, seats_counted }
    }
}

impl From<RedeemError> for Ended {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::Conflict(Conflict::ConfigurationChanged) => Self::ConfigurationChanged,
            RedeemError::Conflict(objection) => not_redeemed(objection).into(),
            RedeemError::Store(error) => TokenError::from(error).into(),
        }
    }
}

/// Asks the shadow set, if there is one, once for each decision that took effect: not for those that are made
/// again, nor for an assertion that turned out to be used.
fn try_shadow(app: &App, decided: &Decided<'_>, record: &NewSignIn) {
    if let Some(shadow) = &app.shadow {
        shadow.compare(decided, record);
    }
}

/// EMA §7.4.2: single use, also where it cannot be told any more whether an assertion was used.
pub(super) fn not_redeemed(objection: Conflict) -> TokenError {
    match objection {
        Conflict::Replayed => TokenError::invalid_grant(Reason::REPLAYED, "The assertion was used before."),
        Conflict::ExpiresTooEarly { .. } | Conflict::IssuedTooEarly { .. } | Conflict::NotServedYet => {
            TokenError::invalid_grant(Reason::EXPIRED, "The assertion is too old; ask for a new one.")
                .detail(objection.to_string())
        }
        Conflict::FactsChanged | Conflict::ConfigurationChanged => {
            TokenError::unavailable(Reason::INTERNAL, objection)
        }
    }
}

impl NewSignIn {
    fn describe(&mut self, decision: &RecordedDecision, facts: &Facts) {
        self.body = Some(Arc::clone(&decision.body));
        self.facts = RecordedFacts::own(facts);
    }

    fn fill(&mut self, grant: &Grant) {
        self.outcome = "granted".to_owned();
        self.reason.clear();
        self.member_id.clone_from(&grant.member_id);
        self.scopes_granted = grant.scopes.join(" ");
        self.token_id.clone_from(&grant.token_id);
    }
}
