//! Teamspaces.

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::Harness;
use crate::reload::Rules;

#[tokio::test]
async fn a_teamspace_from_beginning_to_end() {
    let h = Harness::start().await;
    let body = json!({ "slug": "acme", "name": " Acme ", "plan": "enterprise", "member_limit": 3,
        "email_domains": ["ACME.com", "acme.org"] });
    let made = h.operator.post("/teamspaces", body).await.expect(201);
    assert_eq!(made["name"], "Acme");
    assert_eq!(made["email_domains"], json!(["acme.com", "acme.org"]));
    assert_eq!(made["created_at"], "2026-09-21T14:13:20Z");
    assert_eq!(h.operator.get("/teamspaces/acme").await.expect(200), made);

    let changed = h.operator.patch("/teamspaces/acme", json!({ "member_limit": null })).await.expect(200);
    assert_eq!((&changed["member_limit"], &changed["plan"]), (&json!(null), &json!("enterprise")));
    let changed = h.operator.patch("/teamspaces/acme", json!({ "email_domains": [] })).await.expect(200);
    assert_eq!(changed["email_domains"], json!([]));

    assert_eq!(changed["time_zone"], "UTC");
    let changed =
        h.operator.patch("/teamspaces/acme", json!({ "time_zone": "europe/berlin" })).await.expect(200);
    assert_eq!(changed["time_zone"], "Europe/Berlin");
    assert_eq!(h.operator.get("/teamspaces/acme").await.expect(200), changed);

    h.operator.delete("/teamspaces/acme").await.expect(204);
    h.operator.get("/teamspaces/acme").await.problem(404, "not_found");
}

#[tokio::test]
async fn unacceptable_values_are_refused() {
    let h = Harness::start().await;
    h.teamspace("taken").await;
    h.operator.patch("/teamspaces/taken", json!({ "email_domains": ["taken.com"] })).await.expect(200);
    let good = json!({ "slug": "acme", "name": "Acme", "plan": "pro" });
    for (name, value, refusal) in [
        ("slug", json!("taken"), (409, "slug_taken")),
        ("slug", json!("-a"), (422, "slug_invalid")),
        ("slug", json!("a-"), (422, "slug_invalid")),
        ("slug", json!("Acme"), (422, "slug_invalid")),
        ("slug", json!(""), (422, "slug_invalid")),
        ("slug", json!("a".repeat(64)), (422, "slug_invalid")),
        ("slug", json!("a/b"), (422, "slug_invalid")),
        ("name", json!("  "), (422, "name_invalid")),
        ("name", json!("a\nb"), (422, "name_invalid")),
        ("member_limit", json!(-1), (422, "member_limit_invalid")),
        ("member_limit", json!(1.5), (422, "body_invalid")),
        ("email_domains", json!(["TAKEN.com"]), (409, "domain_taken")),
        ("email_domains", json!(["nodot"]), (422, "email_domain_invalid")),
        ("email_domains", json!(["a@b.com"]), (422, "email_domain_invalid")),
        ("email_domains", json!(["b.com", "B.com"]), (422, "email_domain_invalid")),
        ("time_zone", json!("Europe/Paris2"), (422, "time_zone_invalid")),
        ("time_zone", json!("../../etc/passwd"), (422, "time_zone_invalid")),
        ("time_zone", json!(""), (422, "time_zone_invalid")),
    ] {
        let mut body = good.clone();
        body[name] = value.clone();
        h.refuses(&h.operator, (Method::POST, "/teamspaces"), Some(body), refusal).await;
        let (other, patch) = (h.operator.clone(), json!({ name: value }));
        if h.operator.get("/teamspaces/other").await.status == 404 {
            h.teamspace("other").await;
        }
        h.refuses(&other, (Method::PATCH, "/teamspaces/other"), Some(patch), refusal).await;
    }
    let null = json!({ "name": null });
    h.refuses(&h.operator, (Method::PATCH, "/teamspaces/other"), Some(null), (422, "body_invalid")).await;
}

