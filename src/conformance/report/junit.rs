//! The report as `JUnit`'s XML: a suite for each requirement, a case for each check.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{ConformanceReport, RuleReport};
use crate::conformance::judged::{Judged, Judgement};
use crate::conformance::requirements::RequirementLevel;

/// The whole document.
pub fn junit(report: &ConformanceReport) -> Result<String, SerializeError> {
    let mut document = Report::new(format!("conformance, profile {}", report.profile));
    for rule in &report.rules {
        document.add_test_suite(suite(rule));
    }
    document.to_string()
}

fn suite(rule: &RuleReport) -> TestSuite {
    let mut suite = TestSuite::new(format!("{} {}", rule.id, rule.rule));
    for check in &rule.checks {
        let mut case = TestCase::new(check.title.clone(), status(check));
        case.set_classname(rule.id);
        suite.add_test_case(case);
    }
    if rule.checks.is_empty() {
        let mut skipped = TestCaseStatus::skipped();
        skipped.set_message(rule.reason.clone().unwrap_or_default());
        let mut case = TestCase::new(rule.id, skipped);
        case.set_classname(rule.id);
        suite.add_test_case(case);
    }
    suite
}

/// Only a MUST fails; the rest is told as skipped with what was found.
fn status(check: &Judged) -> TestCaseStatus {
    match &check.judgement {
        Judgement::Holds => TestCaseStatus::success(),
        Judgement::Skipped { reason } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.clone());
            status
        }
        Judgement::Fails { expected, found, transcripts } => {
            let message = format!("{}: expected {expected}, found {found}", check.level.as_str());
            let mut status = match check.level {
                RequirementLevel::Must => TestCaseStatus::non_success(NonSuccessKind::Failure),
                _ => TestCaseStatus::skipped(),
            };
            let shown = transcripts.iter().map(|shown| format!("{}\n\n{}\n", shown.request, shown.answer));
            status.set_message(message);
            status.set_description(shown.collect::<Vec<_>>().join("\n"));
            status
        }
    }
}
