//! The checks that an identity provider must pass before it is believed. They take as long as the issuer takes to
//! answer, so they run before the transaction that saves, never in it.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::caller::{Admin, InTeamspace};
use super::error::{AdminError, NotAcceptable};
use crate::disclosure::{Disclosure, Known};
use crate::idp::issuer::{Check, ORDER, Outcome, Proposed, inspect};
use crate::model::identity_provider::IdentityProvider;
use crate::oauth::error::Reason;
use crate::policy::facts::{ConfigurationFacts, TeamspaceFacts};
use crate::policy::{Denial, decide_configuration};
use crate::store::snapshot::{Snapshot, Tenancy};

/// The checks that need no network; they come first.
const LOCAL: [&str; 2] = ["policy", "scope"];

/// One check and its outcome; a code is the policy's own where a policy says no.
#[derive(Debug, Clone, Serialize)]
struct Item {
    code: Cow<'static, str>,
    outcome: Outcome,
    message: String,
}

/// All checks in their order, and where the keys are if none failed.
pub struct Validation {
    items: Vec<Item>,
    jwks_uri: Option<String>,
}

impl From<Check> for Item {
    fn from(check: Check) -> Self {
        Self { code: check.code.into(), outcome: check.outcome, message: check.message }
    }
}

impl Item {
    fn new(code: impl Into<Cow<'static, str>>, outcome: Outcome, message: impl Into<String>) -> Self {
        Self { code: code.into(), outcome, message: message.into() }
    }
}

impl Validation {
    /// Judges what a teamspace would believe. That an issuer is another teamspace's is told last: only who names one
    /// that works learns anything.
    pub(super) async fn run(at: &InTeamspace, proposed: &IdentityProvider) -> Result<Self, AdminError> {
        let (app, tenancy, snapshot) = (&at.app, at.tenancy(), at.app.snapshot());
        let mut items = Vec::with_capacity(LOCAL.len() + ORDER.len());
        let mut jwks_uri = None;
        match check_locally(at, &snapshot, proposed, &mut items) {
            Err(failed) => items.push(failed),
            Ok(()) => {
                let fetcher = app.fetcher.on_behalf_of(&tenancy.teamspace.slug);
                let inspection = inspect(
                    &if at.is_operator() { fetcher } else { fetcher.for_administrators() },
                    Proposed {
                        provider: proposed.provider,
                        issuer: &proposed.issuer,
                        own: &app.config.issuer,
                        confined: !at.is_operator(),
                    },
                )
                .await;
                jwks_uri = inspection.jwks_uri;
                items.extend(inspection.checks.into_iter().map(Item::from));
            }
        }
        for code in LOCAL.into_iter().chain(ORDER).skip(items.len()) {
            items.push(Item::new(code, Outcome::NotReached, "not reached"));
        }
        Ok(Self { items, jwks_uri })
    }

    /// The checks as they are answered.
    pub fn checks(&self) -> Value {
        json!(self.items)
    }

    /// Whether the issuer can be believed.
    pub fn is_ok(&self) -> bool {
        self.jwks_uri.is_some()
    }

    /// Where the issuer's keys are; else the first check that failed.
    pub(super) fn jwks_uri(&self) -> Result<String, AdminError> {
        if let Some(jwks_uri) = &self.jwks_uri {
            return Ok(jwks_uri.clone());
        }
        let failed = self.items.iter().find(|item| item.outcome == Outcome::Failed);
        let (code, message) = match failed {
            Some(item) => (item.code.clone(), item.message.clone()),
            None => ("issuer_invalid".into(), "The issuer cannot be used.".to_owned()),
        };
        Err(AdminError::NotAcceptable(Box::new(NotAcceptable { code, message, checks: self.checks() })))
    }
}

fn check_locally(
    at: &InTeamspace,
    snapshot: &Snapshot,
    proposed: &IdentityProvider,
    items: &mut Vec<Item>,
) -> Result<(), Item> {
    let tenancy: &Tenancy = at.tenancy();
    let facts = ConfigurationFacts {
        now: at.app.clock.now(),
        issuer: proposed.issuer.clone(),
        teamspace: TeamspaceFacts::of(
            tenancy,
            tenancy.identity_provider(&proposed.id).map(|provider| &**provider),
        ),
    };
    let policies = at.app.policies();
    decide_configuration(&policies.compiled, &facts).1.map_err(|denial| {
        let known = Known { issuer: &proposed.issuer, ..Known::default() };
        let disclosure = Disclosure { snapshot, tenancy, known, policies: policies.compiled.annotations() };
        refused(&denial, (!at.is_operator()).then_some(&disclosure))
    })?;
    items.push(Item::new("policy", Outcome::Passed, "The policies permit this issuer."));
    if let Some(scope) = unknown_scope(snapshot, &tenancy.teamspace.slug, &proposed.scope) {
        return Err(Item::new(
            "scope_unknown",
            Outcome::Failed,
            AdminError::ScopeUnknown(scope.to_owned()).to_string(),
        ));
    }
    items.push(Item::new("scope", Outcome::Passed, "Every scope of the setting is known."));
    Ok(())
}

/// The policies' no, in the words that the caller may learn.
fn refused(denial: &Denial, confined: Option<&Disclosure<'_>>) -> Item {
    let (code, message) = match confined.map(|disclosure| disclosure.of_denial(denial)) {
        Some(told) => (told.reason.to_string(), told.message.to_owned()),
        None => {
            let reason = denial.reasons.first().unwrap_or(&Reason::POLICY_DENIED);
            (reason.to_string(), denial.message.clone())
        }
    };
    Item::new(code, Outcome::Failed, message)
}

/// The first scope of a setting that no resource offered to the teamspace has. While nothing is offered
/// yet, nothing can be told.
pub(super) fn unknown_scope<'a>(snapshot: &Snapshot, slug: &str, setting: &'a str) -> Option<&'a str> {
    let offered: Vec<_> = snapshot.resources().filter(|r| r.is_published_to(slug)).collect();
    let is_known = |scope: &&str| offered.is_empty() || offered.iter().any(|r| r.has_scope(scope));
    setting.split_whitespace().find(|scope| !is_known(scope))
}

/// The error that another teamspace's issuer is.
pub(super) fn issuer_taken(admin: &Admin) -> AdminError {
    if admin.is_operator() { AdminError::IssuerTaken } else { AdminError::IssuerUnavailable }
}
