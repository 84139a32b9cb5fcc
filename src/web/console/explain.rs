//! Explain: what would happen with an assertion, or with a made-up sign-in. Nothing is stored or logged.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use super::answer::{PageError, form_again, page};
use super::check_list::{CheckLine, DecisionLine, check_lines, decision_lines};
use super::fixer_words::who;
use super::form::{Faults, Typed};
use super::page::{Frame, InTeamspacePage, Place};
use super::reason_words::{ReasonWords, reason_words};
use crate::admin::what_if::{Supposed, read_details, suppose};
use crate::app::App;
use crate::exchange::explain::{ExplainRequest, Explanation, explain};
use crate::exchange::what_if::{Answered, SupposedGrant, ToolAnswer, ToolRefused};
use crate::forward_auth::{LACKS_SCOPE, LIMITED_TO_OTHERS};
use crate::oauth::authorization_details::Detail;
use crate::oauth::scope::split_scope;
use crate::policy::ConsoleAction;

#[derive(Template)]
#[template(path = "explain.html")]
struct ExplainPage {
    frame: Frame,
    slug: String,
    asked: AssertionForm,
    supposed: Supposed,
    faults: Faults,
    result: Option<ResultView>,
    providers: Vec<(String, String)>,
    resources: Vec<String>,
}

/// An assertion, and the request that would come with it. The assertion is never shown again.
#[derive(Default, Deserialize)]
pub struct AssertionForm {
    #[serde(default)]
    assertion: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    resource: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    authorization_details: String,
    /// `true` if the client would prove that it has a key.
    #[serde(default)]
    key_bound: String,
}

/// An answer.
struct ResultView {
    refused: Option<RefusalView>,
    /// Empty for a sign-in that was thought up.
    checks: Vec<CheckLine>,
    decisions: Vec<DecisionLine>,
    /// The scopes of the token.
    scopes: String,
    /// Its authorization details, each as JSON.
    details: Vec<String>,
    tool: Option<ToolView>,
    /// The token's claims, as JSON.
    token: String,
    policy_set: String,
    /// A remark about the answer as a whole.
    remark: &'static str,
}

/// Whether the token could call a tool.
struct ToolView {
    name: String,
    /// The message that the caller would get; none if the call would pass.
    refused: Option<String>,
    /// The reason that policies give.
    reason: Option<String>,
    decisions: Vec<DecisionLine>,
}

struct RefusalView {
    reason: String,
    words: ReasonWords,
    who: String,
    detail: String,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/t/{slug}/explain", get(show).post(explain_assertion))
        .route("/t/{slug}/explain/what-if", post(what_if))
}

/// `GET /t/{slug}/explain`
async fn show(at: InTeamspacePage) -> Result<Response, PageError> {
    at.may(ConsoleAction::Explain)?;
    page(&ExplainPage::new(&at))
}

/// `POST /t/{slug}/explain`
async fn explain_assertion(
    at: InTeamspacePage,
    Typed(form): Typed<AssertionForm>,
) -> Result<Response, PageError> {
    at.may(ConsoleAction::Explain)?;
    let mut template = ExplainPage::new(&at);
    let assertion = form.assertion.trim().to_owned();
    template.asked = AssertionForm { assertion: String::new(), ..form };
    let asked = &template.asked;
    if assertion.is_empty() {
        template.faults.add("assertion", "Paste an assertion: three parts with dots between them.");
    }
    if asked.client_id.trim().is_empty() {
        template.faults.add("client_id", "Enter the id of the client that would send it.");
    }
    let scope = match asked.scope.trim() {
        "" => Ok(None),
        scope => split_scope(scope).map(Some),
    };
    let Ok(scope) = scope else {
        template.faults.add("scope", "Scopes are words with spaces between them.");
        return form_again(&template);
    };
    let details = read_details(&asked.authorization_details).unwrap_or_else(|text| {
        template.faults.add("authorization_details", text);
        None
    });
    if !template.faults.is_empty() {
        return form_again(&template);
    }
    let _place = at.enter_heavy()?;
    let resource = Some(asked.resource.trim().to_owned()).filter(|resource| !resource.is_empty());
    let resource: Vec<String> = resource.into_iter().collect();
    let asked = ExplainRequest {
        assertion: &assertion,
        client_id: asked.client_id.trim(),
        scope: scope.as_deref(),
        resource: &resource,
        details: details.as_deref(),
        key_bound: asked.key_bound == "true",
        teamspace_id: Some(&at.teamspace_config().teamspace.id),
        confined: !at.is_operator(),
        all: false,
    };
    let explanation = explain(&at.app, &asked).await;
    template.result = Some(ResultView::of_assertion(explanation));
    page(&template)
}

