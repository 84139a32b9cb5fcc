//! Decisions about tools at forward-auth.

use serde_json::json;

use super::{counts, differences, only_group, start};
use crate::forward_auth_tools::{MAINTAINERS, ask, call, mcp, with_tools};
use crate::reload::operator;

#[tokio::test]
async fn a_tool_that_would_be_denied_is_told_once_and_still_allowed() {
    let app = start(&with_tools(""), &with_tools(MAINTAINERS)).await;
    app.change_resource(|resource| resource.tool_policies = true).await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    assert_eq!(counts(&app), (1, 0, 0), "the sign-in itself");
    for _ in 0..3 {
        assert_eq!(call(&app, &token, "delete").await.status, 200);
        assert_eq!(call(&app, &token, "read").await.status, 200);
        assert_eq!(ask(&app, &token, &mcp("tools/list", "")).await.status, 200);
        assert_eq!(ask(&app, &token, &mcp("ping", "")).await.status, 200);
    }
    assert_eq!(counts(&app), (4, 1, 0), "each question once");
    let rows = differences(&app).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].teamspace_id.as_deref(), Some("id-of-acme"));
    let facts: serde_json::Value = serde_json::from_str(&rows[0].facts).unwrap();
    assert_eq!(facts["claims"]["email"], "dana@acme.com", "{facts}");
    let (change, policies) = only_group(&app).await;
    assert_eq!(change, "tool delete: allowed → refused: group_required");
    assert_eq!(policies["shadow"], json!(["test.maintainers-delete"]));
    let other = app.granted(json!({})).await.access_token().to_owned();
    assert_eq!(call(&app, &other, "delete").await.status, 200);
    assert_eq!(counts(&app), (6, 2, 0), "another token is asked about again");
}

#[tokio::test]
async fn a_list_that_would_be_shown_is_told_and_still_denied() {
    let unlisted = r#"@id("test.no-list") @reason("unlisted") @error("access_denied") @message("Nobody lists.")
        forbid (principal, action == Action::"ListTools", resource);"#;
    let app = start(&with_tools(unlisted), &with_tools("")).await;
    app.change_resource(|resource| resource.tool_policies = true).await;
    let token = app.granted(json!({})).await.access_token().to_owned();
    assert_eq!(ask(&app, &token, &mcp("tools/list", "")).await.status, 403);
    let (change, _) = only_group(&app).await;
    assert_eq!(change, "list of tools: refused: unlisted → allowed");
    let report = operator(&app, "/policies/shadow").await.json;
    let latest = &report["latest"][0];
    assert_eq!(latest["teamspace"], "acme", "{report}");
    assert_eq!(latest["actual"], json!({ "outcome": "tool_denied", "tool": null, "reasons": ["unlisted"] }));
    assert_eq!(latest["shadow"], json!({ "outcome": "tool_allowed", "tool": null }));
}
