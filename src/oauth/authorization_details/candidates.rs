//! Which details can be granted at all; each of them is then decided by policy.

use serde::{Deserialize, Serialize};

use super::detail::Detail;

/// A detail that policies decide.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DetailCandidate {
    /// The detail.
    pub detail: Detail,
    /// Whether the assertion has it: equal, or as a limit to tools that allows at least these.
    pub authorized: bool,
}

/// The details to be decided, and those that are out already.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DetailCandidates {
    /// The details that policies decide, without repetition, in the order of the answer.
    pub decided: Vec<DetailCandidate>,
    /// Limits to tools that go beyond the assertion's: refused whatever policies say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Detail>,
    /// Whether the request has the parameter.
    pub requested: bool,
}

impl DetailCandidates {
    /// The request's details, which narrow, or else the assertion's. A limit to tools in the assertion is a restriction: a
    /// request that has none of its own keeps it. None where neither has details.
    pub fn of(claimed: &[Detail], requested: Option<&[Detail]>) -> Option<Box<Self>> {
        if claimed.is_empty() && requested.is_none() {
            return None;
        }
        let limits: Vec<&Detail> = claimed.iter().filter(|detail| detail.is_tool_limit()).collect();
        let limits_itself = requested.is_some_and(|details| details.iter().any(Detail::is_tool_limit));
        let kept = limits.iter().copied().filter(|_| requested.is_some() && !limits_itself);
        let mut all = Self { decided: Vec::new(), refused: Vec::new(), requested: requested.is_some() };
        for detail in requested.unwrap_or(claimed).iter().chain(kept) {
            let authorized = match detail.is_tool_limit() {
                true => {
                    detail.tools().all(|tool| limits.iter().any(|limit| limit.tools().any(|t| t == tool)))
                }
                false => claimed.contains(detail),
            };
            all.add(detail, authorized, !limits.is_empty());
        }
        Some(Box::new(all))
    }

    fn add(&mut self, detail: &Detail, authorized: bool, is_limited: bool) {
        if detail.is_tool_limit() && is_limited && !authorized {
            if !self.refused.contains(detail) {
                self.refused.push(detail.clone());
            }
        } else if !self.decided.iter().any(|known| known.detail == *detail) {
            self.decided.push(DetailCandidate { detail: detail.clone(), authorized });
        }
    }

    /// Whether the token must be limited to tools: then some limit must be granted.
    pub fn has_tool_limit(&self) -> bool {
        let decided = self.decided.iter().map(|candidate| &candidate.detail);
        decided.chain(&self.refused).any(Detail::is_tool_limit)
    }
}
