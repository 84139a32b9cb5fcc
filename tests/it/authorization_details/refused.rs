//! Details that cannot be processed: each refuses, and none is ignored.

use serde_json::{Value, json};

use super::{REPORT, exchange, payment, refused, start, tools};
use crate::harness::{RESOURCE, TestApp};

const MALFORMED: &str = "authorization_details_malformed";
const UNKNOWN: &str = "authorization_details_type_unknown";
const UNFIT: &str = "authorization_details_unfit";
const ELSEWHERE: &str = "authorization_details_elsewhere";

/// What is wrong, with its reason.
fn bad() -> Vec<(Value, &'static str)> {
    let long = "x".repeat(5000);
    let names: Vec<String> = (0..65).map(|n| format!("tool-{n}")).collect();
    let tool = |change: Value| {
        let mut detail = tools(&["a"]);
        detail.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!([detail])
    };
    let at = |place: &str| tool(json!({ "locations": [place] }));
    let mut deep = json!("bottom");
    for _ in 0..20 {
        deep = json!([deep]);
    }
    let mut all = vec![
        (json!([]), MALFORMED),
        (json!("x"), MALFORMED),
        (json!(7), MALFORMED),
        (json!(tools(&["a"])), MALFORMED),
        (json!([tools(&["a"]), "x"]), MALFORMED),
        (json!([null]), MALFORMED),
        (json!([{}]), MALFORMED),
        (json!([{ "actions": ["read"] }]), MALFORMED),
        (json!([{ "type": 7 }]), MALFORMED),
        (json!([{ "type": "" }]), MALFORMED),
        (json!(vec![tools(&["a"]); 17]), MALFORMED),
        (json!([{ "type": "payment", "x": long }]), MALFORMED),
        (json!([{ "type": REPORT, "identifier": 7 }]), MALFORMED),
        (json!([{ "type": REPORT, "identifier": null }]), MALFORMED),
        (json!([{ "type": "urn:example:unknown" }]), UNKNOWN),
        (json!([tools(&["a"]), { "type": "Payment" }]), UNKNOWN),
        (json!([{ "type": "mcp_tool" }]), UNFIT),
        (tool(json!({ "tools": [] })), UNFIT),
        (tool(json!({ "tools": "a" })), UNFIT),
        (tool(json!({ "tools": ["a", "a"] })), UNFIT),
        (tool(json!({ "tools": ["a", 7] })), UNFIT),
        (tool(json!({ "tools": [""] })), UNFIT),
        (tool(json!({ "tools": ["é".repeat(300)] })), UNFIT),
        (tool(json!({ "tools": names })), UNFIT),
        (tool(json!({ "actions": ["read"] })), UNFIT),
        (tool(json!({ "server": 7 })), UNFIT),
        (json!([{ "type": "payment" }]), UNFIT),
        (json!([payment(1001)]), UNFIT),
        (json!([{ "type": "payment", "amount": { "value": 1, "currency": "euro" } }]), UNFIT),
        (tool(json!({ "server": "https://mcp.example.com/other" })), ELSEWHERE),
        (tool(json!({ "server": format!("{RESOURCE}/") })), ELSEWHERE),
        (json!([{ "type": REPORT, "locations": [RESOURCE, "https://other.example.com/mcp"] }]), ELSEWHERE),
    ];
    for name in ["locations", "actions", "datatypes", "privileges"] {
        for value in [json!("x"), json!(["x", 7]), json!({}), json!(null)] {
            all.push((json!([{ "type": REPORT, (name): value }]), MALFORMED));
        }
    }
    for place in [
        "",
        "mcp",
        "https://mcp.example.com",
        "https://mcp.example.com/",
        "https://mcp.example.com/mcp2",
        "https://mcp.example.com/MCP",
        "https://mcp.example.com:8443/mcp",
        "http://mcp.example.com/mcp",
        "https://user@mcp.example.com/mcp/a",
        "https://mcp.example.com/mcp/../admin",
        "https://mcp.example.com/mcp/%2e%2e/admin",
        "https://mcp.example.com/mcp/..%2Fadmin",
        "https://mcp.example.com/mcp/..;/admin",
        "https://mcp.example.com/mcp/a\\b",
        "https://mcp.example.com/mcp/a?b",
        "https://mcp.example.com/mcp?x=/mcp/",
        "https://mcp.example.com/mcp#a",
        "https://mcp.example.com.evil.example/mcp",
        "//mcp.example.com/mcp",
    ] {
        all.push((at(place), ELSEWHERE));
    }
    all
}

/// JAG-18: details of the assertion are never ignored. Null counts as no claim.
#[tokio::test]
async fn bad_details_refuse_the_assertion() {
    let app = start().await;
    for (details, reason) in bad() {
        refused(&app, (details, Value::Null), ("invalid_grant", reason)).await;
    }
    // Also where the request would replace them.
    let claimed = json!([{ "type": "urn:example:unknown" }]);
    refused(&app, (claimed, json!([tools(&["a"])])), ("invalid_grant", UNKNOWN)).await;
    let elsewhere = json!({ "_claim_names": { "authorization_details": "src1" } });
    app.refused(elsewhere, "invalid_grant", "claim_malformed").await;
}

/// GRT-10, TOK-07: RFC 9396 §5. The assertion stays good: one serves all of them.
#[tokio::test]
async fn bad_details_refuse_the_request() {
    let app = start().await;
    let assertion = app.assertion(json!({}));
    let bad: Vec<(String, &str)> =
        bad().into_iter().map(|(details, reason)| (details.to_string(), reason)).collect();
    let texts = [
        r#"[{"type":"x","type":"y"}]"#,
        r#"[{"type":"mcp_tool","tools":["a"]}] "x""#,
        r#"[{"type":"mcp_tool","tools":["a"]"#,
        "null",
        "x",
    ];
    let deep = format!("[{{\"type\":\"payment\",\"x\":{}{}}}]", "[".repeat(40), "]".repeat(40));
    let more = texts.iter().map(|text| ((*text).to_owned(), MALFORMED)).chain([(deep, MALFORMED)]);
    for (details, reason) in bad.into_iter().chain(more) {
        let before = app.written().await;
        let answer = app.exchange_with(&assertion, &[("authorization_details", &details)]).await;
        app.assert_refused(&answer, before, 400, "invalid_authorization_details", reason).await;
    }
    assert_eq!(app.exchange(&assertion).await.status, 200, "no refusal has used it up");
}

/// The request's details are within the resource that the request chooses.
#[tokio::test]
async fn locations_are_those_of_the_granted_resource() {
    let app = start().await;
    let other = "https://other.example.com/mcp";
    app.put_resource(crate::harness::resource(other, &["docs.read"])).await;
    let details = json!([{ "type": REPORT, "locations": [format!("{RESOURCE}/reports/7")] }]).to_string();
    let claims = json!({ "resource": [RESOURCE, other], "authorization_details": serde_json::from_str::<Value>(&details).unwrap() });
    let assertion = app.assertion(claims);
    let before = app.written().await;
    let answer = app.exchange_with(&assertion, &[("resource", other)]).await;
    app.assert_refused(&answer, before, 400, "invalid_grant", ELSEWHERE).await;
    let answer = app.exchange_with(&assertion, &[("resource", RESOURCE)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Without a configured type, the built-in one is known and no other.
#[tokio::test]
async fn an_unregistered_type_is_unknown() {
    let app = TestApp::start().await;
    refused(&app, (json!([payment(1)]), Value::Null), ("invalid_grant", UNKNOWN)).await;
    assert_eq!(exchange(&app, &json!([tools(&["a"])]), &Value::Null).await.status, 200);
}
