//! The checks that an identity provider must pass before it is trusted. They take as long as the issuer takes to
//! answer, so they run before the transaction that saves, never inside it.

use serde_json::json;

use super::caller::{Admin, InTeamspace};
use super::error::{AdminError, NotAcceptable};
use crate::clock::UnixSeconds;
use crate::disclosure::{Disclosure, Known};
use crate::idp::checks::{Finding, IssuerCheck, Outcome, Step};
use crate::idp::issuer::{Proposed, inspect, without_path};
use crate::model::identity_provider::{CustomClaim, IdentityProvider};
use crate::model::trust::TrustedKey;
use crate::oauth::error::{Reason, shown};
use crate::policy::facts::{ConfigurationFacts, DeclaredClaims, TeamspaceFacts};
use crate::policy::{Denial, decide_configuration};
use crate::store::provider_checks::ProviderChecks;
use crate::store::snapshot::{Snapshot, TeamspaceConfig};

/// All checks in order, and the address of the keys with those there if none failed.
pub struct Validation {
    checks: Vec<IssuerCheck>,
    keys: Option<(String, Vec<TrustedKey>)>,
}

/// The outcome of checks that an issuer passed.
pub(super) struct ValidatedProvider {
    pub jwks_uri: String,
    pub keys: Vec<TrustedKey>,
    pub checks: ProviderChecks,
}

impl Validation {
    /// Validates an identity provider before a teamspace trusts it. The check for an issuer of another teamspace comes
    /// last, so that only someone who names a working issuer learns anything.
    pub(super) async fn run(at: &InTeamspace, proposed: &IdentityProvider) -> Result<Self, AdminError> {
        let (app, teamspace_config, snapshot) = (&at.app, at.teamspace_config(), at.app.snapshot());
        let mut checks = Vec::new();
        let mut keys = None;
        match check_locally(at, &snapshot, proposed, &mut checks) {
            Err(failed) => checks.push(failed),
            Ok(()) => {
                let fetcher = app.fetcher.on_behalf_of(&teamspace_config.teamspace.slug);
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
                keys = inspection.keys;
                checks.extend(inspection.checks);
            }
        }
        let mut checks = IssuerCheck::complete(checks);
        checks.extend(unread_claims(app.policies().compiled.declared_claims(), &proposed.custom_claims));
        Ok(Self { checks, keys })
    }

    /// The checks, all of them.
    pub fn checks(&self) -> &[IssuerCheck] {
        &self.checks
    }

    /// Whether a check passed with a warning.
    pub fn has_warning(&self) -> bool {
        self.checks.iter().any(|check| check.outcome == Outcome::Warning)
    }

    /// Whether the issuer can be believed.
    pub fn is_ok(&self) -> bool {
        self.keys.is_some()
    }

    /// The steps of the checks as they are kept.
    pub(super) fn kept(&self, provider_id: &str, at: UnixSeconds) -> ProviderChecks {
        let steps: Vec<&Step> = self.checks.iter().flat_map(|check| &check.steps).collect();
        ProviderChecks { provider_id: provider_id.to_owned(), at, steps: json!(steps).to_string() }
    }

    /// Returns the values to save for a good issuer, or else the first check that failed.
    pub(super) fn good(&self, provider_id: &str, at: UnixSeconds) -> Result<ValidatedProvider, AdminError> {
        if let Some((jwks_uri, keys)) = self.keys.clone() {
            return Ok(ValidatedProvider { jwks_uri, keys, checks: self.kept(provider_id, at) });
        }
        let failed = self.checks.iter().find(|check| check.outcome == Outcome::Failed);
        let (code, message) = match failed {
            Some(check) => (check.code.clone(), check.message.clone()),
            None => ("issuer_invalid".into(), "The issuer cannot be used.".to_owned()),
        };
        let checks = self.checks.clone();
        Err(AdminError::NotAcceptable(Box::new(NotAcceptable { code, message, checks })))
    }
}

