//! Ends the sessions of the member whom a signal is about. The use of the signal, the end of the sessions, the
//! revocation of the tokens and the audit row are one transaction.

use std::sync::Arc;

use serde_json::json;

use super::authenticate::SignedEvent;
use super::refusal::SignalRefusal;
use super::subject::Subject;
use crate::admin::Origin;
use crate::app::App;
use crate::clock::{UnixSeconds, rfc3339};
use crate::model::actor_kind::ActorKind;
use crate::model::identity_provider::IdentityProvider;
use crate::model::member::Member;
use crate::model::revocation::{Revocation, RevocationCause};
use crate::random::digest;
use crate::store::admin_events::{self, NewAdminEvent};
use crate::store::changes::{self, Changed};
use crate::store::members::{self, Identity};
use crate::store::{AnyConnection, StoreError, identity_providers, ledger, revocations};

/// The sessions of one person that are to be ended, and why.
pub(super) struct Ending {
    pub provider: Arc<IdentityProvider>,
    pub tenant: String,
    pub subject: Subject,
    pub cause: RevocationCause,
    /// The time of the event: earlier sign-ins do not count any more.
    pub at: UnixSeconds,
    pub now: UnixSeconds,
    /// The name under which the use of the token is recorded.
    pub used_as: String,
    /// The time from which the token is refused for its age alone.
    pub forgotten_at: UnixSeconds,
    pub origin: Origin,
}

impl Ending {
    /// The end of a person's sessions as a token demands it.
    pub fn of(
        event: &SignedEvent,
        subject: Subject,
        cause: RevocationCause,
        (at, forgotten_at): (UnixSeconds, UnixSeconds),
        origin: &Origin,
    ) -> Self {
        let SignedEvent { provider, tenant, claims, clock } = event;
        let id = claims.id().unwrap_or_default();
        Self {
            // Tokens of another kind, or for another teamspace, are others although they have the same id.
            used_as: digest(&format!(
                "{}\0{}\0{}\0{id}",
                cause.as_str(),
                provider.teamspace_id,
                provider.issuer
            )),
            provider: Arc::clone(provider),
            tenant: tenant.clone(),
            subject,
            cause,
            at: at.min(clock.now),
            now: clock.now,
            forgotten_at,
            origin: origin.clone(),
        }
    }

    /// Writes it, and returns once it is in force in this process.
    pub async fn perform(self, app: &Arc<App>) -> Result<(), SignalRefusal> {
        let app = Arc::clone(app);
        // Runs as a separate task: a caller who hangs up must not leave a change that is saved but not in force.
        let done = tokio::spawn(async move {
            let issuer = app.config.issuer.clone();
            app.store.configure(move |c| self.write(c, &issuer)).await?;
            app.reload().await.map_err(SignalRefusal::unavailable)
        });
        done.await.map_err(SignalRefusal::unavailable)?
    }

    fn write(&self, connection: &mut AnyConnection, own_issuer: &str) -> Result<(), SignalRefusal> {
        self.check_provider(connection)?;
        let member = self.find_member(connection, own_issuer)?;
        if !ledger::consume(connection, &self.used_as, self.forgotten_at)? {
            return Err(SignalRefusal::Repeated);
        }
        let before = member.sessions_ended_at;
        let member = member.with_sessions_ended(self.at);
        members::update(connection, &member)?;
        revocations::add_of_all_issued(connection, self.revocation(&member))?;
        admin_events::append(connection, &self.audit_row(&member, before))?;
        changes::note(connection, &Changed::Members(member.teamspace_id), self.now)?;
        Ok(())
    }

    /// Somebody may have switched the provider off, or changed it, since the token was verified.
    fn check_provider(&self, connection: &mut AnyConnection) -> Result<(), SignalRefusal> {
        let known = identity_providers::of_teamspaces(connection, &[&self.provider.teamspace_id])?;
        let is_same = |known: &IdentityProvider| {
            known.id == self.provider.id
                && known.enabled
                && (&known.issuer, &known.tenant) == (&self.provider.issuer, &self.provider.tenant)
        };
        match known.iter().any(is_same) {
            true => Ok(()),
            false => Err(SignalRefusal::unauthenticated("the provider was changed meanwhile")),
        }
    }

    /// Finds the member of the provider's teamspace. Somebody of another teamspace is nobody here.
    fn find_member(&self, connection: &mut AnyConnection, own_issuer: &str) -> Result<Member, SignalRefusal> {
        let found = match &self.subject {
            Subject::Email(email) => members::find_by_email(connection, &self.provider.teamspace_id, email)?,
            Subject::IssuerSubject { iss, sub } if *iss == self.provider.issuer => {
                self.find_bound(connection, sub)?
            }
            Subject::IssuerSubject { iss, sub } if iss == own_issuer => self.find_own(connection, sub)?,
            Subject::IssuerSubject { .. } => return Err(SignalRefusal::Forbidden),
            Subject::Opaque(id) => {
                let (bound, own) = (self.find_bound(connection, id)?, self.find_own(connection, id)?);
                if let (Some(bound), Some(own)) = (&bound, &own)
                    && bound.id != own.id
                {
                    return Err(SignalRefusal::Ambiguous);
                }
                bound.or(own)
            }
        };
        found.ok_or(SignalRefusal::UnknownUser)
    }

    /// The member to whom a subject of the provider is bound.
    fn find_bound(
        &self,
        connection: &mut AnyConnection,
        subject: &str,
    ) -> Result<Option<Member>, StoreError> {
        let key = [self.provider.issuer.as_str(), &self.tenant, subject];
        members::find_bound(connection, &self.provider.teamspace_id, key)
    }

    /// The member with an id of ours, if they sign in with the provider.
    fn find_own(&self, connection: &mut AnyConnection, id: &str) -> Result<Option<Member>, StoreError> {
        let found = members::find(connection, &self.provider.teamspace_id, id)?;
        let identities = members::identities_of(connection, &[id.to_owned()])?;
        let is_bound = |of: &Identity| (&of.issuer, &of.tenant) == (&self.provider.issuer, &self.tenant);
        Ok(found.filter(|_| identities.iter().any(is_bound)))
    }

    /// The time is ours: tokens that were issued after the event may stand on a sign-in before it.
    fn revocation(&self, member: &Member) -> Revocation {
        Revocation::of_member(member, self.cause, self.now).by_request(&self.origin.request_id)
    }

    fn audit_row(&self, member: &Member, before: Option<UnixSeconds>) -> NewAdminEvent {
        let old = json!({ "sessions_ended_at": before.map(rfc3339) });
        let new = json!({
            "sessions_ended_at": member.sessions_ended_at.map(rfc3339),
            "cause": self.cause.as_str(),
        });
        NewAdminEvent {
            at: self.now,
            actor: self.provider.name.clone(),
            actor_kind: ActorKind::IdentityProvider,
            actor_id: self.provider.id.clone(),
            address: self.origin.address.clone(),
            action: "member.end_sessions".to_owned(),
            object: member.id.clone(),
            teamspace_id: Some(member.teamspace_id.clone()),
            request_id: self.origin.request_id.clone(),
            old_value: Some(old.to_string()),
            new_value: Some(new.to_string()),
        }
    }
}
