//! The output of `policy explain`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::config::Duration;
use crate::exchange::explain::Explanation;
use crate::oauth::error::Reason;
use crate::policy::engine::clauses::{Clause, PolicyFinding};
use crate::policy::engine::compare::{AnswerDifference, ComparedAnswer};
use crate::policy::{Action, Explained, Missed, NotApplied};
use crate::store::sign_ins::SignIn;
use crate::terminal::out::inline;

// Writing to a String cannot fail, so its results are dropped.

/// Lists each decision with the policies that made it, and the clauses that made the difference.
pub(super) fn decisions(decisions: &[Explained]) -> String {
    let mut text = String::new();
    for Explained { answer, findings } in decisions {
        let mark = if answer.allowed { '✓' } else { '✗' };
        let _ = write!(text, "{mark} {} {}", answer.action.name(), answer.resource);
        let _ = match answer.reasons.is_empty() {
            true => writeln!(text, "{}", lifetime(answer.lifetime)),
            false => writeln!(text, ": {}", listed(&answer.reasons)),
        };
        for finding in findings {
            text.push_str(&self::finding(finding));
        }
        let is_part = matches!(answer.action, Action::GrantScope | Action::GrantDetail);
        if is_part && answer.policies.is_empty() && !answer.allowed {
            text.push_str("    outside of what can be granted: no policy was asked\n");
        }
    }
    text
}

