//! Prints plans and what came of them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::perform::Performed;
use super::secrets;
use crate::cli::api::ApiProblem;
use crate::manifest::{ChangePlan, FieldUpdate, ObjectKind, PlannedStep, StepAction};
use crate::terminal::out::{self, inline, say};

/// Most steps that are listed as not done.
const MOST_LISTED: usize = 20;
/// Longest value that is shown, in characters.
const LONGEST_VALUE: usize = 200;

/// The plan for people.
pub(super) fn print_plan(plan: &ChangePlan) {
    for step in plan.steps() {
        say!("{}", line(step));
        if let StepAction::Change(updates) = &step.action {
            for FieldUpdate { field, old, new } in updates {
                say!("    {field}: {} → {}", value(old), value(new));
            }
        }
        if let Some(source) = &step.secret {
            say!("    client_secret: that {}", inline(&secrets::shown(source)));
        }
    }
    let count = |is: fn(&StepAction) -> bool| plan.steps().filter(|step| is(&step.action)).count();
    say!(
        "Plan: {} to create, {} to change, {} to delete, {} the same.",
        count(|action| matches!(action, StepAction::Create(_))),
        count(|action| matches!(action, StepAction::Change(_))),
        count(|action| matches!(action, StepAction::Delete)),
        plan.same
    );
}

fn value(value: &Value) -> String {
    let text = inline(&value.to_string());
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// A step in one line.
fn line(step: &PlannedStep) -> String {
    let with = match (&step.action, step.kind) {
        (StepAction::Delete, ObjectKind::Teamspace) => ", with its identity providers and all its members",
        (StepAction::Delete, ObjectKind::Resource) => ", with its credentials",
        _ => "",
    };
    let sign = match &step.action {
        StepAction::Create(_) => '+',
        StepAction::Change(_) => '~',
        StepAction::Delete => '-',
    };
    format!("{sign} {} {}{with}", verb(&step.action), object(step))
}

fn verb(action: &StepAction) -> &'static str {
    match action {
        StepAction::Create(_) => "create",
        StepAction::Change(_) => "change",
        StepAction::Delete => "delete",
    }
}

fn object(step: &PlannedStep) -> String {
    let of = step.within.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
    inline(&format!("{} {}{of}", step.kind.words(), step.name))
}

/// Why the command stopped, what it did, and what it did not.
pub(super) fn stopped(performed: &Performed<'_>) -> String {
    let mut text = match performed.failed.is_empty() {
        true => "stopped by a signal".to_owned(),
        false => "stopped".to_owned(),
    };
    for (step, problem) in &performed.failed {
        let place = step.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        // Writing to a text cannot fail.
        let _ = write!(text, "\n  {} {}{place}: {problem}", verb(&step.action), object(step));
        for check in checks(problem) {
            let part = |name: &str| inline(check.get(name).and_then(Value::as_str).unwrap_or_default());
            let _ = write!(text, "\n    {:11} {}", part("outcome").replace('_', " "), part("message"));
        }
    }
    let (done, not_done) = (performed.done.len(), performed.not_done.len());
    let count = done + not_done + performed.failed.len();
    let _ = write!(text, "\n{done} of {count} were done");
    if not_done > 0 {
        let _ = write!(text, "; these were not begun:");
    }
    for step in performed.not_done.iter().take(MOST_LISTED) {
        let _ = write!(text, "\n  {}", line(step));
    }
    if not_done > MOST_LISTED {
        let _ = write!(text, "\n  and {} more", not_done - MOST_LISTED);
    }
    let _ = write!(text, "\nRun the same command again to go on from there.");
    text
}

/// The checks of an identity provider that a refusal lists.
fn checks(problem: &ApiProblem) -> &[Value] {
    match problem {
        ApiProblem::Refused(refusal) => &refusal.checks,
        _ => &[],
    }
}

/// The plan for programs, with what came of it.
pub(super) fn print_json(plan: &ChangePlan, performed: Option<&Performed<'_>>) -> serde_json::Result<()> {
    let steps: Vec<Value> = plan.steps().map(|step| step_json(step, performed)).collect();
    out::json(json!({ "dry_run": performed.is_none(), "same": plan.same, "steps": steps }))
}

fn step_json(step: &PlannedStep, performed: Option<&Performed<'_>>) -> Value {
    let mut shown = Map::new();
    let mut show = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    show("action", verb(&step.action).into());
    show("kind", step.kind.code().into());
    for outer in [ObjectKind::Teamspace, ObjectKind::Resource] {
        let within = step.within.as_ref().filter(|_| step.kind.within() == Some(outer));
        show(outer.code(), json!(within));
    }
    show("name", step.name.clone().into());
    match &step.action {
        StepAction::Create(fields) => show("fields", json!(fields)),
        StepAction::Change(updates) => {
            let update = |FieldUpdate { field, old, new }: &FieldUpdate| json!({ "field": field, "old": old, "new": new });
            show("changes", updates.iter().map(update).collect());
        }
        StepAction::Delete => {}
    }
    if let Some(source) = &step.secret {
        show("client_secret", format!("that {}", secrets::shown(source)).into());
    }
    shown.extend(outcome(step, performed));
    Value::Object(shown)
}

/// Tells how a step ended, as members of the JSON.
fn outcome(step: &PlannedStep, performed: Option<&Performed<'_>>) -> Vec<(String, Value)> {
    let only = |outcome: &str| vec![("outcome".to_owned(), outcome.into())];
    let Some(performed) = performed else { return only("planned") };
    let failed = performed.failed.iter().find(|(failed, _)| std::ptr::eq(*failed, step));
    if let Some((_, problem)) = failed {
        let why =
            [("error".to_owned(), problem.to_string().into()), ("checks".to_owned(), json!(checks(problem)))];
        return only("failed").into_iter().chain(why).collect();
    }
    let is_done = performed.done.iter().any(|done| std::ptr::eq(*done, step));
    only(if is_done { "done" } else { "not_begun" })
}
