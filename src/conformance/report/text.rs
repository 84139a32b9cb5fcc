//! The report for people.

use std::fmt::Write as _;

use super::{ConformanceReport, RuleReport, RuleState};
use crate::conformance::judged::Judgement;
use crate::conformance::requirements::{RequirementLevel, chapter_of, chapter_title};
use crate::terminal::out::inline;

const LEVELS: [RequirementLevel; 4] =
    [RequirementLevel::Must, RequirementLevel::Should, RequirementLevel::May, RequirementLevel::Own];

/// The whole report.
pub fn text(report: &ConformanceReport) -> String {
    let mut text = format!("{}, profile {}\n", inline(&report.issuer), report.profile);
    let tested = report.rules.iter().filter(|rule| rule.state != RuleState::Skipped);
    let mut last = "";
    // Writing to a String cannot fail.
    for rule in tested {
        if chapter_of(rule.id) != last {
            last = chapter_of(rule.id);
            let _ = writeln!(text, "\n{}", chapter_title(rule.id));
        }
        one(&mut text, rule);
    }
    not_tested(&mut text, report);
    summary(&mut text, report);
    text
}

fn word(state: RuleState) -> &'static str {
    match state {
        RuleState::Holds => "ok",
        RuleState::Fails => "FAILED",
        RuleState::Differs => "differs",
        RuleState::Skipped => "skipped",
    }
}

fn one(text: &mut String, rule: &RuleReport) {
    let _ =
        writeln!(text, "  {:<8}{:<8} {:<6}  {}", word(rule.state), rule.id, rule.level.as_str(), rule.rule);
    for check in &rule.checks {
        let Judgement::Fails { expected, found, transcripts } = &check.judgement else { continue };
        let _ = writeln!(text, "\n      {} ({}): {}", rule.id, check.level.as_str(), inline(&check.title));
        let _ = writeln!(text, "      expected {}", inline(expected));
        let _ = writeln!(text, "      found    {}", inline(found));
        for transcript in transcripts {
            indented(text, "> ", &transcript.request);
            indented(text, "< ", &transcript.answer);
        }
        text.push('\n');
    }
}

fn indented(text: &mut String, mark: &str, lines: &str) {
    for line in lines.lines() {
        let _ = writeln!(text, "        {mark}{}", inline(line));
    }
}

/// Reasons, with the ids that share them.
fn not_tested(text: &mut String, report: &ConformanceReport) {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for rule in &report.rules {
        let Some(reason) = rule.reason.as_deref() else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, ids)) => ids.push(rule.id),
            None => reasons.push((reason, vec![rule.id])),
        }
    }
    if !reasons.is_empty() {
        text.push_str("\nNot tested\n");
    }
    for (reason, ids) in reasons {
        let _ = writeln!(text, "  {}: {}", inline(reason), ids.join(" "));
    }
}

fn summary(text: &mut String, report: &ConformanceReport) {
    text.push('\n');
    if !report.was_accepted {
        text.push_str("The good assertion was not accepted; --print-setup says what the server must know.\n");
    }
    for level in LEVELS {
        let count = |state| report.count(level, state);
        let (holds, fails) = (count(RuleState::Holds), count(RuleState::Fails));
        let (differs, skipped) = (count(RuleState::Differs), count(RuleState::Skipped));
        if holds + fails + differs + skipped > 0 {
            let _ = writeln!(
                text,
                "{:<6}  {holds} hold, {fails} failed, {differs} differ, {skipped} not tested",
                level.as_str()
            );
        }
    }
    text.push_str("OWN is our recommendation where the standards are silent. Only a failed MUST counts.\n");
}