/// Lists why the other policies did not apply, by question.
pub(super) fn not_applied(told: &NotApplied) -> String {
    let groups = match &told.groups {
        None => "not known: there is no groups claim".to_owned(),
        Some(groups) if groups.is_empty() => "none".to_owned(),
        Some(groups) => groups.iter().map(|group| inline(group)).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!("Policies that did not apply\nThe person's groups: {groups}\n");
    for missed in told.policies.chunk_by(|one, other| question(one) == question(other)) {
        let _ = match missed.first().and_then(question) {
            Some((action, resource)) => writeln!(text, "· {} {resource}", action.name()),
            None => writeln!(text, "· no question was about these actions"),
        };
        missed.iter().for_each(|missed| text.push_str(&finding(&missed.finding)));
    }
    if told.truncated {
        let _ = writeln!(text, "There are more; only {} are told.", told.policies.len());
    }
    text
}

fn question(missed: &Missed) -> Option<(Action, &str)> {
    missed.action.zip(missed.resource.as_deref())
}

fn listed(reasons: &[Reason]) -> String {
    match reasons {
        [] => "without a reason".to_owned(),
        reasons => reasons.iter().map(Reason::as_str).collect::<Vec<_>>().join(", "),
    }
}

fn finding(finding: &PolicyFinding) -> String {
    let mut text = String::new();
    let matched = match finding.matched {
        true => "applies",
        false if finding.clauses.iter().any(|clause| clause.holds.is_none()) => "cannot be evaluated",
        false => "does not apply",
    };
    let _ = write!(text, "    {} {} {matched}", finding.effect, finding.policy);
    let _ = match &finding.message {
        // It speaks against the request: a forbid that applies, or a permit that does not.
        Some(message) if finding.matched != (finding.effect == "permit") => writeln!(text, ": {message}"),
        _ => writeln!(text),
    };
    for clause in &finding.clauses {
        text.push_str(&self::clause(clause, finding.telling() == Some(clause)));
    }
    text
}

fn clause(clause: &Clause, telling: bool) -> String {
    let holds = match clause.holds {
        Some(true) => "true",
        Some(false) => "FALSE",
        None => "ERROR",
    };
    let error = clause.error.iter().map(|error| format!(", {}", inline(error)));
    let holds = format!("{holds}{}", error.collect::<String>());
    let arrow = if telling { '→' } else { ' ' };
    let mut text = format!("      {arrow} {} {}: {holds}\n", clause.kind, clause.text);
    for (path, value) in &clause.values {
        let _ = writeln!(text, "          {path} = {value}");
    }
    text
}

/// The recorded facts of a sign-in.
pub(super) fn sign_in_head(row: &SignIn) -> String {
    let mut text = format!("Sign-in {} at {}: {}", row.id, rfc3339(row.at), row.outcome);
    let _ = match row.outcome.as_str() {
        "granted" => writeln!(text, " [{}]", row.scopes_granted),
        _ if row.detail.is_empty() => writeln!(text, ", {}", row.reason),
        _ => writeln!(text, ", {}. {}", row.reason, inline(&row.detail)),
    };
    // These texts come from callers; they are empty when unknown.
    let told = |text: &str| if text.is_empty() { "unknown".to_owned() } else { inline(text) };
    let (client, issuer, email) = (told(&row.client_id), told(&row.issuer), told(&row.email));
    let _ = writeln!(text, "  client {client}, issuer {issuer}, email {email}");
    let policy_set = if row.policy_set.is_empty() { "none" } else { &row.policy_set };
    let _ = writeln!(text, "  request {}, policy set {policy_set}", row.request_id);
    text
}

/// The explanation for programs.
pub(super) fn sign_in(row: &SignIn) -> Value {
    json!({
        "id": row.id, "time": rfc3339(row.at), "outcome": row.outcome, "reason": row.reason,
        "detail": row.detail, "request_id": row.request_id, "client_id": row.client_id,
        "issuer": row.issuer, "email": row.email, "scopes_granted": row.scopes_granted,
        "policy_set": row.policy_set,
    })
}

/// Differences from the recorded outcome.
pub(super) fn differences(changed: &[AnswerDifference]) -> String {
    if changed.is_empty() {
        return "The same as then.\n".to_owned();
    }
    let mut text = "Different from then:\n".to_owned();
    changed.iter().for_each(|difference| text.push_str(&self::difference(difference)));
    text
}

/// One question and its two answers, in a line.
pub(super) fn difference(difference: &AnswerDifference) -> String {
    let (before, after) = (said(difference.before.as_ref()), said(difference.after.as_ref()));
    format!("  {} {}: {before} → {after}\n", difference.action.name(), difference.resource)
}

fn said(said: Option<&ComparedAnswer>) -> String {
    match said {
        None => "not asked".to_owned(),
        Some(said) if said.allowed => format!("allowed by {}{}", by(&said.policies), lifetime(said.lifetime)),
        Some(said) => format!("denied, {} ({})", listed(&said.reasons), by(&said.policies)),
    }
}

/// The token lifetime that permits ask for.
fn lifetime(seconds: Option<i64>) -> String {
    seconds.map(|seconds| format!(", for at most {}", Duration::from_secs(seconds))).unwrap_or_default()
}

/// Policies, or that there was none.
fn by(policies: &[String]) -> String {
    match policies {
        [] => "no policy".to_owned(),
        policies => policies.join(", "),
    }
}

/// Lists every check, the decisions, and the answer that a client would get.
pub(super) fn explanation(explanation: &Explanation) -> String {
    let mut text = String::new();
    for checked in &explanation.checks {
        let mark = match checked.outcome {
            "passed" => '✓',
            "failed" => '✗',
            _ => '·',
        };
        let _ = writeln!(text, "{mark} {}", checked.check.as_str());
    }
    if !explanation.decisions.is_empty() {
        let decisions = decisions(&explanation.decisions);
        let _ = write!(text, "\nPolicies ({}):\n\n{decisions}", explanation.policy_set);
    }
    if let Some(refusal) = &explanation.error {
        let _ = writeln!(text, "\nRefused: {} ({})", refusal.error, refusal.reason);
        let _ = writeln!(text, "  {}", refusal.description);
        if !refusal.detail.is_empty() {
            let _ = writeln!(text, "  {}", refusal.detail);
        }
        let who: Vec<String> = refusal.who.iter().map(|who| who.as_str().replace('_', " ")).collect();
        let _ = writeln!(text, "  What to do: {} ({})", refusal.what_to_do, who.join(", "));
    }
    if let Some(token) = &explanation.token {
        let _ = writeln!(text, "\nA token would be issued:\n{token:#}");
    }
    text
}

/// Adds to an explanation for programs the policies that did not apply, where asked for.
pub(super) fn with_not_applied(
    mut told: Value,
    not_applied: Option<&NotApplied>,
) -> Result<Value, serde_json::Error> {
    if let (Some(not_applied), Some(members)) = (not_applied, told.as_object_mut()) {
        members.insert("not_applied".to_owned(), serde_json::to_value(not_applied)?);
    }
    Ok(told)
}
