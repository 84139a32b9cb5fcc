//! The checks of an identity provider, in order, and the result of each.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How one check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CheckOutcome)]
pub enum Outcome {
    Passed,
    /// It does not hinder, but is worth knowing.
    Warning,
    Failed,
    /// An earlier check failed.
    NotReached,
}

/// One check and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = IssuerCheck)]
pub struct IssuerCheck {
    /// A stable code, or the reason given by the refusing policy. The first failed check's code is the problem's code.
    pub code: Cow<'static, str>,
    pub outcome: Outcome,
    pub message: String,
    /// Its parts, one after the other.
    pub steps: Vec<Step>,
}

/// One thing that a check looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CheckStep)]
pub struct Step {
    /// A stable code.
    pub code: Cow<'static, str>,
    /// The sentence that is true when it passed.
    pub title: Cow<'static, str>,
    pub outcome: Outcome,
    /// The problem or remark, and the remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub message: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Compared)]
    pub compared: Option<Compared>,
}

/// The expected and the received text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Compared {
    #[schema(required = false)]
    pub expected: String,
    #[schema(required = false)]
    pub received: String,
}

/// A problem or remark found at one step.
#[derive(Debug)]
pub struct Finding {
    step: &'static str,
    outcome: Outcome,
    message: String,
    compared: Option<Compared>,
}

impl Finding {
    /// A step that failed.
    pub fn failed(step: &'static str, message: impl Into<String>) -> Self {
        Self { step, outcome: Outcome::Failed, message: message.into(), compared: None }
    }

    /// A step that passed with something to know.
    pub fn warning(step: &'static str, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Warning, ..Self::failed(step, message) }
    }

    /// Adds the two texts that should be the same.
    pub fn compared(self, expected: impl Into<String>, received: impl Into<String>) -> Self {
        let compared = Compared { expected: expected.into(), received: received.into() };
        Self { compared: Some(compared), ..self }
    }
}

/// A declared step: its code and its title.
type Declared = (&'static str, &'static str);

/// The checks in order, with the steps of each. The first two need no network.
const CHECKS: [(&str, &[Declared]); 8] = [
    ("policy", &[("policy", "The policies permit this issuer")]),
    ("scope", &[("scope", "Every scope of the setting is known")]),
    (
        "issuer_url",
        &[("https", "The issuer is an https URL"), ("public_host", "It names no private address")],
    ),
    ("issuer_not_self", &[("other_server", "It is another server than Countersign")]),
    (
        "org_authorization_server",
        &[("own_server", "It is the organization's own server, not a custom authorization server")],
    ),
    (
        "metadata",
        &[
            ("answers", "A server at a public address answers"),
            ("metadata_document", "It has metadata: status 200, JSON"),
            ("same_issuer", "The metadata names exactly this issuer"),
        ],
    ),
    (
        "jwks",
        &[("key_set", "The key set can be fetched"), ("usable_key", "The key set has a usable signing key")],
    ),
    ("id_jag_supported", &[("id_jag_announced", "The metadata announces ID-JAGs")]),
];

fn steps_of(code: &str) -> &'static [Declared] {
    CHECKS.iter().find(|(own, _)| *own == code).map_or(&[], |(_, steps)| steps)
}

fn step(declared: &Declared, outcome: Outcome) -> Step {
    let (code, title) = *declared;
    Step { code: code.into(), title: title.into(), outcome, message: None, compared: None }
}

impl IssuerCheck {
    /// A check that passed.
    pub fn passed(code: &'static str, message: impl Into<String>) -> Self {
        let steps = steps_of(code).iter().map(|declared| step(declared, Outcome::Passed)).collect();
        Self { code: code.into(), outcome: Outcome::Passed, message: message.into(), steps }
    }

    /// A check with a finding: the steps before it passed, and the steps after a failure were not reached.
    pub fn of(code: &'static str, found: Finding) -> Self {
        let (mut steps, mut outcome) = (Vec::new(), Outcome::Passed);
        for declared in steps_of(code) {
            if declared.0 == found.step {
                let (message, compared) = (Some(found.message.clone()), found.compared.clone());
                steps.push(Step { message, compared, ..step(declared, found.outcome) });
                outcome = if found.outcome == Outcome::Failed { Outcome::NotReached } else { outcome };
            } else {
                steps.push(step(declared, outcome));
            }
        }
        Self { code: code.into(), outcome: found.outcome, message: found.message, steps }
    }

    /// An additional check with a warning.
    pub fn warning(code: &'static str, title: &'static str, message: impl Into<String>) -> Self {
        let (message, outcome) = (message.into(), Outcome::Warning);
        let steps = vec![Step { message: Some(message.clone()), ..step(&(code, title), outcome) }];
        Self { code: code.into(), outcome, message, steps }
    }

    /// Sets another code, such as a policy's reason.
    pub fn with_code(self, code: String) -> Self {
        Self { code: code.into(), ..self }
    }

    /// Adds the checks that were not reached, so that there is one of each.
    pub fn complete(mut checks: Vec<Self>) -> Vec<Self> {
        for (code, steps) in CHECKS.iter().skip(checks.len()) {
            let steps = steps.iter().map(|declared| step(declared, Outcome::NotReached)).collect();
            let message = "not reached".to_owned();
            checks.push(Self { code: (*code).into(), outcome: Outcome::NotReached, message, steps });
        }
        checks
    }
}
