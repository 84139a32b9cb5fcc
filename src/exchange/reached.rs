//! How far a past request got, as far as its decision log row shows.

use super::explain::ExplainedCheck;
use crate::oauth::check::Check;
use crate::oauth::reason::Reason;
use crate::store::sign_ins::SignIn;

/// The outcome of each check of a past request, in order.
pub fn checks(row: &SignIn) -> Vec<ExplainedCheck> {
    let failed = failed(row);
    let outcome_of = |check: Check| match failed {
        PastOutcome::Granted => "passed",
        PastOutcome::Failed(failed) if check < failed => "passed",
        PastOutcome::Failed(failed) if check == failed => "failed",
        PastOutcome::Failed(_) | PastOutcome::NothingLookedAt => "not_reached",
    };
    Check::ALL.into_iter().map(|check| ExplainedCheck { check, outcome: outcome_of(check) }).collect()
}

enum PastOutcome {
    Granted,
    /// The request was refused before any check.
    NothingLookedAt,
    Failed(Check),
}

fn failed(row: &SignIn) -> PastOutcome {
    if row.outcome == "granted" {
        return PastOutcome::Granted;
    }
    let reason = Reason::of_policy(row.reason.clone());
    if reason == Reason::REQUEST_MALFORMED || reason == Reason::RATE_LIMITED {
        return PastOutcome::NothingLookedAt;
    }
    let about = reason.about();
    PastOutcome::Failed(about.failed_check(next(row, about.checks)))
}

/// The first check that had not passed, as far as the row shows. `checks` are those that give its reason.
fn next(row: &SignIn, checks: &[Check]) -> Check {
    // Each step adds something to the row.
    let was_decided = !row.facts.is_empty();
    match row {
        _ if was_decided && checks.contains(&Check::Policies) => Check::Policies,
        // An ended session is noticed last.
        _ if was_decided && checks.contains(&Check::Token) && row.detail.is_empty() => Check::Token,
        _ if was_decided => Check::SingleUse,
        SignIn { policy_set, .. } if !policy_set.is_empty() => Check::Member,
        SignIn { resource, .. } if !resource.is_empty() => Check::Scopes,
        SignIn { assertion, .. } if !assertion.is_empty() => Check::Claims,
        SignIn { issuer, .. } if !issuer.is_empty() => Check::Issuer,
        _ => Check::Client,
    }
}
