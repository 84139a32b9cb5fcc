//! Resources.

use axum::http::Method;
use serde_json::json;

use super::harness::Harness;

#[tokio::test]
async fn a_resource_from_beginning_to_end() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    let body = json!({ "identifier": "https://MCP.example.com:443/mcp", "name": "Docs",
        "scopes": [{ "name": "docs.read", "description": "Read" }, { "name": "docs.write" }],
        "default_scopes": ["docs.read"], "teamspaces": null });
    let made = h.operator.post("/resources", body).await.expect(201);
    assert_eq!(made["identifier"], "https://MCP.example.com:443/mcp");
    assert!(h.app.snapshot().resource("https://mcp.example.com/mcp").is_some());
    let path = format!("/resources/{}", made["id"].as_str().unwrap());
    assert_eq!(h.operator.get(&path).await.expect(200), made);
    let patch = json!({ "teamspaces": ["acme"], "scopes": [], "default_scopes": ["any.thing"] });
    let changed = h.operator.patch(&path, patch).await.expect(200);
    assert_eq!((&changed["teamspaces"], &changed["scopes"]), (&json!(["acme"]), &json!([])));
    let changed = h.operator.patch(&path, json!({ "teamspaces": null })).await.expect(200);
    assert_eq!(changed["teamspaces"], json!(null));
    assert_eq!(changed["default_scopes"], json!(["any.thing"]));
    assert_eq!(
        (&changed["required_scopes"], &changed["forward_auth_credentials"], &changed["tool_policies"]),
        (&json!([]), &json!(false), &json!(false))
    );
    let patch =
        json!({ "required_scopes": ["any.thing"], "forward_auth_credentials": true, "tool_policies": true });
    h.operator.patch(&path, patch).await.expect(200);
    let shown = h.operator.get(&path).await.expect(200);
    assert_eq!(
        (&shown["required_scopes"], &shown["forward_auth_credentials"], &shown["tool_policies"]),
        (&json!(["any.thing"]), &json!(true), &json!(true))
    );
    assert_eq!(
        (&changed["dpop_bound_access_tokens"], &shown["dpop_bound_access_tokens"]),
        (&json!(false), &json!(false))
    );
    let changed = h.operator.patch(&path, json!({ "dpop_bound_access_tokens": true })).await.expect(200);
    assert_eq!(
        (&changed["dpop_bound_access_tokens"], &changed["tool_policies"]),
        (&json!(true), &json!(true))
    );
    let changed = h.operator.patch(&path, json!({ "tool_policies": false })).await.expect(200);
    assert_eq!(changed["dpop_bound_access_tokens"], true);
    assert_eq!(
        (&changed["tool_policies"], &changed["forward_auth_credentials"]),
        (&json!(false), &json!(true))
    );
    h.operator.delete(&path).await.expect(204);
    h.operator.delete(&path).await.problem(404, "not_found");
}

#[tokio::test]
async fn unacceptable_values_are_refused() {
    let h = Harness::start().await;
    let taken = json!({ "identifier": "https://taken.example.com", "name": "Taken" });
    h.operator.post("/resources", taken).await.expect(201);
    let good = json!({ "identifier": "https://mcp.example.com/mcp", "name": "Docs" });
    let scope = |name: &str| json!([{ "name": name }]);
    for (name, value, refusal) in [
        ("identifier", json!("https://TAKEN.example.com:443/"), (409, "resource_taken")),
        ("identifier", json!("http://mcp.example.com"), (422, "identifier_invalid")),
        ("identifier", json!("https://mcp.example.com/#x"), (422, "identifier_invalid")),
        ("identifier", json!("https://user@mcp.example.com"), (422, "identifier_invalid")),
        ("identifier", json!(" https://mcp.example.com"), (422, "identifier_invalid")),
        ("identifier", json!("https://mcp.exam\tple.com"), (422, "identifier_invalid")),
        ("identifier", json!("/mcp"), (422, "identifier_invalid")),
        ("identifier", json!("urn:mcp"), (422, "identifier_invalid")),
        ("identifier", json!("https://AUTH.example.com/"), (422, "identifier_invalid")),
        ("name", json!(""), (422, "name_invalid")),
        ("scopes", scope("a b"), (422, "scope_invalid")),
        ("scopes", scope("openid"), (422, "scope_invalid")),
        ("scopes", json!([{ "name": "a" }, { "name": "a" }]), (422, "scope_invalid")),
        ("scopes", json!([{ "name": "a", "surprise": 1 }]), (422, "body_invalid")),
        ("default_scopes", json!(["offline_access"]), (422, "scope_invalid")),
        ("required_scopes", json!(["offline_access"]), (422, "scope_invalid")),
        ("forward_auth_credentials", json!("yes"), (422, "body_invalid")),
        ("tool_policies", json!("yes"), (422, "body_invalid")),
        ("tool_policies", json!(null), (422, "body_invalid")),
        ("dpop_bound_access_tokens", json!("yes"), (422, "body_invalid")),
        ("teamspaces", json!(["absent"]), (422, "teamspace_unknown")),
    ] {
        let mut body = good.clone();
        body[name] = value;
        h.refuses(&h.operator, (Method::POST, "/resources"), Some(body), refusal).await;
    }
    let mut body = good.clone();
    body["scopes"] = scope("docs.read");
    body["default_scopes"] = json!(["docs.write"]);
    let refusal = (422, "default_scope_unknown");
    h.refuses(&h.operator, (Method::POST, "/resources"), Some(body.clone()), refusal).await;
    (body["default_scopes"], body["required_scopes"]) = (json!([]), json!(["docs.write"]));
    let refusal = (422, "required_scope_unknown");
    h.refuses(&h.operator, (Method::POST, "/resources"), Some(body), refusal).await;
    let loopback = json!({ "identifier": "http://127.0.0.1:9000/mcp", "name": "Local" });
    let id = h.operator.post("/resources", loopback).await.expect(201)["id"].as_str().unwrap().to_owned();
    let patch = json!({ "identifier": "https://taken.example.com/" });
    let request = (Method::PATCH, format!("/resources/{id}"));
    h.refuses(&h.operator, (request.0, &request.1), Some(patch), (409, "resource_taken")).await;
}

#[tokio::test]
async fn a_teamspace_sees_what_is_offered_to_it_and_not_to_whom_else() {
    let h = Harness::start().await;
    let (acme, globex) = (h.teamspace("acme").await, h.teamspace("globex").await);
    for (name, teamspaces) in
        [("all", json!(null)), ("acme", json!(["acme"])), ("both", json!(["acme", "globex"]))]
    {
        let identifier = format!("https://{name}.example.com");
        let body = json!({ "identifier": identifier, "name": name, "teamspaces": teamspaces });
        h.operator.post("/resources", body).await.expect(201);
    }
    let seen = globex.get("/resources").await.expect(200);
    let seen = seen["items"].as_array().unwrap();
    assert_eq!(seen.iter().map(|r| &r["name"]).collect::<Vec<_>>(), ["all", "both"]);
    assert_eq!(seen[1]["teamspaces"], json!(["globex"]));
    assert_eq!(acme.get("/resources").await.expect(200)["items"].as_array().unwrap().len(), 3);
    let all = h.operator.get("/resources").await.expect(200);
    let hidden = all["items"].as_array().unwrap().iter().find(|r| r["name"] == "acme").unwrap();
    let path = format!("/resources/{}", hidden["id"].as_str().unwrap());
    globex.get(&path).await.problem(404, "not_found");
    acme.get(&path).await.expect(200);
}
