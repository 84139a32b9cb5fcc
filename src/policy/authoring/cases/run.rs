//! Decides a case, and compares the result with the expectation.

use std::collections::BTreeSet;

use super::file::Expectation;
use super::written::{Age, OneOrMore};
use super::{Case, Matter};
use crate::oauth::authorization_details::Detail;
use crate::oauth::error::Reason;
use crate::policy::engine::not_applied::not_applied_to_token;
use crate::policy::engine::tools::{decide_about_token, explain_about_token};
use crate::policy::facts::{ClaimValue, MemberFacts};
use crate::policy::{
    Action, Decision, Denial, Explained, NotApplied, Permitted, PolicyAnswer, PolicyEngine, ToolDecision,
    Topic, decide, decide_configuration, decide_console, explain, explain_configuration, explain_console,
    not_applied, not_applied_configuration, not_applied_console,
};

/// The outcome of a case.
#[derive(Debug)]
pub struct Observed {
    /// Every question that was asked, with its answer, in the order of asking.
    pub answers: Vec<PolicyAnswer>,
    /// The scopes of the token (none when an issuer may be saved), or why not.
    pub outcome: Result<Vec<String>, Denial>,
    /// The authorization details of the token.
    pub details: Vec<Detail>,
    /// Whether the person becomes a member.
    pub provision: bool,
    /// The lifetime that the policies limit the token to, in seconds.
    pub lifetime: Option<i64>,
}

/// A case that was run.
#[derive(Debug)]
pub struct CaseVerdict {
    /// The policies' answers.
    pub observed: Observed,
    /// The differences from the expectation, each in one sentence; empty when it passed.
    pub failures: Vec<String>,
}

/// Every decision on a case, clause by clause.
pub fn explain_case(policies: &PolicyEngine, case: &Case) -> Vec<Explained> {
    match &case.matter {
        Matter::Exchange(facts) => explain(policies, facts).0,
        Matter::Unfit(_) => Vec::new(),
        Matter::Configuration(facts) => vec![explain_configuration(policies, facts)],
        Matter::Console(asked) => {
            asked.actions.iter().map(|action| explain_console(policies, *action, &asked.facts)).collect()
        }
        Matter::Token(asked) => {
            asked.each().map(|question| explain_about_token(policies, &asked.facts, question).0).collect()
        }
    }
}

/// Why the other policies did not apply to a case; none if no policy is asked.
pub fn not_applied_to(policies: &PolicyEngine, case: &Case, decisions: &[Explained]) -> Option<NotApplied> {
    match &case.matter {
        Matter::Exchange(facts) => Some(not_applied(policies, facts, decisions, |_| true)),
        Matter::Unfit(_) => None,
        Matter::Configuration(facts) => {
            decisions.first().map(|explained| not_applied_configuration(policies, facts, explained))
        }
        Matter::Console(asked) => {
            let action = asked.actions.first()?;
            decisions.first().map(|explained| not_applied_console(policies, *action, &asked.facts, explained))
        }
        Matter::Token(asked) => {
            let question = asked.each().next()?;
            let explained = decisions.first()?;
            Some(not_applied_to_token(policies, &asked.facts, question, explained))
        }
    }
}

/// Decides a case and compares.
pub fn run(policies: &PolicyEngine, case: &Case) -> CaseVerdict {
    let observed = observe(policies, case);
    let mut failures = undeclared_claims(policies, case);
    failures.extend(compare(&case.expect, &observed, |id| policies.effect(id).is_some()));
    CaseVerdict { observed, failures }
}

/// The custom claims of a case that the policies cannot read as declared: most likely a typo.
fn undeclared_claims(policies: &PolicyEngine, case: &Case) -> Vec<String> {
    let facts = match &case.matter {
        Matter::Exchange(facts) => &**facts,
        Matter::Token(asked) => &asked.facts,
        Matter::Unfit(_) | Matter::Configuration(_) | Matter::Console(_) => return Vec::new(),
    };
    let declared = policies.declared_claims();
    let problem = |(name, value): (&String, &ClaimValue)| match declared.type_of(name) {
        None => Some(format!("the schema's CustomClaims has no `{name}`")),
        Some(claim_type) if claim_type != value.claim_type() => Some(format!(
            "`{name}` is {} here, and {} in the schema's CustomClaims",
            value.claim_type().as_str(),
            claim_type.as_str()
        )),
        Some(_) => None,
    };
    facts.claims.custom.0.iter().filter_map(problem).collect()
}

