//! A badge in Markdown, for a README.

use super::{ConformanceReport, RuleState};
use crate::conformance::requirements::RequirementLevel;

/// How many of the tested MUSTs hold. The image is made by shields.io, when somebody reads the page.
pub fn badge(report: &ConformanceReport) -> String {
    let count = |state| report.count(RequirementLevel::Must, state);
    let holds = count(RuleState::Holds) + count(RuleState::Differs);
    let tested = holds + count(RuleState::Fails);
    let colour = if report.conforms() && tested > 0 { "brightgreen" } else { "red" };
    // Two hyphens stand for one in the addresses of shields.io.
    let profile = report.profile.replace('-', "--");
    format!(
        "![conformance, profile {}: {holds} of {tested} MUST]\
         (https://img.shields.io/badge/conformance%20{profile}-{holds}%2F{tested}%20MUST-{colour})\n",
        report.profile
    )
}
