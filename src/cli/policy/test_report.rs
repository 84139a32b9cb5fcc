//! The output of `policy test`.

use std::fmt::Write as _;
use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use crate::policy::authoring::cases::{Case, CaseVerdict, Coverage, Excuse, Mutation, Survivor};
use crate::policy::counted;
use crate::terminal::out::inline;

/// Everything that a run found.
pub(super) struct TestReport<'a> {
    pub policy_set: &'a str,
    pub took: Duration,
    pub verdicts: Vec<(&'a Case, CaseVerdict)>,
    pub coverage: Option<Coverage>,
    pub mutation: Option<Mutation>,
}

impl TestReport<'_> {
    pub(super) fn failed(&self) -> usize {
        self.verdicts.iter().filter(|(_, verdict)| !verdict.failures.is_empty()).count()
    }

    /// The cases of each file, in order.
    fn by_file(&self) -> impl Iterator<Item = &[(&Case, CaseVerdict)]> {
        self.verdicts.chunk_by(|(one, _), (other, _)| one.file == other.file)
    }
}

/// Failures in full, files in one line each.
pub(super) fn human(report: &TestReport<'_>) -> String {
    let mut text = String::new();
    for cases in report.by_file() {
        let failed = cases.iter().filter(|(_, verdict)| !verdict.failures.is_empty());
        let (all, failed) = (cases.len(), failed.count());
        let file = cases.first().map(|(case, _)| case.file.display().to_string()).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = match failed {
            0 => writeln!(text, "✓ {file}: {}", counted(all, "case", "cases")),
            _ => writeln!(text, "✗ {file}: {failed} of {} failed", counted(all, "case", "cases")),
        };
        for (case, verdict) in cases.iter().filter(|(_, verdict)| !verdict.failures.is_empty()) {
            let _ = writeln!(text, "\n  {} ({file}:{})", case.name, case.line);
            for failure in &verdict.failures {
                let _ = writeln!(text, "    {failure}");
            }
            for answer in &verdict.observed.answers {
                let verb = if answer.allowed { "allowed" } else { "denied" };
                let by = match answer.policies.as_slice() {
                    [] => ", since no policy permits it".to_owned(),
                    policies => format!(" by {}", policies.join(", ")),
                };
                let _ = writeln!(text, "      {:?} {}: {verb}{by}", answer.action, answer.resource);
            }
        }
    }
    let passed = report.verdicts.len() - report.failed();
    let _ = writeln!(
        text,
        "{passed} of {} passed in {:.1} ms",
        counted(report.verdicts.len(), "case", "cases"),
        report.took.as_secs_f64() * 1e3
    );
    text.push_str(&gaps(report));
    text
}

fn gaps(report: &TestReport<'_>) -> String {
    let mut text = String::new();
    let mut list = |title: &str, ids: &[String]| {
        if !ids.is_empty() {
            let _ = writeln!(text, "{title}: {}", ids.join(", "));
        }
    };
    if let Some(found) = &report.coverage {
        list("decided nothing", &found.undecided);
        list("permits that no case saw fail to match", &found.never_unmatched);
    }
    if let Some(found) = &report.coverage {
        let _ = writeln!(
            text,
            "{} of {} policies decided something",
            found.policies - found.undecided.len(),
            found.policies
        );
    }
    text + &report.mutation.as_ref().map(unnoticed).unwrap_or_default()
}

/// Renders a part that was dropped unnoticed, with the case that would have noticed.
fn unnoticed(mutation: &Mutation) -> String {
    let mut text = String::new();
    for Survivor { policy, file, line, column, part, wanted } in &mutation.survivors {
        let what =
            part.as_ref().map_or_else(|| "the whole policy".to_owned(), |part| format!("`{}`", inline(part)));
        let _ = writeln!(text, "dropped, and no case noticed: {policy} ({file}:{line}:{column}): {what}");
        let _ = writeln!(text, "    wanted: {wanted}");
    }
    for Excuse { policy, part } in &mutation.excused_in_vain {
        let part = inline(part);
        let _ = writeln!(text, "{policy}: @allow_untested names `{part}`, which is no part of the policy");
    }
    let tried = counted(mutation.tried, "policy or part", "policies and parts");
    let _ = match mutation.survivors.len() {
        0 => writeln!(text, "{tried} dropped in turn, each is missed"),
        unnoticed => writeln!(text, "{tried} dropped in turn, {unnoticed} unnoticed"),
    };
    if !mutation.complete {
        text.push_str("there are more, which were not tried: test a part of the policies at a time\n");
    }
    text
}

/// The report for programs.
pub(super) fn json(report: &TestReport<'_>) -> Value {
    let case = |(case, verdict): &(&Case, CaseVerdict)| {
        json!({
            "name": case.name,
            "file": case.file,
            "line": case.line,
            "passed": verdict.failures.is_empty(),
            "failures": verdict.failures,
            "outcome": verdict.observed.summary(),
            "decisions": verdict.observed.answers,
        })
    };
    json!({
        "policy_set": report.policy_set,
        "passed": report.verdicts.len() - report.failed(),
        "failed": report.failed(),
        "cases": report.verdicts.iter().map(case).collect::<Vec<_>>(),
        "coverage": report.coverage,
        "mutation": report.mutation,
    })
}

/// The report for continuous integration.
pub(super) fn junit(report: &TestReport<'_>) -> Result<String, quick_junit::SerializeError> {
    let mut document = quick_junit::Report::new("policies");
    for cases in report.by_file() {
        let file = cases.first().map(|(case, _)| case.file.display().to_string()).unwrap_or_default();
        let mut suite = TestSuite::new(file.clone());
        for (case, verdict) in cases {
            let mut status = TestCaseStatus::success();
            if !verdict.failures.is_empty() {
                status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(verdict.failures.join("; "));
                status.set_description(format!(
                    "{}:{}\n{}",
                    case.file.display(),
                    case.line,
                    verdict.failures.join("\n")
                ));
            }
            let mut told = TestCase::new(case.name.clone(), status);
            told.set_classname(file.clone());
            suite.add_test_case(told);
        }
        document.add_test_suite(suite);
    }
    document.to_string()
}
