//! Whether the policies let a token call a tool, or see the list of tools.

use std::fmt;

use axum::http::HeaderMap;

use super::mcp_request::{McpHeaderFault, McpRequest};
use crate::app::App;
use crate::disclosure::{Disclosure, Known};
use crate::model::resource::Resource;
use crate::oauth::error::shown;
use crate::oauth::step_up::StepUp;
use crate::policy::{Denial, Policies, PolicyAnswer, TokenFacts, ToolQuestion, decide_tool};
use crate::revocation::KnownToken;
use crate::shadow::ActualToolDecision;
use crate::store::{StoreError, sign_ins};
use crate::token::ToolAccess;

/// Why a request about tools may not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolRefusal {
    /// Its headers do not say what it wants.
    #[error("cannot tell which tool the request is for: {0}")]
    Headers(#[from] McpHeaderFault),
    /// The token is limited to other tools (RFC 9396).
    #[error("the token's authorization details do not have the tool {}; token id: {token_id}", shown(.tool))]
    NotGranted {
        /// The tool that was called.
        tool: String,
        /// The `jti` of the token.
        token_id: String,
    },
    /// The policies deny it.
    #[error(transparent)]
    Denied(Box<DeniedTool>),
    /// The sign-in that led to the token is no longer in the decision log, or without facts.
    #[error("the decision log does not have the facts of the sign-in that the token came from")]
    SignInUnknown,
    /// Policies name the teamspace by its slug, and the facts of the sign-in have the former one.
    #[error("the teamspace was renamed after the token was issued")]
    Renamed,
    /// Nobody can tell at present.
    #[error("the sign-in that the token came from cannot be read")]
    NotKnowable,
}

/// The policies' no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct DeniedTool {
    /// The text of the policy that denies it, or a neutral one.
    pub message: String,
    /// The sign-in that would lift the refusal.
    pub step_up: Option<StepUp>,
    /// The `jti` of the token, by which the decision log tells whose it is.
    token_id: String,
    answer: PolicyAnswer,
}

impl fmt::Display for DeniedTool {
    /// For the log, which only operators read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (answer, token_id) = (&self.answer, &self.token_id);
        let reasons: Vec<&str> = answer.reasons.iter().map(|reason| reason.as_str()).collect();
        let (action, about) = (answer.action, shown(&answer.resource));
        let (reasons, policies) = (reasons.join(", "), answer.policies.join(", "));
        write!(f, "{action:?} {about} is denied: {reasons}; policies: {policies}; token id: {token_id}")
    }
}

/// Checks that the token is not limited to other tools than the one that the request's headers name (RFC 9396), and asks
/// the policies in force about it where the resource has policies about tools.
pub(super) async fn check_tool(
    app: &App,
    (resource, token): (&Resource, &KnownToken),
    headers: &HeaderMap,
    request_id: &str,
) -> Result<(), ToolRefusal> {
    let request = McpRequest::of(headers)?;
    let question = match &request {
        McpRequest::CallTool(name) => {
            match ToolAccess::of(resource, &token.token.authorization_details, name) {
                ToolAccess::LimitedToOthers => {
                    let (tool, token_id) = (name.clone(), token.token.token_id.clone());
                    return Err(ToolRefusal::NotGranted { tool, token_id });
                }
                ToolAccess::Free => return Ok(()),
                ToolAccess::ByPolicies => ToolQuestion::Call(name),
            }
        }
        McpRequest::ListTools if resource.tool_policies => ToolQuestion::List,
        McpRequest::ListTools | McpRequest::Other => return Ok(()),
    };
    ask_policies(app, token, question, request_id).await
}

async fn ask_policies(
    app: &App,
    token: &KnownToken,
    question: ToolQuestion<'_>,
    request_id: &str,
) -> Result<(), ToolRefusal> {
    if app.snapshot().slug_of(&token.token.teamspace_id).as_ref() != Some(&token.token.teamspace) {
        return Err(ToolRefusal::Renamed);
    }
    let facts = facts_of(app, token).await?;
    let (policies, at) = (app.policies(), app.clock.now());
    let decision = decide_tool(&policies, facts, question, at, &app.policy_cache);
    if let Some(shadow) = &app.shadow {
        let actual = ActualToolDecision {
            policies: &policies,
            facts,
            asked: question,
            decision: &decision,
            token_id: &token.token.token_id,
            teamspace_id: &token.token.teamspace_id,
            request_id,
            at,
        };
        shadow.compare_tool(&actual, &app.policy_cache);
    }
    let Err(denial) = &decision.outcome else { return Ok(()) };
    Err(ToolRefusal::Denied(Box::new(denied(app, token, &policies, (&decision.answer, denial)))))
}

/// The facts of the sign-in that led to the token. They are read once for each token, also if there are none: the log had
/// the row before anybody had the token.
async fn facts_of<'t>(app: &App, token: &'t KnownToken) -> Result<&'t TokenFacts, ToolRefusal> {
    let facts = token.facts.get_or_try_init(|| read_facts(app, token)).await.map_err(|error| {
        tracing::warn!(%error, "cannot read a sign-in for forward-auth; the request is refused with 503");
        ToolRefusal::NotKnowable
    })?;
    facts.as_ref().ok_or(ToolRefusal::SignInUnknown)
}

async fn read_facts(app: &App, known: &KnownToken) -> Result<Option<TokenFacts>, StoreError> {
    let token = &known.token;
    let (teamspace_id, token_id, issued_at) =
        (token.teamspace_id.clone(), token.token_id.clone(), token.issued_at);
    let find = move |c: &mut _| sign_ins::of_token(c, &teamspace_id, (&token_id, issued_at));
    let Some(row) = app.store.read(find).await? else { return Ok(None) };
    match TokenFacts::recorded(&row.facts, &row.policy_set, token.scopes.clone()) {
        Ok(facts) => Ok(Some(facts)),
        Err(error) => {
            tracing::warn!(%error, sign_in = row.id, "cannot read the facts of a sign-in");
            Ok(None)
        }
    }
}

/// The refusal in the words that the caller may see, as the token endpoint would tell it.
fn denied(
    app: &App,
    known: &KnownToken,
    policies: &Policies,
    (answer, denial): (&PolicyAnswer, &Denial),
) -> DeniedTool {
    let (snapshot, token) = (app.snapshot(), &known.token);
    let (mut message, mut step_up) = (denial.neutral.1.to_owned(), None);
    if let Some(teamspace_config) = snapshot.teamspace_config_by_id(&token.teamspace_id) {
        let known = Known { client_id: &token.client_id, scopes: &token.scopes, ..Known::default() };
        let annotations = policies.compiled.annotations();
        let disclosure = Disclosure { snapshot: &snapshot, teamspace_config, known, policies: annotations };
        let public = disclosure.of_denial(denial);
        (message, step_up) = (public.message.to_owned(), public.step_up.cloned());
    }
    DeniedTool { message, step_up, token_id: token.token_id.clone(), answer: answer.clone() }
}
