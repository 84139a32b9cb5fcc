//! The policies: whether they can come into force, pass their cases, and name things that exist.

use tokio::sync::oneshot;

use super::in_thread;
use super::line::Lines;
use super::patient::Patient;
use crate::app::unknown_names;
use crate::clock::UnixSeconds;
use crate::config::Config;
use crate::policy::authoring::cases::{self, Case};
use crate::policy::authoring::check::{Findings, check};
use crate::policy::engine::references::Reference;
use crate::policy::{Policies, PolicyPlace, PolicyProblem, PolicySource, Severity, counted};

/// Most problems, cases or names that one line lists.
const LISTED: usize = 3;
const SEE_CHECK: &str = "`countersign policy check` shows each with its place.";

/// The policies that are being read, and the lines about them.
pub(super) type Reading = oneshot::Receiver<(Lines, Option<Policies>)>;

/// Begins to read, check and test them, which takes a while.
pub(super) fn begin(config: &Config, now: UnixSeconds) -> Reading {
    let config = config.clone();
    let lines = Lines::new(super::DoctorGroup::Policies);
    in_thread(move || {
        let policies = read(&config, now, &lines);
        (lines, policies)
    })
}

/// Waits for that, and looks for names in the policies that nothing has.
pub(super) async fn examine(patient: &Patient, reading: Reading, lines: &Lines) {
    let Ok((found, policies)) = reading.await else { return };
    lines.append(&found);
    let Some(policies) = policies else { return };
    match &patient.stored {
        Some(stored) => references(&unknown_names(&policies.compiled, &stored.snapshot), lines),
        None => lines.warn(
            "references",
            "The names in the policies were not looked up, since the database cannot be read.",
            "See the lines about the database.",
        ),
    }
}

fn read(config: &Config, now: UnixSeconds, lines: &Lines) -> Option<Policies> {
    let (dir, schema) = (PolicyPlace::of_policies(config), PolicyPlace::of_schema(config));
    checked(&dir, &check(&dir, &schema), lines);
    if let Some(shadow) = &config.policy.shadow_dir {
        match PolicySource::read(shadow, &schema).and_then(|source| source.validate()) {
            Ok(valid) => lines.ok("shadow", format!("The shadow set {} can be loaded.", valid.hash)),
            Err(error) => lines.fail(
                "shadow",
                format!("The shadow set in {} cannot be loaded: {}", shadow.display(), listed(&error.0)),
                format!("Run `countersign policy check {}`.", shadow.display()),
            ),
        }
    }
    let policies = PolicySource::read(&dir, &schema).and_then(|source| source.compile(now)).ok()?;
    test(&policies, &dir.join("tests"), lines);
    Some(policies)
}

fn checked(dir: &PolicyPlace, findings: &Findings, lines: &Lines) {
    let Findings { policy_set, files, policies, problems, .. } = findings;
    let fails = problems.iter().any(|problem| problem.rule.severity() == Severity::Error);
    match problems.is_empty() {
        true => {
            let (policies, files) =
                (counted(*policies, "policy", "policies"), counted(*files, "file", "files"));
            let hash = policy_set.as_deref().unwrap_or_default();
            let place = if dir.is_built_in() { "the program itself".to_owned() } else { dir.to_string() };
            lines
                .ok("check", format!("{policies} in {files} can come into force, from {place}: set {hash}."));
        }
        false => {
            let found = counted(problems.len(), "problem", "problems");
            lines.fail_or_warn(fails, "check", format!("{found}: {}", listed(problems)), SEE_CHECK);
        }
    }
}

fn test(policies: &Policies, dir: &PolicyPlace, lines: &Lines) {
    let cases = match cases::read(dir) {
        Ok(cases) => cases,
        Err(error) => {
            return lines.fail(
                "cases",
                format!("The cases in {dir} cannot be read: {error}"),
                "Correct the file. `countersign policy test` shows every mistake.",
            );
        }
    };
    let is_failing = |case: &&Case| !cases::run(&policies.compiled, case).failures.is_empty();
    let failing: Vec<&Case> = cases.iter().filter(is_failing).collect();
    let all = counted(cases.len(), "case", "cases");
    match (cases.len(), failing.first()) {
        (0, _) => lines.warn(
            "cases",
            format!("There are no cases in {dir}, so nothing shows that the policies mean what you think."),
            "Write some: TOML files there, like those of the shipped policies. `countersign policy test --help`.",
        ),
        (_, None) => lines.ok("cases", format!("{all} pass.")),
        (_, Some(first)) => lines.fail(
            "cases",
            format!("{} of {all} fail, the first is \"{}\".", failing.len(), first.name),
            "Run `countersign policy test`, and correct the policies or the cases.",
        ),
    }
}

fn references(unknown: &[Reference], lines: &Lines) {
    let told = unknown.iter().take(LISTED).map(|Reference { kind, name, policies }| {
        format!("{} \"{name}\" in {}", kind.name(), policies.join(", "))
    });
    let told: Vec<String> = told.collect();
    match unknown.len() {
        0 => lines.ok("references", "Every name in the policies is configured."),
        all => lines.fail(
            "references",
            format!(
                "{} not configured, so these policies do not do what they say: {}{}",
                if all == 1 { "One name is".to_owned() } else { format!("{all} names are") },
                told.join("; "),
                rest(all)
            ),
            "Correct the name in the policy, or create what it names.",
        ),
    }
}

fn listed(problems: &[PolicyProblem]) -> String {
    let told: Vec<String> = problems.iter().take(LISTED).map(ToString::to_string).collect();
    format!("{}{}", told.join("; "), rest(problems.len()))
}

fn rest(all: usize) -> String {
    match all.saturating_sub(LISTED) {
        0 => ".".to_owned(),
        more => format!("; and {more} more."),
    }
}
