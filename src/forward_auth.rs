//! Whether a proxy may let a request through to the MCP server behind it: the decision of forward-auth.

mod key_proof;
mod mcp_request;
mod tools;

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::active_token::{Inactive, active_token};
use crate::app::App;
use crate::model::member::Member;
use crate::model::resource::Resource;
use crate::revocation::{KnownToken, LookedAtBy};
use crate::store::{StoreError, members};
pub use key_proof::KeyRefusal;
use key_proof::{check_proof, use_up};
pub use mcp_request::{McpHeaderFault, McpRequest};
use tools::check_tool;
pub use tools::{DeniedTool, ToolRefusal};

/// The message to a caller whose token is limited to other tools.
pub const LIMITED_TO_OTHERS: &str = "The access token is limited to other tools.";

/// The message to a caller whose token lacks a scope that every request needs.
pub const LACKS_SCOPE: &str = "The access token lacks a scope.";

/// The caller of a request that may pass, as the server behind the proxy is told.
pub struct ForwardedCaller {
    /// The token, which is active.
    pub token: Arc<KnownToken>,
    /// The member's email; empty when it cannot be read.
    pub email: String,
    /// The slug that the token's teamspace has now.
    pub teamspace: String,
}

/// Why a request may not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForwardRefusal {
    /// It has no token.
    #[error("no access token")]
    NoToken,
    /// It has several `Authorization` headers, or one that is no token.
    #[error("not one well-formed token")]
    Malformed,
    /// The token does not count.
    #[error("the token is not active: {0}")]
    NotActive(Inactive),
    /// The caller has not shown that it has the token's key.
    #[error(transparent)]
    Key(#[from] KeyRefusal),
    /// The token lacks one of the scopes that every request needs.
    #[error("the token lacks a scope that the resource requires")]
    InsufficientScope,
    /// Nobody can tell at present.
    #[error("{0}")]
    NotKnowable(Inactive),
    /// The policies about tools do not let it through, or its token is limited to other tools.
    #[error(transparent)]
    Tool(#[from] ToolRefusal),
}

/// Decides about one request by its headers. The body and the query are never read. `request_id` is for the log.
pub async fn decide(
    app: &App,
    resource: &Resource,
    headers: &HeaderMap,
    request_id: &str,
) -> Result<ForwardedCaller, ForwardRefusal> {
    let presented = presented(headers)?;
    let token = active_token(app, presented.token, resource).map_err(|inactive| match inactive {
        Inactive::NotKnowable => ForwardRefusal::NotKnowable(inactive),
        _ => ForwardRefusal::NotActive(inactive),
    })?;
    let proof = match (presented.as_bound, token.token.key_thumbprint.as_deref()) {
        (false, None) if resource.dpop_bound_access_tokens => return Err(KeyRefusal::Required.into()),
        (false, None) => None,
        (false, Some(_)) => return Err(KeyRefusal::SentAlone.into()),
        (true, None) => return Err(KeyRefusal::NotBound.into()),
        (true, Some(key)) => Some(check_proof(app, resource, headers, (presented.token, key))?),
    };
    if !resource.is_content_with(&token.token.scopes) {
        return Err(ForwardRefusal::InsufficientScope);
    }
    if resource.tool_policies || token.token.is_limited_to_tools() {
        check_tool(app, (resource, &token), headers, request_id).await?;
    }
    if let Some(proof) = proof {
        use_up(app, &proof)?;
    }
    app.token_uses.count(&token, LookedAtBy::ForwardAuth, app.clock.now());
    // Not the slug in the token: another teamspace may have taken it since.
    let teamspace = app.snapshot().slug_of(&token.token.teamspace_id).unwrap_or_default();
    let email = email_of(app, &token).await;
    Ok(ForwardedCaller { token, email, teamspace })
}

/// A token, and how it came.
struct SentToken<'h> {
    token: &'h str,
    /// With the scheme `DPoP` (RFC 9449 §7.1), not `Bearer`.
    as_bound: bool,
}

/// The token of the only `Authorization` header (RFC 6750 §2.1). A third scheme counts as no token (§3.1).
fn presented(headers: &HeaderMap) -> Result<SentToken<'_>, ForwardRefusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Err(ForwardRefusal::NoToken) };
    if values.next().is_some() {
        return Err(ForwardRefusal::Malformed);
    }
    let value = value.to_str().map_err(|_| ForwardRefusal::Malformed)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let as_bound = scheme.eq_ignore_ascii_case("dpop");
    if !as_bound && !scheme.eq_ignore_ascii_case("bearer") {
        return Err(ForwardRefusal::NoToken);
    }
    let token = token.trim_matches(' ');
    if is_token68(token) { Ok(SentToken { token, as_bound }) } else { Err(ForwardRefusal::Malformed) }
}

/// RFC 9110 §11.2
fn is_token68(text: &str) -> bool {
    let unpadded = text.trim_end_matches('=');
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !unpadded.is_empty() && unpadded.bytes().all(is_allowed)
}

/// The email of the token's member. The token does not have it, so it is read once for each token.
async fn email_of(app: &App, known: &KnownToken) -> String {
    let (teamspace_id, member_id) = (known.token.teamspace_id.clone(), known.token.member_id.clone());
    let read = || async move {
        let found = app.store.read(move |c| members::find(c, &teamspace_id, &member_id)).await?;
        let address = found.as_ref().and_then(Member::address);
        Ok::<_, StoreError>(address.unwrap_or_default().to_owned())
    };
    match known.email.get_or_try_init(read).await {
        Ok(email) => email.clone(),
        Err(error) => {
            tracing::warn!(%error, "cannot read a member's email for forward-auth; the header stays empty");
            String::new()
        }
    }
}