fn check_locally(
    at: &InTeamspace,
    snapshot: &Snapshot,
    proposed: &IdentityProvider,
    checks: &mut Vec<IssuerCheck>,
) -> Result<(), IssuerCheck> {
    let teamspace_config: &TeamspaceConfig = at.teamspace_config();
    let facts = ConfigurationFacts {
        now: at.app.clock.now(),
        issuer: proposed.issuer.clone(),
        teamspace: TeamspaceFacts::of(
            teamspace_config,
            teamspace_config.identity_provider(&proposed.id).map(|provider| &**provider),
        ),
    };
    let policies = at.app.policies();
    decide_configuration(&policies.compiled, &facts).1.map_err(|denial| {
        let known = Known { issuer: &proposed.issuer, ..Known::default() };
        let disclosure =
            Disclosure { snapshot, teamspace_config, known, policies: policies.compiled.annotations() };
        refused(&proposed.issuer, &denial, (!at.is_operator()).then_some(&disclosure))
    })?;
    checks.push(IssuerCheck::passed("policy", "The policies permit this issuer."));
    if let Some(scope) = unknown_scope(snapshot, &teamspace_config.teamspace.slug, &proposed.scope) {
        let unknown = AdminError::ScopeUnknown(scope.to_owned()).to_string();
        let failed = IssuerCheck::of("scope", Finding::failed("scope", unknown));
        return Err(failed.with_code("scope_unknown".to_owned()));
    }
    checks.push(IssuerCheck::passed("scope", "Every scope of the setting is known."));
    Ok(())
}

/// Adds a warning for each custom claim that policies cannot read with its declared type.
fn unread_claims<'a>(
    declared: &'a DeclaredClaims,
    claims: &'a [CustomClaim],
) -> impl Iterator<Item = IssuerCheck> + 'a {
    claims.iter().filter_map(|CustomClaim { name, claim_type }| {
        let message = match declared.type_of(name) {
            Some(known) if known == *claim_type => return None,
            Some(known) => format!(
                "{} is declared as {}, and as {} in the schema of the policies. Sign-ins with this claim are \
                 refused where a policy reads it.",
                shown(name),
                claim_type.as_str(),
                known.as_str()
            ),
            None => format!(
                "{} is not in the schema of the policies, so no policy can read it. Ask the operator to add it.",
                shown(name)
            ),
        };
        Some(IssuerCheck::warning("custom_claim", "Policies can read the custom claim", message))
    })
}

/// The policies' refusal, in words that the caller may see.
fn refused(issuer: &str, denial: &Denial, confined: Option<&Disclosure<'_>>) -> IssuerCheck {
    let (code, message) = match confined.map(|disclosure| disclosure.of_denial(denial)) {
        Some(told) => (told.reason.to_string(), told.message.to_owned()),
        None => {
            let reason = denial.reasons.first().unwrap_or(&Reason::POLICY_DENIED);
            (reason.to_string(), denial.message.clone())
        }
    };
    let found = Finding::failed("policy", message);
    // The shipped policy with this reason looks at the path only.
    let found = if code == "custom_authorization_server" { without_path(issuer, found) } else { found };
    IssuerCheck::of("policy", found).with_code(code)
}

/// Returns the first scope of a setting that no resource offered to the teamspace has; none while nothing is offered
/// yet.
pub(super) fn unknown_scope<'a>(snapshot: &Snapshot, slug: &str, setting: &'a str) -> Option<&'a str> {
    let offered: Vec<_> = snapshot.resources().filter(|r| r.is_published_to(slug)).collect();
    let is_known = |scope: &&str| offered.is_empty() || offered.iter().any(|r| r.has_scope(scope));
    setting.split_whitespace().find(|scope| !is_known(scope))
}

/// The error for an issuer that another teamspace has.
pub(super) fn issuer_taken(admin: &Admin) -> AdminError {
    if admin.is_operator() { AdminError::IssuerTaken } else { AdminError::IssuerUnavailable }
}
