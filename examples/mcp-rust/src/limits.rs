//! Obeys authorization details that limit a token to some tools (RFC 9396): copy this file beside guard.rs.

use std::future::ready;

use axum::http::request::Parts;
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::Value;

use crate::guard::Claims;

/// An object with a type (RFC 9396 §2). A token with anything else among its details is refused.
#[derive(Clone, serde::Deserialize)]
pub struct Detail {
    r#type: String,
    #[serde(default)]
    tools: Value,
}

/// Whatever the tools are, a token gets an error from those that it is not for.
pub fn limited<S: Send + Sync + 'static>(mut tools: ToolRouter<S>) -> ToolRouter<S> {
    for route in tools.map.values_mut() {
        let call = route.call.clone();
        *route = ToolRoute::new_dyn(route.attr.clone(), move |context| match is_for_tool(&context) {
            true => call(context),
            false => {
                let text = ContentBlock::text("the access token is not for this tool");
                Box::pin(ready(Ok(CallToolResult::error(vec![text]).into())))
            }
        });
    }
    tools
}

fn is_for_tool<S>(context: &ToolCallContext<'_, S>) -> bool {
    let parts = context.request_context.extensions.get::<Parts>();
    let claims = parts.and_then(|parts| parts.extensions.get::<Claims>());
    claims.is_some_and(|claims| may_call(&claims.authorization_details, context.name()))
}

/// Whether a token with these details is for a tool: for every one, unless details of the type `mcp_tool` name some.
fn may_call(details: &[Detail], tool: &str) -> bool {
    let mut limits = details.iter().filter(|detail| detail.r#type == "mcp_tool").peekable();
    let names =
        |limit: &Detail| limit.tools.as_array().is_some_and(|tools| tools.iter().any(|name| name == tool));
    limits.peek().is_none() || limits.any(names)
}
