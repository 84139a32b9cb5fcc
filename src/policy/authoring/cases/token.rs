//! Cases about tools: what the holder of a token may do.

use super::file::CaseRow;
use crate::policy::ToolQuestion;
use crate::policy::facts::Facts;

/// The questions about one token.
#[derive(Debug, Clone)]
pub(super) struct TokenQuestions {
    /// As they are at the call.
    pub facts: Facts,
    tools: Vec<String>,
    lists: bool,
}

impl TokenQuestions {
    /// The questions of a case about the token of a sign-in. Unless the case states its scopes, it has all that the
    /// sign-in could be granted.
    pub(super) fn of(row: &CaseRow, sign_in: Facts) -> Result<Self, String> {
        let tools = row.tool.clone().unwrap_or_default().0;
        if tools.iter().any(String::is_empty) {
            return Err("`tool` has an empty name".to_owned());
        }
        let stated = row.token_scopes.clone().map(|scopes| scopes.0);
        let scopes = stated.unwrap_or_else(|| sign_in.candidates.scopes.clone());
        Ok(Self { facts: sign_in.of_token(scopes), tools, lists: row.list_tools == Some(true) })
    }

    pub(super) fn each(&self) -> impl Iterator<Item = ToolQuestion<'_>> {
        let list = self.lists.then_some(ToolQuestion::List);
        list.into_iter().chain(self.tools.iter().map(|name| ToolQuestion::Call(name)))
    }
}
