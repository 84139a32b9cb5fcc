//! The report of `policy diff`, in Markdown that is readable as plain text.

use std::fmt::Write as _;

use super::diff_found::DiffFindings;
use super::explain_text::difference;
use crate::policy::authoring::diff::{Direction, Replayed, Widening, WideningExample};
use crate::policy::authoring::edits::{Edits, Loosening};

/// The number of changes that are shown in full; the rest are only counted.
const SHOWN: usize = 20;

// Writing to a String cannot fail, so its results are dropped.

/// The whole report.
pub(super) fn markdown(found: &DiffFindings) -> String {
    let verdict = match (found.widens(), found.solver.as_ref().map(Widening::undecided)) {
        (true, _) => "⚠️ **This change permits something that was not permitted.**",
        (false, Some(None)) => "✅ Proved: this change permits nothing that was not permitted.",
        (false, Some(Some(_))) => "❓ Whether this change widens anything could not be decided.",
        (false, None) if !found.untested.is_empty() => {
            "❓ Whether this change widens anything is not decided."
        }
        (false, None) => "Nothing that was looked at is wider. No solver was asked, so this is no proof.",
    };
    let mut text = format!("## Policies: `{}` → `{}`\n\n{verdict}\n", found.old, found.new);
    text.push_str(&edited(&found.edits));
    text.push_str(&untested(&found.untested));
    if let Some(solver) = &found.solver {
        text.push_str(&solved(solver));
    }
    text.push_str(&replayed("Test cases", "case", &found.cases));
    if let Some(sign_ins) = &found.sign_ins {
        text.push_str(&replayed("Recorded sign-ins", "sign-in", sign_ins));
    }
    text
}

fn edited(edits: &Edits) -> String {
    let mut text = String::new();
    for (what, ids) in [("Added", &edits.added), ("Removed", &edits.removed), ("Changed", &edits.changed)] {
        if !ids.is_empty() {
            let ids: Vec<String> = ids.iter().map(|id| format!("`{id}`")).collect();
            let _ = write!(text, "\n- {what}: {}", ids.join(", "));
        }
    }
    if text.is_empty() { "\nThe policies are the same.\n".to_owned() } else { format!("{text}\n") }
}

fn untested(untested: &[Loosening]) -> String {
    let mut text = String::new();
    for loosening in untested {
        let _ = writeln!(text, "- No case and no recorded sign-in tests {loosening}.");
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}

fn solved(solver: &Widening) -> String {
    let mut text = "\n### Solver\n\n".to_owned();
    if let Some(why) = &solver.unanswered {
        let _ = writeln!(text, "Not asked: {why}.");
        return text;
    }
    text.push_str("| action | permits more | permits less |\n| --- | --- | --- |\n");
    for answer in &solver.actions {
        let (wider, narrower) = (word(&answer.wider), word(&answer.narrower));
        let _ = writeln!(text, "| {} | {wider} | {narrower} |", answer.action.name());
    }
    for answer in &solver.actions {
        let name = answer.action.name();
        if let Direction::Yes(example) = &answer.wider {
            let _ = write!(text, "\n{name} permits more, for example\n{}", shown(example));
        }
        if let Direction::Yes(example) = &answer.narrower {
            let _ = write!(text, "\n{name} permits less, for example\n{}", shown(example));
        }
        for direction in [&answer.wider, &answer.narrower] {
            if let Direction::Undecided(why) = direction {
                let _ = writeln!(text, "\n{name} is undecided: {why}");
            }
        }
    }
    text
}

fn word(direction: &Direction) -> &'static str {
    match direction {
        Direction::No => "no (proved)",
        Direction::Yes(_) => "**yes**",
        Direction::Undecided(_) => "undecided",
    }
}

fn shown(example: &WideningExample) -> String {
    let WideningExample { request, old, new } = example;
    format!("\n```text\n{}\nold: {old}\nnew: {new}\n```\n", request.trim_end())
}

fn replayed(title: &str, noun: &str, replayed: &Replayed) -> String {
    let differing: usize = replayed.changed.iter().map(|changed| changed.count).sum();
    let mut text = format!("\n### {title}\n\n{differing} of {} come out differently.\n", replayed.total);
    if replayed.without_facts > 0 {
        let n = replayed.without_facts;
        let _ = writeln!(
            text,
            "{n} could not be replayed: refused before policies were asked, or without recorded facts."
        );
    }
    for changed in replayed.changed.iter().take(SHOWN) {
        let mark = if changed.widens() { "⚠️ " } else { "" };
        let _ = match changed.count {
            1 => writeln!(text, "\n- {mark}{noun} `{}`", changed.example),
            n => writeln!(text, "\n- {mark}{n} {noun}s, such as `{}`", changed.example),
        };
        text.push_str("  ```text\n");
        changed.differences.iter().for_each(|one| text.push_str(&difference(one)));
        text.push_str("  ```\n");
    }
    if replayed.changed.len() > SHOWN {
        let _ = writeln!(text, "\nand {} kinds more.", replayed.changed.len() - SHOWN);
    }
    text
}
