//! The report for programs. Its form is stable.

use serde_json::{Value, json};

use super::{ConformanceReport, RuleState};
use crate::conformance::requirements::RequirementLevel;

/// The whole report.
pub fn json(report: &ConformanceReport) -> Value {
    let rules: Vec<Value> = report
        .rules
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id,
                "level": rule.level,
                "rule": rule.rule,
                "source": rule.source,
                "state": rule.state,
                "reason": rule.reason,
                "checks": rule.checks,
            })
        })
        .collect();
    let count = |level| {
        json!({
            "holds": report.count(level, RuleState::Holds),
            "fails": report.count(level, RuleState::Fails),
            "differs": report.count(level, RuleState::Differs),
            "skipped": report.count(level, RuleState::Skipped),
        })
    };
    json!({
        "issuer": report.issuer,
        "profile": report.profile,
        "conforms": report.conforms(),
        "must": count(RequirementLevel::Must),
        "should": count(RequirementLevel::Should),
        "may": count(RequirementLevel::May),
        "own": count(RequirementLevel::Own),
        "requirements": rules,
    })
}
