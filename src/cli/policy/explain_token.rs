//! `countersign policy explain SIGN-IN --tool NAME`: what the token of a sign-in is good for.

use clap::Args;
use serde_json::json;

use super::Format;
use super::explain_text as text;
use crate::cli::{CommandResult, End};
use crate::oauth::scope::split_scope;
use crate::policy::{Policies, TokenFacts, ToolQuestion};
use crate::store::sign_ins::SignIn;
use crate::terminal::out::{self, say};

/// A question about a token.
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// Ask whether the sign-in's token may call the tool with this name.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["assertion", "tests"])]
    tool: Option<String>,
    /// Ask whether the sign-in's token may list the tools.
    #[arg(long, conflicts_with_all = ["assertion", "tests", "tool"])]
    list_tools: bool,
}

impl TokenArgs {
    /// The question, if there is one.
    pub(super) fn question(&self) -> Option<ToolQuestion<'_>> {
        match &self.tool {
            Some(name) => Some(ToolQuestion::Call(name)),
            None => self.list_tools.then_some(ToolQuestion::List),
        }
    }
}

/// Answers as right after the sign-in.
pub(super) fn explain_token(
    row: &SignIn,
    asked: ToolQuestion<'_>,
    policies: &Policies,
    all: bool,
    format: Format,
) -> CommandResult {
    if row.token_id.is_empty() {
        return Err(format!("sign-in {} was refused, so there is no token to ask about", row.id).into());
    }
    let scopes = split_scope(&row.scopes_granted).map_err(|_| "the row's scopes cannot be read")?;
    let token = TokenFacts::recorded(&row.facts, &*row.policy_set, scopes)
        .map_err(|_| format!("the facts of sign-in {} were not recorded", row.id))?;
    let (explained, _) = token.explain(policies, asked, row.at);
    let allowed = explained.answer.allowed;
    let not_applied = all.then(|| token.not_applied(policies, asked, row.at, &explained));
    let decisions = [explained];
    match format {
        Format::Json => {
            let told = json!({
                "sign_in": text::sign_in(row), "policy_set": policies.hash, "decisions": decisions,
            });
            out::json(text::with_not_applied(told, not_applied.as_ref())?)?;
        }
        Format::Human => {
            out::text(text::sign_in_head(row));
            say!("\nOf its token, under policy set {}:\n", policies.hash);
            out::text(text::decisions(&decisions));
            not_applied.iter().for_each(|told| out::text(format_args!("\n{}", text::not_applied(told))));
        }
    }
    Ok(if allowed { End::Fine } else { End::Finding })
}