#[tokio::test]
async fn resources_follow_a_slug_and_are_not_inherited() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let body = json!({ "identifier": "https://mcp.example.com", "name": "Docs", "teamspaces": ["acme"] });
    let id = h.operator.post("/resources", body).await.expect(201)["id"].as_str().unwrap().to_owned();
    h.operator.patch("/teamspaces/acme", json!({ "slug": "acme-inc" })).await.expect(200);
    let path = format!("/resources/{id}");
    assert_eq!(acme.get(&path).await.expect(200)["teamspaces"], json!(["acme-inc"]));
    h.operator.delete("/teamspaces/acme-inc").await.expect(204);
    acme.get("/teamspaces").await.problem(401, "unauthorized");
    let next = h.teamspace("acme-inc").await;
    next.get(&path).await.problem(404, "not_found");
    assert_eq!(h.operator.get(&path).await.expect(200)["teamspaces"], json!([]));
}

/// Names a teamspace by itself and by a group, an MCP server, a scope and a client.
const NAMING: &str = r#"@id("acme.rule") @reason("r") @error("access_denied") @message("m")
forbid (principal in Group::"acme/blocked", action == Action::"GrantScope", resource in Teamspace::"acme")
when { resource == Scope::"docs.write" || context.client == Client::"agent" || context.claims.resources.contains(McpServer::"https://mcp.example.com") };"#;

#[tokio::test]
async fn a_slug_that_policies_name_is_not_changed_by_accident() {
    let rules = Rules::shipped_and(NAMING);
    let h = Harness::with_policies(rules.policies()).await;
    h.teamspace("acme").await;
    h.teamspace("globex").await;
    let patch = json!({ "slug": "acme-inc" });
    let refusal = (409, "named_in_policies");
    let told =
        h.refuses(&h.operator, (Method::PATCH, "/teamspaces/acme"), Some(patch.clone()), refusal).await;
    assert_eq!(told["policies"], json!(["acme.rule"]));
    let not_forced = "/teamspaces/acme?force=false";
    h.refuses(&h.operator, (Method::PATCH, not_forced), Some(patch.clone()), refusal).await;
    h.operator.patch("/teamspaces/acme?forc=true", patch.clone()).await.problem(400, "query_invalid");
    // Everything else is changed as before.
    h.operator.patch("/teamspaces/acme", json!({ "slug": "acme", "name": "Acme" })).await.expect(200);
    h.operator.patch("/teamspaces/globex", json!({ "slug": "initech" })).await.expect(200);
    h.operator.patch("/teamspaces/acme?force=true", patch).await.expect(200);
    h.operator.get("/teamspaces/acme-inc").await.expect(200);
}

#[tokio::test]
async fn names_in_policies_that_nothing_has_are_listed() {
    let rules = Rules::shipped_and(NAMING);
    let h = Harness::with_policies(rules.policies()).await;
    let unknown = async || {
        let listed = h.operator.get("/policies").await.expect(200)["unknown_names"].clone();
        let named = |named: &Value| {
            format!("{} {}", named["kind"].as_str().unwrap(), named["name"].as_str().unwrap())
        };
        listed.as_array().unwrap().iter().map(named).collect::<Vec<_>>()
    };
    let all = ["teamspace acme", "resource https://mcp.example.com", "scope docs.write", "client agent"];
    assert_eq!(unknown().await, all);
    let listed = h.operator.get("/policies").await.expect(200);
    assert_eq!(listed["unknown_names"][0]["policies"], json!(["acme.rule"]));
    h.teamspace("acme").await;
    let body = json!({ "identifier": "https://mcp.example.com", "name": "Docs",
        "scopes": [{ "name": "docs.write", "description": "Write" }] });
    let id = h.operator.post("/resources", body).await.expect(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(unknown().await, ["client agent"]);
    h.operator.delete(&format!("/resources/{id}")).await.expect(204);
    h.operator.delete("/teamspaces/acme").await.expect(204);
    assert_eq!(unknown().await, all);
}
