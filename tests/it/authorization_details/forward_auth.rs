//! Forward-auth lets a token with a limit to tools call those tools alone.

use serde_json::{Value, json};

use super::{exchange, payment, start, tools};
use crate::forward_auth_tools::{MAINTAINERS, ask, call, mcp, with_tools};
use crate::harness::{Answer, TestApp};
use crate::metrics::sample;
use crate::reload::private;

async fn token(app: &TestApp, claimed: Value) -> String {
    exchange(app, &claimed, &Value::Null).await.access_token().to_owned()
}

fn assert_refused(answer: &Answer, text: &str) {
    let told = (answer.status, answer.header("www-authenticate"), answer.body.as_str());
    assert_eq!(told, (403, "", format!("{text}\n").as_str()), "{answer:?}");
}

const OTHER: &str = "The access token is limited to other tools.";

/// On a resource without policies about tools: the named tools of all limits, and everything that is no call.
#[tokio::test]
async fn a_limited_token_calls_its_tools_alone() {
    let app = start().await;
    let limited = token(&app, json!([tools(&["read", "a b"]), tools(&["search"]), payment(5)])).await;
    let before = app.written().await;
    for allowed in ["read", "search", "a b", "=?base64?cmVhZA==?="] {
        assert_eq!(call(&app, &limited, allowed).await.status, 200, "{allowed}");
    }
    for other in ["delete", "Read", "read2", "=?base64?ZGVsZXRl?="] {
        assert_refused(&call(&app, &limited, other).await, OTHER);
    }
    for method in ["tools/list", "ping", "resources/read"] {
        assert_eq!(ask(&app, &limited, &mcp(method, "")).await.status, 200, "{method}");
    }
    // It must say what it wants, as where policies decide.
    let headers = "One MCP-Protocol-Version of 2026-07-28 or later, one Mcp-Method and, for a tool, one Mcp-Name \
        are expected.";
    assert_refused(&ask(&app, &limited, &[]).await, headers);
    assert_refused(&ask(&app, &limited, &mcp("tools/run", "read")).await, headers);
    let old = [("mcp-protocol-version", "2025-11-25"), ("mcp-method", "tools/call"), ("mcp-name", "read")];
    assert_refused(&ask(&app, &limited, &old).await, headers);
    assert_eq!(app.written().await, before, "forward-auth writes nothing");
    let text = private(&app, "/metrics").await.body;
    let counted =
        |result: &str| sample(&text, &format!("countersign_forward_auths_total{{result=\"{result}\"}}"));
    assert_eq!((counted("tool_denied"), counted("mcp_headers")), (4.0, 3.0));

    let free = token(&app, json!([payment(5)])).await;
    assert_eq!(ask(&app, &free, &[]).await.status, 200, "another type limits nothing");
}

/// Where the resource has policies about tools, they are asked as well.
#[tokio::test]
async fn policies_about_tools_are_asked_as_well() {
    let rules = with_tools(MAINTAINERS);
    let app = rules.start().await;
    app.change_resource(|resource| resource.tool_policies = true).await;
    let limited = token(&app, json!([tools(&["read", "delete"])])).await;
    assert_eq!(call(&app, &limited, "read").await.status, 200);
    assert_refused(&call(&app, &limited, "delete").await, "Only maintainers delete.");
    assert_refused(&call(&app, &limited, "write").await, OTHER);
}
