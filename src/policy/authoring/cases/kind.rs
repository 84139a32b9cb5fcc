//! The kinds of cases, and the expectations that fit each.

use super::file::{CaseRow, Expectation};
use super::written::OneOrMore;
use crate::oauth::authorization_details::Detail;
use crate::oauth::error::ErrorCode;

/// The subject of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CaseKind<'r> {
    Exchange,
    /// Saving this issuer.
    Issuer(&'r str),
    /// These actions of the console.
    Console(&'r OneOrMore),
    /// What the token of an exchange is good for.
    Token,
}

impl<'r> CaseKind<'r> {
    /// The kind of a row, by the keys it has.
    pub(super) fn of(row: &'r CaseRow) -> Result<Self, String> {
        let exchanged =
            row.claims.is_some() || row.client.is_some() || row.member.is_some() || row.request.is_some();
        let about_token =
            row.tool.as_ref().is_some_and(|tools| !tools.0.is_empty()) || row.list_tools == Some(true);
        match (&row.configure, &row.console, about_token) {
            (Some(_), Some(_), false) => {
                Err("`configure` and `console` are two cases; write them apart".into())
            }
            (Some(_), _, true) | (_, Some(_), true) => Err(
                "tools (`tool`, `list_tools`) and `configure` or `console` are two cases; write them apart"
                    .into(),
            ),
            (Some(_), None, _) if exchanged => {
                Err("saving an issuer (`configure`) has no claims, client, member or request".into())
            }
            (None, Some(_), _) if exchanged => {
                Err("the console (`console`) has no claims, client, member or request".into())
            }
            (None, None, true) => Ok(Self::Token),
            _ if row.tool.is_some() || row.list_tools.is_some() => {
                Err("it asks about no tool; add `tool = \"NAME\"` or `list_tools = true`".into())
            }
            _ if row.token_scopes.is_some() => {
                Err("`token_scopes` is about tools: add `tool = \"NAME\"` or `list_tools = true`".into())
            }
            (Some(issuer), None, _) => Ok(Self::Issuer(issuer)),
            (None, Some(actions), _) => Ok(Self::Console(actions)),
            (None, None, false) => Ok(Self::Exchange),
        }
    }

    /// Checks that the expectation is possible at all.
    pub(super) fn check(self, expect: &Expectation) -> Result<(), String> {
        let Expectation {
            granted,
            details,
            denied,
            denied_details,
            error,
            reason,
            by,
            provision,
            saved,
            lifetime,
            allowed,
        } = expect;
        let has_denied = denied.is_some() || denied_details.is_some();
        let refusal = error.is_some() || reason.is_some();
        let has_token = granted.is_some() || details.is_some() || lifetime.is_some();
        let exchange = has_token || has_denied || provision.is_some();
        if !refusal && !exchange && by.is_none() && saved.is_none() && allowed.is_none() {
            return Err(
                "nothing is expected: give granted, details, denied, denied_details, error, reason, by, provision, saved, lifetime or allowed"
                    .into(),
            );
        }
        if let Some(problem) = self.grants_nothing().filter(|_| exchange) {
            return Err(problem.into());
        }
        self.check_place(expect)?;
        let agreed = [*provision, *saved, *allowed].contains(&Some(true));
        if refusal && (has_token || agreed) {
            return Err("expects a token or a change, and a refusal".into());
        }
        if let Some(detail) = granted_and_denied(expect) {
            return Err(format!("expects the detail {detail} to be granted, and refused"));
        }
        match error.as_deref().filter(|code| ErrorCode::from_policy(code).is_none()) {
            Some(code) => Err(format!("error `{code}` is not {}", ErrorCode::OF_POLICIES)),
            None => Ok(()),
        }
    }

    /// Checks that `saved` and `allowed` are where they mean something.
    fn check_place(self, expect: &Expectation) -> Result<(), String> {
        if !matches!(self, Self::Issuer(_)) && expect.saved.is_some() {
            return Err("`saved` is about saving an issuer: add `configure = \"<issuer>\"`".into());
        }
        if matches!(self, Self::Exchange | Self::Issuer(_)) && expect.allowed.is_some() {
            return Err(
                "`allowed` is about the console and about tools: add `console = \"<action>\"` or `tool = \"<name>\"`"
                    .into(),
            );
        }
        Ok(())
    }

    /// Why an expectation about a token's content is out of place; none at an exchange.
    fn grants_nothing(self) -> Option<&'static str> {
        match self {
            Self::Exchange => None,
            Self::Issuer(_) => Some(
                "saving an issuer grants, denies and provisions nothing: expect saved, error, reason, by",
            ),
            Self::Console(_) => {
                Some("the console grants and provisions nothing: expect allowed, error, reason, by")
            }
            Self::Token => Some("a tool grants and provisions nothing: expect allowed, error, reason, by"),
        }
    }
}

/// A detail that is expected to be on the token, and to be refused.
fn granted_and_denied(expect: &Expectation) -> Option<&Detail> {
    let granted = expect.details.as_deref().unwrap_or_default();
    let mut denied = expect.denied_details.iter().flatten().map(|denied| &denied.detail);
    denied.find(|detail| granted.contains(detail))
}