fn observe(policies: &PolicyEngine, case: &Case) -> Observed {
    match &case.matter {
        Matter::Exchange(facts) => {
            let Decision { answers, outcome } = decide(policies, facts);
            let provision = outcome.is_ok() && matches!(facts.member, MemberFacts::Absent { .. });
            let lifetime = outcome.as_ref().ok().and_then(Permitted::lifetime);
            let details = outcome.as_ref().map(|permitted| permitted.details().to_vec()).unwrap_or_default();
            let outcome = outcome.map(|permitted| permitted.scopes().to_vec());
            Observed { answers, outcome, details, provision, lifetime }
        }
        Matter::Unfit(denial) => Observed::plain(Vec::new(), Err(denial.clone())),
        Matter::Configuration(facts) => {
            let (answer, outcome) = decide_configuration(policies, facts);
            let outcome = outcome.map(|()| Vec::new());
            Observed::plain(vec![answer], outcome)
        }
        Matter::Console(asked) => {
            all_of(asked.actions.iter().map(|action| decide_console(policies, *action, &asked.facts)))
        }
        Matter::Token(asked) => all_of(asked.each().map(|question| {
            let ToolDecision { answer, outcome } = decide_about_token(policies, &asked.facts, question);
            (answer, outcome)
        })),
    }
}

/// Several questions apart from each other. The first refusal is the outcome.
fn all_of(decided: impl Iterator<Item = (PolicyAnswer, Result<(), Denial>)>) -> Observed {
    let (answers, outcomes): (Vec<PolicyAnswer>, Vec<_>) = decided.unzip();
    let outcome = outcomes.into_iter().collect::<Result<(), Denial>>().map(|()| Vec::new());
    Observed::plain(answers, outcome)
}

impl Observed {
    /// Without a token.
    fn plain(answers: Vec<PolicyAnswer>, outcome: Result<Vec<String>, Denial>) -> Self {
        Self { answers, outcome, details: Vec::new(), provision: false, lifetime: None }
    }

    /// In one line, for people.
    pub fn summary(&self) -> String {
        match &self.outcome {
            Ok(_) if self.answers.iter().any(|answer| answer.action.topic() != Topic::SignIns) => {
                "allowed".to_owned()
            }
            Ok(scopes) if self.details.is_empty() => format!("granted [{}]", scopes.join(", ")),
            Ok(scopes) => {
                let details: Vec<String> = self.details.iter().map(Detail::to_string).collect();
                format!("granted [{}] with details [{}]", scopes.join(", "), details.join(", "))
            }
            Err(denial) => {
                let reasons: Vec<&str> = denial.reasons.iter().map(Reason::as_str).collect();
                format!("refused, {}: {}", denial.error.wire().0, reasons.join(", "))
            }
        }
    }

    fn deciding(&self) -> BTreeSet<&str> {
        self.answers.iter().flat_map(|answer| &answer.policies).map(String::as_str).collect()
    }

    fn reasons_against(&self, (action, resource): (Action, &str)) -> Option<BTreeSet<&str>> {
        let about = |answer: &&PolicyAnswer| answer.action == action && answer.resource == resource;
        let answer = self.answers.iter().find(about)?;
        (!answer.allowed).then(|| answer.reasons.iter().map(Reason::as_str).collect())
    }
}

/// The differences; `known` tells whether there is a policy of that id.
fn compare(expect: &Expectation, observed: &Observed, known: impl Fn(&str) -> bool) -> Vec<String> {
    let mut failures = Vec::new();
    compare_outcome(expect, observed, &mut failures);
    compare_denied(expect, observed, &mut failures);
    let deciding = observed.deciding();
    for policy in expect.by.iter().flat_map(|by| &by.0).filter(|by| !deciding.contains(by.as_str())) {
        let unknown = if known(policy) { "" } else { ", but there is no such policy" };
        failures
            .push(format!("expected `{policy}` to decide{unknown}; those that did: {}", shown(&deciding)));
    }
    if let Some(expected) = expect.provision.filter(|expected| *expected != observed.provision) {
        let text = if expected {
            "expected a new member; none was made"
        } else {
            "expected no new member; one was made"
        };
        failures.push(text.to_owned());
    }
    failures
}

