//! A rule changes while the service runs: written, tested, in force, explained.

use std::path::Path;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::identity_provider::DemoPerson;
use super::narrator::Narrator;
use super::tour::{Tour, text};
use super::{CLIENT, DemoError};
use crate::policy::authoring::cases;
use crate::policy::{CompiledPolicies, PolicySource};

/// The file of the rule, in the directory of the policies.
const FILE: &str = "tools-call.cedar";
const RULE: &str = r#"@id("demo.tools-call-needs-operators")
@reason("group_required")
@error("invalid_scope")
@message("tools.call is for the group operators.")
forbid (principal, action == Action::"GrantScope", resource in Teamspace::"acme")
when { resource == Scope::"tools.call" }
unless { principal in Group::"acme/operators" };
"#;
const CASES: &str = r#"[server.demo]
identifier = "https://mcp.example.com/mcp"
scopes = ["tools.call"]

[teamspace.acme]
plan = "enterprise"
issuer = "https://idp.example.com"
servers = ["https://mcp.example.com/mcp"]

[claims.dana]
email = "dana@acme.example"
scope = "tools.call"

[[test]]
name = "tools.call is for operators"
teamspace = "acme"
claims = "dana"
each = [
  { name = "an operator", claims = { groups = ["operators"] }, expect = { granted = ["tools.call"] } },
  { name = "somebody else", claims = { groups = [] }, expect = { reason = "group_required" } },
]
"#;
/// How long the service may take to notice a file.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same person and request, before the rule, under it, and in the group that it asks for.
pub(super) async fn live_policy(
    tour: &Tour<'_>,
    dana: DemoPerson,
    narrator: &mut Narrator,
) -> Result<(), DemoError> {
    let dir = &tour.stage.policy_dir;
    let (status, body) = sign_in(tour).await?;
    narrator.step("Dana asks for tools.call, and gets it", status == StatusCode::OK, &scope_of(&body));

    let before = in_force(tour).await?;
    std::fs::create_dir_all(dir.join("tests"))?;
    std::fs::write(dir.join("tests/tools-call.toml"), CASES)?;
    std::fs::write(dir.join(FILE), RULE)?;
    narrator.say(&format!("A rule is written to {}:", dir.join(FILE).display()));
    narrator.quote(RULE);
    let (passed, all) = test(dir, &tour.stage.schema_file)?;
    let shown = json!({ "passed": passed, "cases": all });
    narrator.step(
        "countersign policy test: the rule does what its cases say",
        all > 0 && passed == all,
        &shown,
    );
    let now = new_set(tour, &before).await?;
    let shown = json!({ "before": before, "now": now });
    narrator.step("the service has noticed the file: another policy set is in force", now != before, &shown);

    let (status, body) = sign_in(tour).await?;
    let refused = status == StatusCode::BAD_REQUEST && text(&body, "error") == "invalid_scope";
    narrator.refusal("Dana asks for the same again", refused, &body);
    let explained = explain(tour).await?;
    let told = explained.to_string();
    let names = told.contains("group_required") && told.contains("demo.tools-call-needs-operators");
    narrator.step("explain says which rule, and which of its clauses", names, &explained);

    tour.stage.acme.1.add_person(DemoPerson { groups: vec!["operators".to_owned()], ..dana });
    let (status, body) = sign_in(tour).await?;
    let granted = status == StatusCode::OK;
    narrator.step("Dana joins the group operators at her company, and gets it", granted, &scope_of(&body));
    Ok(())
}

async fn sign_in(tour: &Tour<'_>) -> Result<(StatusCode, Value), DemoError> {
    let (_, id_jag) = tour.id_jag_for(&tour.stage.acme.0, "dana", "tools.call").await?;
    tour.exchange(text(&id_jag, "access_token")).await
}

fn scope_of(body: &Value) -> Value {
    body.get("scope").map_or_else(|| body.clone(), |scope| json!({ "scope": scope }))
}

/// The hash of the policy set in force.
async fn in_force(tour: &Tour<'_>) -> Result<String, DemoError> {
    let policies = tour.admin(Method::GET, "/policies", Value::Null).await?;
    Ok(text(&policies, "hash").to_owned())
}

/// The hash of the next policy set; the same one if none came.
async fn new_set(tour: &Tour<'_>, before: &str) -> Result<String, DemoError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = in_force(tour).await?;
        if now != before || Instant::now() > deadline {
            return Ok(now);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// The cases that pass, and all of them: what `countersign policy test` says.
fn test(dir: &Path, schema: &Path) -> Result<(usize, usize), DemoError> {
    let validated = PolicySource::read(dir, schema)?.validate()?;
    let compiled = CompiledPolicies::compile(&validated.set, &validated.schema, validated.declared.clone())?;
    let cases = cases::read(dir.join("tests"))?;
    let passed = cases.iter().filter(|case| cases::run(&compiled, case).failures.is_empty()).count();
    Ok((passed, cases.len()))
}

/// The refusal as administrators see it: the reason, the rule, and the clauses with their values.
async fn explain(tour: &Tour<'_>) -> Result<Value, DemoError> {
    let (_, id_jag) = tour.id_jag_for(&tour.stage.acme.0, "dana", "tools.call").await?;
    let body = json!({ "assertion": text(&id_jag, "access_token"), "client_id": CLIENT.0 });
    let explained = tour.admin(Method::POST, "/teamspaces/acme/explain", body).await?;
    let decisions = explained.get("decisions").and_then(Value::as_array).cloned().unwrap_or_default();
    let denied = decisions.iter().find(|decision| decision.get("allowed") == Some(&json!(false)));
    let findings = denied.and_then(|denied| denied.get("findings")).and_then(Value::as_array);
    let rule = findings.into_iter().flatten().find(|finding| text(finding, "effect") == "forbid");
    let rule = rule.cloned().unwrap_or_default();
    let clauses = rule.get("clauses").and_then(Value::as_array).cloned().unwrap_or_default();
    let clauses: Vec<String> = clauses.iter().map(clause).collect();
    Ok(
        json!({ "reason": explained.pointer("/error/reason"), "policy": rule.get("policy"), "clauses": clauses.join("; ") }),
    )
}

/// A clause and whether it holds.
fn clause(clause: &Value) -> String {
    let holds = match clause.get("holds").and_then(Value::as_bool) {
        Some(true) => "holds",
        Some(false) => "does not hold",
        None => "cannot be evaluated",
    };
    format!("{} {{ {} }} {holds}", text(clause, "kind"), text(clause, "text"))
}
