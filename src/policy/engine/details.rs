//! Refuses requests whose authorization details are not granted (RFC 9396 §5, §6.1).

use super::denial::Denial;
use crate::oauth::authorization_details::{Detail, DetailCandidates};
use crate::oauth::error::{ErrorCode, Reason};
use crate::oauth::scope::Candidates;

/// The text where no policy has one.
const NONE_GRANTED: &str = "None of the authorization details can be granted.";

/// Refuses if none of the details is granted, and if none of the limits to tools is: without it, the token would let its
/// holder do more.
pub(super) fn check_details(
    candidates: &Candidates,
    granted: &[Detail],
    refused: Vec<(Detail, Denial)>,
) -> Result<(), Denial> {
    let Some(details) = &candidates.details else { return Ok(()) };
    let is_limit_lost = details.has_tool_limit() && !granted.iter().any(Detail::is_tool_limit);
    if !granted.is_empty() && !is_limit_lost {
        return Ok(());
    }
    let is_meant = |(detail, _): &(Detail, Denial)| !is_limit_lost || detail.is_tool_limit();
    let denial = refused.into_iter().find(is_meant).map(|(_, denial)| denial);
    let neutral = (code(details), NONE_GRANTED);
    Err(match denial {
        Some(denial) if denial.policies.is_empty() && denial.reasons == [Reason::POLICY_DENIED] => {
            Denial { neutral, ..Denial::of(neutral.0, Reason::POLICY_DENIED, NONE_GRANTED) }
        }
        Some(denial) => Denial { neutral, ..denial },
        None => Denial { neutral, ..Denial::of(neutral.0, Reason::DETAIL_NOT_AUTHORIZED, NONE_GRANTED) },
    })
}

/// The code for details of the request, and for those of the assertion.
fn code(details: &DetailCandidates) -> ErrorCode {
    if details.requested { ErrorCode::InvalidAuthorizationDetails } else { ErrorCode::AccessDenied }
}
