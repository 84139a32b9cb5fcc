//! Checks and decisions as pages show them, for both past sign-ins and explanations.

use super::reason_words::reason_words;
use crate::exchange::explain::ExplainedCheck;
use crate::oauth::check::Check;
use crate::policy::engine::clauses::{Clause, PolicyFinding};
use crate::policy::{Action, Explained};

/// A line of the list of checks.
pub struct CheckLine {
    /// `passed`, `failed` or `unreached`: the sign and the colour.
    pub class: &'static str,
    /// The outcome in words.
    pub outcome: &'static str,
    pub text: &'static str,
}

/// A question to the policies with its answer.
pub struct DecisionLine {
    pub class: &'static str,
    pub outcome: &'static str,
    pub question: String,
    pub policies: Vec<PolicyLine>,
    /// Why it is refused, where no policy says so.
    pub why: Option<&'static str>,
}

/// A policy's part in an answer.
pub struct PolicyLine {
    pub id: String,
    pub message: String,
    /// The clause that settled it; none if the policies that decided are no longer known.
    pub clause: Option<ClauseLine>,
}

/// A clause with the facts that it read.
pub struct ClauseLine {
    pub kind: &'static str,
    pub text: String,
    pub facts: Vec<(String, String)>,
}

/// The list of checks.
pub fn check_lines(checks: &[ExplainedCheck]) -> Vec<CheckLine> {
    let line = |checked: &ExplainedCheck| {
        let (class, outcome) = match checked.outcome {
            "passed" => ("passed", "Passed"),
            "failed" => ("failed", "Failed"),
            _ => ("unreached", "Not reached"),
        };
        CheckLine { class, outcome, text: check_words(checked.check) }
    };
    checks.iter().map(line).collect()
}

/// The list of decisions, without answers whose clauses nobody needs.
pub fn decision_lines(decisions: Vec<Explained>) -> Vec<DecisionLine> {
    decisions.into_iter().map(decision_line).collect()
}

fn decision_line(explained: Explained) -> DecisionLine {
    let Explained { answer, findings } = explained;
    let (class, outcome) = if answer.allowed { ("passed", "Allowed") } else { ("failed", "Refused") };
    let question = match answer.action {
        Action::TrustIssuer => "Trust the identity provider".to_owned(),
        Action::ProvisionMember => "Let the person become a member".to_owned(),
        Action::AdmitMember => "Let the member in".to_owned(),
        Action::GrantResource => format!("Use the MCP server {}", answer.resource),
        Action::GrantScope => format!("Have the scope {}", answer.resource),
        Action::GrantDetail => format!("Have the authorization detail {}", answer.resource),
        Action::CallTool => format!("Call the tool {}", answer.resource),
        // No sign-in asks these.
        Action::ConfigureIssuer | Action::ListTools | Action::Console(_) => answer.action.name().to_owned(),
    };
    let unsaid = answer.reasons.first().filter(|_| answer.policies.is_empty());
    let why = unsaid.map(|reason| reason_words(reason.as_str()).sentence);
    let policies = answer.policies.into_iter().map(|id| policy_line(id, &findings)).collect();
    DecisionLine { class, outcome, question, policies, why }
}

fn policy_line(id: String, findings: &[PolicyFinding]) -> PolicyLine {
    let finding = findings.iter().find(|finding| finding.policy == id);
    let clause = finding.and_then(PolicyFinding::telling).map(clause_line);
    let message = finding.and_then(|finding| finding.message.clone()).unwrap_or_default();
    PolicyLine { id, message, clause }
}

fn clause_line(clause: &Clause) -> ClauseLine {
    let facts = clause.values.iter().map(|(name, value)| (name.clone(), value.clone()));
    ClauseLine { kind: clause.kind, text: clause.text.clone(), facts: facts.collect() }
}

fn check_words(check: Check) -> &'static str {
    match check {
        Check::Client => "The client is known, switched on and has proved who it is",
        Check::Format => "The assertion is an ID-JAG with an allowed algorithm",
        Check::Issuer => "A configured identity provider issued it",
        Check::Key => "The identity provider publishes the key",
        Check::Signature => "The signature is good",
        Check::Claims => "Every claim is there and can be read",
        Check::Audience => "It is for this server",
        Check::ClientBinding => "It was issued to this client",
        Check::Times => "It is valid now, and not for too long",
        Check::Tenant => "It is for this teamspace",
        Check::Resource => "The MCP server is offered to the teamspace",
        Check::Scopes => "The MCP server has the scopes, and the details fit it",
        Check::KillSwitch => "No kill switch is on for it",
        Check::Proof => "The key that it names, or that is demanded, is proved",
        Check::Member => "Subject and email lead to one member",
        Check::Session => "The member's sessions were not ended since",
        Check::Policies => "The policies permit it",
        Check::SingleUse => "The assertion was not used before",
        Check::Token => "The token would live",
    }
}