fn compare_denied(expect: &Expectation, observed: &Observed, failures: &mut Vec<String>) {
    let scopes = expect.denied.iter().flatten();
    let scopes = scopes.map(|(scope, reasons)| (Action::GrantScope, scope.clone(), reasons));
    let details = expect.denied_details.iter().flatten();
    let details = details.map(|denied| (Action::GrantDetail, denied.detail.to_string(), &denied.reason));
    for (action, named, reasons) in scopes.chain(details) {
        let wanted = set(reasons);
        match observed.reasons_against((action, &named)) {
            None => failures.push(format!("expected `{named}` to be refused; it was not")),
            Some(given) if given != wanted => {
                let (wanted, given) = (shown(&wanted), shown(&given));
                failures.push(format!("expected `{named}` refused for {wanted}, got {given}"));
            }
            Some(_) => {}
        }
    }
}

fn compare_outcome(expect: &Expectation, observed: &Observed, failures: &mut Vec<String>) {
    let got = observed.summary();
    if let Some(granted) = &expect.granted {
        let wanted: BTreeSet<&str> = granted.iter().map(String::as_str).collect();
        let given = observed.outcome.as_ref().map(|scopes| scopes.iter().map(String::as_str).collect());
        if given.ok().as_ref() != Some(&wanted) {
            failures.push(format!("expected granted {}, got {got}", shown(&wanted)));
        }
    }
    if let Some(wanted) = &expect.details {
        let is_all = wanted.iter().all(|detail| observed.details.contains(detail));
        if !is_all || wanted.len() != observed.details.len() || observed.outcome.is_err() {
            let wanted: Vec<String> = wanted.iter().map(Detail::to_string).collect();
            failures.push(format!("expected the details [{}], got {got}", wanted.join(", ")));
        }
    }
    if let Some(saved) = expect.saved.filter(|saved| *saved != observed.outcome.is_ok()) {
        let wanted = if saved { "the issuer to be saved" } else { "the issuer not to be saved" };
        failures.push(format!("expected {wanted}, got {got}"));
    }
    if let Some(Age(expected)) = expect.lifetime
        && observed.lifetime != Some(expected)
    {
        let given = observed.lifetime.map_or("the setting's".to_owned(), |seconds| format!("{seconds} s"));
        failures.push(format!("expected a lifetime of {expected} s, got {given}"));
    }
    if let Some(allowed) = expect.allowed {
        let others = observed.answers.iter().filter(|answer| answer.allowed != allowed);
        let others: BTreeSet<&str> = others.map(asked_about).collect();
        if !others.is_empty() {
            let wanted = if allowed { "allowed, and refused is" } else { "refused, and allowed is" };
            failures.push(format!("expected all to be {wanted} {}", shown(&others)));
        }
    }
    let denial = observed.outcome.as_ref().err();
    if let Some(error) = &expect.error
        && denial.is_none_or(|denial| denial.error.wire().0 != error)
    {
        failures.push(format!("expected error {error}, got {got}"));
    }
    if let Some(reason) = &expect.reason {
        let given = denial.map(|denial| denial.reasons.iter().map(Reason::as_str).collect());
        if given != Some(set(reason)) {
            failures.push(format!("expected reason {}, got {got}", shown(&set(reason))));
        }
    }
}

/// What a question is called in a report: a tool by its name.
fn asked_about(answer: &PolicyAnswer) -> &str {
    match answer.action {
        Action::CallTool => &answer.resource,
        other => other.name(),
    }
}

fn set(texts: &OneOrMore) -> BTreeSet<&str> {
    texts.0.iter().map(String::as_str).collect()
}

fn shown(texts: &BTreeSet<&str>) -> String {
    match texts.is_empty() {
        true => "none".to_owned(),
        false => texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", "),
    }
}
