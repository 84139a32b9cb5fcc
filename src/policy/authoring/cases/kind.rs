//! The kinds of cases, and the expectations that fit each.

use super::file::{CaseRow, Expectation};
use crate::oauth::error::ErrorCode;

/// The subject of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CaseKind {
    Exchange,
    Issuer,
    Console,
}

impl CaseKind {
    /// The kind of a row, by the keys it has.
    pub(super) fn of(row: &CaseRow) -> Result<Self, String> {
        let exchanged =
            row.claims.is_some() || row.client.is_some() || row.member.is_some() || row.request.is_some();
        match (row.configure.is_some(), row.console.is_some()) {
            (true, true) => Err("`configure` and `console` are two cases; write them apart".into()),
            (true, false) if exchanged => {
                Err("saving an issuer (`configure`) has no claims, client, member or request".into())
            }
            (false, true) if exchanged => {
                Err("the console (`console`) has no claims, client, member or request".into())
            }
            (true, false) => Ok(Self::Issuer),
            (false, true) => Ok(Self::Console),
            (false, false) => Ok(Self::Exchange),
        }
    }

    /// Checks that the expectation is possible at all.
    pub(super) fn check(self, expect: &Expectation) -> Result<(), String> {
        let Expectation { granted, denied, error, reason, by, provision, saved, lifetime, allowed } = expect;
        let refusal = error.is_some() || reason.is_some();
        let exchange = granted.is_some() || denied.is_some() || provision.is_some() || lifetime.is_some();
        if !refusal && !exchange && by.is_none() && saved.is_none() && allowed.is_none() {
            return Err(
                "nothing is expected: give granted, denied, error, reason, by, provision, saved, lifetime or allowed"
                    .into(),
            );
        }
        if self == CaseKind::Issuer && exchange {
            return Err(
                "saving an issuer grants, denies and provisions nothing: expect saved, error, reason, by"
                    .into(),
            );
        }
        if self == CaseKind::Console && exchange {
            return Err("the console grants and provisions nothing: expect allowed, error, reason, by".into());
        }
        if self != CaseKind::Issuer && saved.is_some() {
            return Err("`saved` is about saving an issuer: add `configure = \"<issuer>\"`".into());
        }
        if self != CaseKind::Console && allowed.is_some() {
            return Err("`allowed` is about the console: add `console = \"<action>\"`".into());
        }
        let agreed = [*provision, *saved, *allowed].contains(&Some(true));
        if refusal && (granted.is_some() || lifetime.is_some() || agreed) {
            return Err("expects a token or a change, and a refusal".into());
        }
        match error.as_deref().filter(|code| ErrorCode::from_policy(code).is_none()) {
            Some(code) => Err(format!("error `{code}` is not {}", ErrorCode::OF_POLICIES)),
            None => Ok(()),
        }
    }
}
