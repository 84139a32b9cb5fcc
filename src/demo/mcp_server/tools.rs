//! The tools, served by rmcp.

use axum::http::request::Parts;
use rmcp::handler::server::tool::Extension;
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::{ErrorData, ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::{Deserialize, Serialize};

use super::CallerToken;

/// The MCP server itself; it has no state, the token says everything.
#[derive(Clone, Copy)]
pub(super) struct Tools;

#[derive(Serialize, schemars::JsonSchema)]
struct ToolCaller {
    sub: String,
    client_id: String,
    teamspace: Option<String>,
    teamspace_id: Option<String>,
    scope: Option<String>,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Summands {
    a: i64,
    b: i64,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Sum {
    sum: i64,
}

#[tool_router]
impl Tools {
    /// Who is calling, as the access token tells it.
    #[tool(annotations(read_only_hint = true))]
    fn whoami(&self, Extension(parts): Extension<Parts>) -> Result<Json<ToolCaller>, ErrorData> {
        // The guard put it there; without it the tool must not guess.
        let token = parts
            .extensions
            .get::<CallerToken>()
            .ok_or_else(|| ErrorData::internal_error("the request was not authenticated", None))?;
        Ok(Json(ToolCaller {
            sub: token.sub.clone(),
            client_id: token.client_id.clone(),
            teamspace: token.teamspace.clone(),
            teamspace_id: token.teamspace_id.clone(),
            scope: token.scope.clone(),
        }))
    }

    /// The sum of two whole numbers.
    #[tool(annotations(read_only_hint = true))]
    fn add(&self, Parameters(Summands { a, b }): Parameters<Summands>) -> Result<Json<Sum>, ErrorData> {
        let sum = a.checked_add(b).ok_or_else(|| ErrorData::invalid_params("the sum is too large", None))?;
        Ok(Json(Sum { sum }))
    }
}

#[tool_handler(
    name = "countersign-demo",
    instructions = "A demo server behind Enterprise-Managed Authorization."
)]
impl ServerHandler for Tools {}