/// `POST /t/{slug}/explain/what-if`
async fn what_if(at: InTeamspacePage, Typed(form): Typed<Supposed>) -> Result<Response, PageError> {
    let mut template = ExplainPage::new(&at);
    match suppose(&at, &form).await? {
        Ok(answered) => template.result = Some(ResultView::of_supposition(answered)),
        Err(fault) => template.faults.add(fault.field, fault.text),
    }
    template.supposed = form;
    if template.faults.is_empty() { page(&template) } else { form_again(&template) }
}

impl ExplainPage {
    fn new(at: &InTeamspacePage) -> Self {
        let config = at.teamspace_config();
        let slug = config.teamspace.slug.clone();
        let snapshot = at.app.snapshot();
        let offered = snapshot.resources().filter(|resource| resource.is_published_to(&slug));
        Self {
            frame: at.frame(Place::Explain),
            asked: AssertionForm::default(),
            supposed: Supposed::default(),
            faults: Faults::default(),
            result: None,
            providers: config.identity_providers.iter().map(|p| (p.id.clone(), p.name.clone())).collect(),
            resources: offered.map(|resource| resource.identifier.clone()).collect(),
            slug,
        }
    }
}

impl ResultView {
    fn of_assertion(explanation: Explanation) -> Self {
        let refused = explanation.error.map(|error| RefusalView::of(error.reason.as_str(), error.detail));
        let token = explanation.token.as_ref().map(|token| format!("{token:#}")).unwrap_or_default();
        Self {
            refused,
            checks: check_lines(&explanation.checks),
            decisions: decision_lines(explanation.decisions),
            scopes: String::new(),
            details: Vec::new(),
            tool: None,
            token,
            policy_set: explanation.policy_set,
            remark: "Nothing was redeemed or stored. The assertion is not kept: paste it again to ask once more.",
        }
    }

    fn of_supposition(answered: Answered) -> Self {
        let (granted, refused) = match answered.outcome {
            Ok(granted) => (Some(granted), None),
            Err((reason, message)) => (None, Some(RefusalView::of(reason.as_str(), message))),
        };
        let SupposedGrant { scopes, details, tool } = granted.unwrap_or_default();
        Self {
            refused,
            checks: Vec::new(),
            decisions: decision_lines(answered.decisions),
            scopes: scopes.join(" "),
            details: details.iter().map(Detail::to_string).collect(),
            tool: tool.map(ToolView::of),
            token: String::new(),
            policy_set: answered.policy_set,
            remark: match answered.is_member {
                true => "The email is a member's. Claims that are not in the form count as absent.",
                false => {
                    "Nobody has this email here: it would be a first sign-in. Claims that are not in the form count as absent."
                }
            },
        }
    }
}

impl ToolView {
    fn of(answer: ToolAnswer) -> Self {
        let (refused, reason) = match answer.outcome {
            Ok(()) => (None, None),
            Err(ToolRefused::LacksScope) => (Some(LACKS_SCOPE.to_owned()), None),
            Err(ToolRefused::LimitedToOthers) => (Some(LIMITED_TO_OTHERS.to_owned()), None),
            Err(ToolRefused::Denied { reason, message }) => (Some(message), Some(reason.as_str().to_owned())),
        };
        let decisions = decision_lines(answer.decision.into_iter().collect());
        Self { name: answer.tool, refused, reason, decisions }
    }
}

impl RefusalView {
    fn of(reason: &str, detail: String) -> Self {
        let detail = if detail == reason { String::new() } else { detail };
        Self { reason: reason.to_owned(), words: reason_words(reason), who: who(reason), detail }
    }
}
