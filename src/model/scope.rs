//! Which scopes can be granted at all; each of them is then decided by policy.

use super::resource::Resource;
use crate::oauth::error::{Reason, TokenError, shown};
use crate::oauth::scope::{Candidates, is_never_granted};

/// Where scopes come from.
pub struct ScopeRequest<'a> {
    /// The assertion's scope claim; none when there is no such claim.
    pub claimed: Option<&'a [String]>,
    /// The request's scope parameter.
    pub requested: Option<&'a [String]>,
    /// The teamspace's setting; none when it is blank.
    pub setting: Option<&'a [String]>,
    pub resource: &'a Resource,
}

impl ScopeRequest<'_> {
    /// The bound is the teamspace's setting, else the assertion's scopes, else, when it has no scope
    /// claim, the resource's defaults; within it, what the request asks for. A request cannot widen it.
    pub fn candidates(&self) -> Result<Candidates, TokenError> {
        self.check_claimed()?;
        let (bound, outside) = match (self.setting, self.claimed) {
            (Some(setting), _) => (setting, Reason::SCOPE_NOT_IN_SETTING),
            (None, Some(claimed)) => (claimed, Reason::SCOPE_NOT_AUTHORIZED),
            (None, None) => (self.resource.default_scopes.as_slice(), Reason::SCOPE_NOT_AUTHORIZED),
        };
        let asked_for = self.requested.or(self.claimed).unwrap_or_default();
        let mut candidates = Candidates {
            asked: asked_for.iter().any(|scope| !is_never_granted(scope)),
            ..Candidates::default()
        };
        for scope in self.requested.unwrap_or(bound) {
            if is_never_granted(scope) || !self.resource.has_scope(scope) {
                candidates.refused.push((scope.clone(), Reason::SCOPE_UNKNOWN));
            } else if bound.contains(scope) {
                candidates.scopes.push(scope.clone());
            } else {
                candidates.refused.push((scope.clone(), outside.clone()));
            }
        }
        self.note_dropped(bound, &outside, &mut candidates);
        Ok(candidates)
    }

    /// EMA §7.6.2: an authorized scope that the resource does not know is a fault of the assertion, where that
    /// scope would be used: where no setting replaces it, and the request does not ask for less.
    fn check_claimed(&self) -> Result<(), TokenError> {
        if self.setting.is_some() {
            return Ok(());
        }
        let used = |scope: &String| self.requested.is_none_or(|requested| requested.contains(scope));
        let unknown =
            |scope: &&String| used(scope) && !is_never_granted(scope) && !self.resource.has_scope(scope);
        match self.claimed.unwrap_or_default().iter().find(unknown) {
            None => Ok(()),
            Some(scope) => Err(TokenError::invalid_grant(
                Reason::SCOPE_UNKNOWN,
                "The assertion authorizes a scope that the resource does not have: the identity provider has to use its names.",
            )
            .detail(format!("scope {}", shown(scope)))),
        }
    }

    /// The scopes that the identity provider authorized and the teamspace's setting leaves out, for the log.
    fn note_dropped(&self, bound: &[String], outside: &Reason, candidates: &mut Candidates) {
        if self.requested.is_some() {
            return;
        }
        for scope in self.claimed.unwrap_or_default() {
            if !bound.contains(scope) {
                candidates.refused.push((scope.clone(), outside.clone()));
            }
        }
    }
}
