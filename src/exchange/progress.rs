//! How far a request got, and the decision log row that is made from it in the end.

use std::borrow::Cow;
use std::sync::Arc;

use super::assertion::AuthenticAssertion;
use crate::clock::UnixSeconds;
use crate::oauth::check::Check;
use crate::oauth::error::TokenError;
use crate::policy::facts::Facts;
use crate::policy::{RecordedDecision, RecordedFacts};
use crate::store::sign_ins::NewSignIn;
use crate::token::Grant;

/// Longest text from a caller in the log, in characters.
const MAX_SHOWN: usize = 255;

/// Everything known about a request. Each step that passes adds to it; nothing is copied before the end.
#[derive(Clone, Copy)]
pub(super) struct Progress<'a> {
    pub at: UnixSeconds,
    pub request_id: &'a str,
    /// The first check that has not passed.
    pub next: Check,
    /// The claimed id, before the client has authenticated.
    pub client_id: &'a str,
    pub has_authenticated: bool,
    /// The request's `scope`.
    pub scope: Option<&'a [String]>,
    pub issuer: &'a str,
    /// The teamspace whose administrators see the row.
    pub teamspace_id: Option<&'a str>,
    pub provider_id: &'a str,
    pub assertion: Option<&'a AuthenticAssertion>,
    pub resource: &'a str,
    /// Hash of the policy set that decides.
    pub policy_set: &'a str,
    pub decided: Option<(&'a RecordedDecision, &'a Facts)>,
    /// The log's remark on a grant.
    pub remark: &'a str,
}

/// The outcome of a request.
pub(super) enum SignInOutcome<'a> {
    Granted(&'a Grant),
    Refused(&'a TokenError),
}

/// A refused request, and its decision log row, which is not written yet.
#[derive(Debug)]
pub(super) struct Refused {
    pub error: TokenError,
    pub record: Arc<NewSignIn>,
    /// Whether the caller proved to be a client.
    pub is_of_client: bool,
    /// The check that failed.
    pub failed: Check,
}

impl<'a> Progress<'a> {
    /// A request of which nothing is known yet.
    pub fn begin(at: UnixSeconds, request_id: &'a str) -> Self {
        Self {
            at,
            request_id,
            next: Check::Client,
            client_id: "",
            has_authenticated: false,
            scope: None,
            issuer: "",
            teamspace_id: None,
            provider_id: "",
            assertion: None,
            resource: "",
            policy_set: "",
            decided: None,
            remark: "",
        }
    }

    /// Sets the first check that has not passed.
    pub fn before(self, next: Check) -> Self {
        Self { next, ..self }
    }

    /// Ends it.
    pub fn refuse(self, error: impl Into<TokenError>) -> Box<Refused> {
        let error = error.into();
        Box::new(Refused {
            record: Arc::new(self.row(&SignInOutcome::Refused(&error))),
            is_of_client: self.has_authenticated,
            failed: error.reason.about().failed_check(self.next),
            error,
        })
    }

    /// The row of the decision log.
    pub fn row(&self, outcome: &SignInOutcome<'_>) -> NewSignIn {
        let claims = self.assertion.map(AuthenticAssertion::claims);
        let row = NewSignIn {
            at: self.at,
            teamspace_id: self.teamspace_id.map(str::to_owned),
            identity_provider_id: self.provider_id.to_owned(),
            request_id: self.request_id.to_owned(),
            client_id: shorten(self.client_id.into()),
            issuer: shorten(self.issuer.into()),
            subject: claims.map(|claims| claims.sub.clone()).unwrap_or_default(),
            email: claims.and_then(|claims| claims.email.known().cloned()).unwrap_or_default(),
            assertion: self.assertion.map(|assertion| assertion.id().to_owned()).unwrap_or_default(),
            resource: self.resource.to_owned(),
            scopes_asked: self.scopes_asked(),
            policy_set: self.policy_set.to_owned(),
            body: self.decided.map(|(decision, _)| Arc::clone(&decision.body)),
            facts: self.decided.map(|(_, facts)| RecordedFacts::own(facts)).unwrap_or_default(),
            ..NewSignIn::default()
        };
        match *outcome {
            SignInOutcome::Granted(grant) => NewSignIn {
                outcome: "granted".to_owned(),
                detail: self.remark.to_owned(),
                member_id: grant.member_id.clone(),
                scopes_granted: grant.scopes.join(" "),
                token_id: grant.token_id.clone(),
                ..row
            },
            SignInOutcome::Refused(error) => NewSignIn {
                outcome: "refused".to_owned(),
                reason: error.reason.as_str().to_owned(),
                detail: error.detail.clone(),
                ..row
            },
        }
    }

    /// The scopes of the request, or else of the assertion.
    fn scopes_asked(&self) -> String {
        let claimed = || self.assertion?.claims().scope.known().map(Vec::as_slice);
        let asked = self.scope.filter(|scopes| !scopes.is_empty()).or_else(claimed);
        shorten(asked.unwrap_or_default().join(" ").into())
    }
}

/// Cuts a caller's text for the log, and replaces NUL, which PostgreSQL cannot store.
fn shorten(text: Cow<'_, str>) -> String {
    if text.len() <= MAX_SHOWN && !text.contains('\0') {
        return text.into_owned();
    }
    text.chars().take(MAX_SHOWN).map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
