//! Findings as SARIF 2.1.0, with what GitHub's code scanning asks for.

use std::path::Path;

use serde_json::{Value, json};
use url::Url;

use crate::policy::authoring::check::Findings;
use crate::policy::{PolicyProblem, Rule};

/// Builds one log with one run. Files below `root` are named relative to it, others by their full URL.
pub(super) fn log(findings: &Findings, root: &Path) -> Value {
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "countersign",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": Rule::ALL.iter().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{ "executionSuccessful": !findings.unreadable() }],
            "results": findings.problems.iter().map(|problem| result(problem, root)).collect::<Vec<_>>(),
        }],
    })
}

fn rule(rule: &Rule) -> Value {
    json!({
        "id": rule.name(),
        "shortDescription": { "text": rule.about() },
        "defaultConfiguration": { "level": rule.severity() },
    })
}

fn result(problem: &PolicyProblem, root: &Path) -> Value {
    let message = match &problem.help {
        Some(help) => format!("{}\n{help}", problem.message),
        None => problem.message.clone(),
    };
    let mut result = json!({
        "ruleId": problem.rule.name(),
        "level": problem.rule.severity(),
        "message": { "text": message },
        "locations": [location(problem, root)],
    });
    if let (Some(other), Some(fields)) = (&problem.other, result.as_object_mut()) {
        let mut related = location(other, root);
        if let Some(related) = related.as_object_mut() {
            related.insert("message".to_owned(), json!({ "text": other.message }));
        }
        fields.insert("relatedLocations".to_owned(), json!([related]));
    }
    result
}

fn location(problem: &PolicyProblem, root: &Path) -> Value {
    let region = match &problem.place {
        Some(place) => json!({
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
            "byteOffset": place.span.start,
            "byteLength": place.span.len(),
        }),
        // Code scanning shows nothing that has no line.
        None => json!({ "startLine": 1 }),
    };
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(&problem.file, root) },
        "region": region,
    }})
}

fn uri(file: &Path, root: &Path) -> String {
    let file = root.join(file);
    let url = |path: &Path| Url::from_file_path(path).ok();
    let Some(whole) = url(&file) else { return file.display().to_string() };
    // A directory's URL ends with a slash.
    let relative = Url::from_directory_path(root).ok().and_then(|root| root.make_relative(&whole));
    relative.filter(|relative| !relative.starts_with("../")).unwrap_or_else(|| whole.into())
}
