//! Limits of a token to some tools (RFC 9396), which each example obeys.

use serde_json::{Value, json};

use super::refusals::Stage;

fn limit(tools: Value) -> Value {
    json!({ "type": "mcp_tool", "tools": tools })
}

/// Whether the tool answered a token with these details; else it said that the token is not for it.
async fn answers(stage: &Stage, details: &Value) -> bool {
    let token = stage.token(json!({ "authorization_details": details }));
    let answer = stage.server.call(Some(&token)).await;
    assert_eq!(answer.status, 200, "{details}: {answer:?}");
    let is_refused = answer.body.contains("the access token is not for this tool");
    assert_eq!(is_refused, answer.body.contains("\"isError\":true"), "{details}: {answer:?}");
    assert_ne!(is_refused, answer.body.contains("acme"), "{details}: {answer:?}");
    !is_refused
}

async fn a_limit_is_obeyed(stage: &Stage) {
    let own = json!({ "type": "mcp_tool", "server": stage.server.url, "locations": [stage.server.url],
        "tools": ["x", "whoami"] });
    for details in [
        json!([]),
        json!([{ "type": "payment" }, { "type": "report", "tools": ["x"] }, { "type": "other", "tools": 3 }]),
        json!([limit(json!(["whoami"]))]),
        json!([own]),
        json!([{ "type": "payment" }, limit(json!(["x"])), limit(json!(["whoami"]))]),
    ] {
        assert!(answers(stage, &details).await, "refused: {details}");
    }
    for details in [
        json!([limit(json!(["x"]))]),
        json!([{ "type": "report", "tools": ["whoami"] }, limit(json!(["x"]))]),
        json!([limit(json!(["who", "whoami2", "Whoami", ""]))]),
    ] {
        assert!(!answers(stage, &details).await, "answered: {details}");
    }
}

async fn malformed_details_allow_nothing(stage: &Stage) {
    for tools in [json!(null), json!([]), json!("whoami"), json!({ "whoami": true }), json!([["whoami"]])] {
        let details = json!([limit(tools)]);
        assert!(!answers(stage, &details).await, "answered: {details}");
    }
    assert!(!answers(stage, &json!([{ "type": "mcp_tool" }])).await, "answered without tools");
    let good = limit(json!(["whoami"]));
    for details in [
        json!(3),
        json!("mcp_tool"),
        good.clone(),
        json!(["mcp_tool", good]),
        json!([null]),
        json!([{ "tools": ["whoami"] }]),
        json!([{ "type": ["mcp_tool"], "tools": ["whoami"] }]),
    ] {
        let token = stage.token(json!({ "authorization_details": details }));
        let answer = stage.server.call(Some(&token)).await;
        stage.assert_challenge(&answer, 401, "invalid_token", &details.to_string());
    }
}

pub async fn are_obeyed(stage: &Stage) {
    a_limit_is_obeyed(stage).await;
    malformed_details_allow_nothing(stage).await;
}
