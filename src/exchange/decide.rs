//! Decides on a verified request: who the person is, and what the policies say.

use std::sync::Arc;

use super::link::account_unknown;
use super::progress::{Progress, Refused};
use super::verified::VerifiedRequest;
use crate::app::App;
use crate::model::member::Status;
use crate::oauth::check::Check;
use crate::oauth::error::{Reason, TokenError};
use crate::policy::facts::Facts;
use crate::policy::{Policies, RecordedDecision, decide_recorded};
use crate::shadow::Shadow;
use crate::store::member_lookup::{Linking, MemberLookup, SubjectClaims, look_up};

/// A decision with its basis.
pub(super) struct Decided {
    pub policies: Arc<Policies>,
    pub member: MemberLookup,
    pub facts: Facts,
    pub decision: Arc<RecordedDecision>,
    /// The faults of unusable claims; empty when all are known.
    pub faults: String,
    /// A remark for the log about a grant: the unusable claims that were not needed.
    remark: String,
}

impl Decided {
    /// Everything known about the request once it is decided.
    pub fn progress<'a>(&'a self, request: &'a VerifiedRequest<'_>) -> Progress<'a> {
        Progress {
            next: Check::Token,
            policy_set: &self.policies.hash,
            decided: Some((&*self.decision, &self.facts)),
            remark: &self.remark,
            ..request.progress()
        }
    }
}

/// Finds out who the person is.
pub(super) async fn look_up_member(
    app: &App,
    request: &VerifiedRequest<'_>,
    policies: &Policies,
) -> Result<MemberLookup, Box<Refused>> {
    let progress = Progress { policy_set: &policies.hash, ..request.progress() };
    let claims = request.claims();
    let saml = request.saml_identity("").map_err(|error| progress.refuse(error))?;
    let asserted = SubjectClaims {
        subject: request.identity(""),
        saml,
        email: claims.email.known().cloned(),
        account: claims.aud_sub.clone(),
        linking: request.linking().map_err(|error| progress.refuse(error))?,
    };
    // The cache knows people by `sub`: whether a NameID is theirs as well is in the database.
    let is_cached = asserted.saml.is_none();
    if is_cached && let Some(member) = app.member_cache.find(&asserted) {
        return Ok(MemberLookup::Bound(member));
    }
    let (subject, account) = (asserted.subject.clone(), account_of(&asserted));
    let found = app.store.read(move |c| look_up(c, &asserted)).await;
    let found = found.map_err(|error| progress.refuse(error))?;
    let found = found.ok_or_else(|| progress.refuse(subject_conflict()))?;
    if account.is_some_and(|account| !is_bound_or(&found, &account)) {
        return Err(progress.refuse(account_unknown()));
    }
    if let MemberLookup::Bound(member) = &found
        && member.status == Status::Active
        && is_cached
    {
        app.member_cache.note(&subject, request.assertion.generation.number, member);
    }
    Ok(found)
}

/// The account that alone can link the person.
fn account_of(asserted: &SubjectClaims) -> Option<String> {
    asserted.account.clone().filter(|_| asserted.linking == Linking::Account)
}

/// Whether the subject is bound, or leads to this account.
fn is_bound_or(found: &MemberLookup, account: &str) -> bool {
    match found {
        MemberLookup::Bound(_) => true,
        MemberLookup::Unbound(member) => member.id == account,
        MemberLookup::Absent { .. } => false,
    }
}

/// Decides on the facts as they are now.
pub(super) fn decide(
    app: &App,
    request: &VerifiedRequest<'_>,
    policies: Arc<Policies>,
    member: MemberLookup,
) -> Result<Decided, Box<Refused>> {
    if is_session_over(app, request, &member) {
        // A person who has already signed in again did so faster than the clocks can tell.
        let text = "The session was ended. Wait a minute, then sign in again at the identity provider.";
        let error = TokenError::invalid_grant(Reason::SESSION_REVOKED, text);
        let progress = Progress { policy_set: &policies.hash, ..request.progress().before(Check::Session) };
        return Err(progress.refuse(error));
    }
    let of_shadow = app.shadow.as_ref().map(Shadow::wanted).unwrap_or_default();
    let wanted = policies.compiled.wanted().or(of_shadow);
    let facts = request.facts(&member, &wanted);
    let decision = decide_recorded(&policies.compiled, &facts, &app.policy_cache);
    let (mut faults, mut remark) = (String::new(), String::new());
    if !facts.claims.not_known.is_empty() {
        faults = request.faults(&wanted);
        remark = format!("not known, and not needed: {faults}");
    }
    Ok(Decided { policies, member, facts, decision, faults, remark })
}

/// Whether the request would continue an ended session, which no policy may allow.
fn is_session_over(app: &App, request: &VerifiedRequest<'_>, member: &MemberLookup) -> bool {
    match member {
        MemberLookup::Absent { .. } => false,
        MemberLookup::Bound(member) | MemberLookup::Unbound(member) => {
            member.sessions_ended_at.is_some_and(|ended| request.signed_in_at(app) <= ended)
        }
    }
}

/// One person must not become another.
fn subject_conflict() -> TokenError {
    let text = "The assertion's subject and email belong to different members; an administrator here can unlink one.";
    TokenError::invalid_grant(Reason::SUBJECT_CONFLICT, text).detail(
        "the email, aud_sub, sub_id or link value names a member to whom another subject is bound, or who is known by \
         another value; an administrator can unlink the member",
    )
}
