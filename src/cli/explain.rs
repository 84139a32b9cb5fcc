//! `countersign explain`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::api::api_path;
use super::noun::{ApiBody, InTeamspaceOption, NounOptions, Session, cell, or, read_input};
use super::{CommandResult, End};
use crate::terminal::out;

#[derive(Debug, Args)]
pub(super) struct ExplainCommand {
    #[command(flatten)]
    options: NounOptions,
    #[command(flatten)]
    at: InTeamspaceOption,
    /// A file with the assertion (ID-JAG), or `-` for standard input. It is not used up.
    #[arg(default_value = "-")]
    assertion: PathBuf,
    /// The client that presents it.
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// The `scope` parameter of the request.
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// The `resource` parameter of the request.
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// The `authorization_details` parameter of the request, a JSON array.
    #[arg(long, value_name = "JSON")]
    authorization_details: Option<String>,
    /// The client proves that it has a key (DPoP), also where the assertion names none.
    #[arg(long)]
    key_bound: bool,
    /// Also tell for every other policy why it did not apply.
    #[arg(long)]
    all: bool,
}

impl ExplainCommand {
    pub(super) async fn run(self, config: Option<&Path>) -> CommandResult {
        let assertion = read_input(&self.assertion)?;
        let body = ApiBody::default().with("assertion", Some(assertion.trim()));
        let body = body.with("client_id", Some(self.client_id)).with("scope", self.scope);
        let body = body.with("resource", self.resource).with("key_bound", self.key_bound.then_some(true));
        let details = self.authorization_details.as_deref().map(serde_json::from_str::<Value>).transpose();
        let details = details.map_err(|error| format!("--authorization-details is no JSON: {error}"))?;
        let body = body.with("authorization_details", details);
        let body = body.with("all", self.all.then_some(true)).json();
        let path = api_path(&["teamspaces", &self.at.teamspace, "explain"])?;
        let session = Session::open(&self.options, config).await?;
        let answer = session.api.post(&path, Some(&body)).await;
        let is_json = session.is_json();
        session.close().await;
        let explanation = answer?;
        match is_json {
            true => out::json(&explanation)?,
            false => out::text(text(&explanation)),
        }
        let is_granted = explanation.get("error").is_none_or(Value::is_null);
        Ok(if is_granted { End::Fine } else { End::Finding })
    }
}

// Writing to a String cannot fail, so its results are dropped.

/// The explanation for people.
fn text(explanation: &Value) -> String {
    let mut text = String::new();
    for check in items(explanation, "checks") {
        let mark = match or(check, "outcome", "").as_str() {
            "passed" => '✓',
            "failed" => '✗',
            _ => '·',
        };
        let _ = writeln!(text, "{mark} {}", cell(check, "check"));
    }
    if !items(explanation, "decisions").is_empty() {
        let _ = writeln!(text, "\nPolicies ({}):\n", cell(explanation, "policy_set"));
        items(explanation, "decisions").iter().for_each(|decision| text.push_str(&decided(decision)));
    }
    let others = explanation.get("not_applied").map(|told| items(told, "policies")).unwrap_or_default();
    if !others.is_empty() {
        text.push_str("\nPolicies that did not apply:\n\n");
        others.iter().for_each(|policy| text.push_str(&finding(policy)));
    }
    if let Some(refusal) = explanation.get("error").filter(|refusal| !refusal.is_null()) {
        text.push_str(&refused(refusal));
    }
    if let Some(token) = explanation.get("token").filter(|token| !token.is_null()) {
        let _ = writeln!(text, "\nA token would be issued:\n{token:#}");
    }
    text
}

fn items<'v>(object: &'v Value, name: &str) -> &'v [Value] {
    object.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A question to the policies, its answer, and the part of each policy in it.
fn decided(decision: &Value) -> String {
    let is_allowed = decision.get("allowed").and_then(Value::as_bool) == Some(true);
    let mark = if is_allowed { '✓' } else { '✗' };
    let mut text = format!("{mark} {} {}", cell(decision, "action"), cell(decision, "resource"));
    match or(decision, "reasons", "") {
        reasons if reasons.is_empty() => text.push('\n'),
        reasons => text.push_str(&format!(": {reasons}\n")),
    }
    items(decision, "findings").iter().for_each(|policy| text.push_str(&finding(policy)));
    text
}

/// A policy, and the clause that settled the matter.
fn finding(policy: &Value) -> String {
    let is_matched = policy.get("matched").and_then(Value::as_bool) == Some(true);
    let applies = if is_matched { "applies" } else { "does not apply" };
    let mut text = format!("    {} {} {applies}\n", cell(policy, "effect"), cell(policy, "policy"));
    for clause in items(policy, "clauses") {
        let holds = or(clause, "holds", "error");
        let _ = writeln!(text, "        {} {}: {holds}", cell(clause, "kind"), cell(clause, "text"));
    }
    text
}

fn refused(refusal: &Value) -> String {
    let mut text = format!("\nRefused: {} ({})\n", cell(refusal, "error"), cell(refusal, "reason"));
    for name in ["description", "detail"] {
        match or(refusal, name, "") {
            sentence if sentence.is_empty() => {}
            sentence => text.push_str(&format!("  {sentence}\n")),
        }
    }
    let who = cell(refusal, "who").replace('_', " ");
    let _ = writeln!(text, "  What to do: {} ({who})", cell(refusal, "what_to_do"));
    text
}
