//! The claim by which an identity provider links people to members (`link_by`).

use super::claims::{Claims, Said};
use crate::model::identity_provider::{ClaimType, CustomClaim};
use crate::model::member_link::{LinkFault, MemberLink};
use crate::oauth::error::{Reason, TokenError, shown};
use crate::policy::facts::ClaimValue;

/// The value of a custom claim. One that is missing or of another form is an error: nobody is taken for somebody without.
pub(super) fn value_of(claims: &Claims, name: &str) -> Result<MemberLink, TokenError> {
    let claim = CustomClaim { name: name.to_owned(), claim_type: ClaimType::Text };
    match claims.custom(&claim) {
        Said::Known(ClaimValue::Text(value)) => {
            MemberLink::new(name, &value).map_err(|fault: LinkFault| unusable(fault.to_string()))
        }
        Said::NotKnown(fault) => Err(unusable(fault.to_string())),
        Said::Absent | Said::Known(_) => Err(unusable(format!("{} is missing", shown(name)))),
    }
}

/// Checks that the assertion names an account. `aud_sub` means something only with `aud_tenant` (draft §3.1), which is
/// this teamspace's by now, if it is there.
pub(super) fn check_account(claims: &Claims) -> Result<(), TokenError> {
    let missing = |name: &str| Err(unusable(format!("{name} is missing")));
    match (&claims.aud_sub, &claims.aud_tenant) {
        (None, _) => missing("aud_sub"),
        (_, None) => missing("aud_tenant"),
        (Some(_), Some(_)) => Ok(()),
    }
}

fn unusable(detail: String) -> TokenError {
    let text = "The claim by which this teamspace knows people is missing or malformed: the identity provider has to send it.";
    TokenError::invalid_grant(Reason::LINK_CLAIM_UNUSABLE, text).detail(detail)
}

/// The account that is named is nobody's here. Nobody becomes a member by it.
pub(super) fn account_unknown() -> TokenError {
    let text = "The assertion's aud_sub is no member of this teamspace.";
    TokenError::invalid_grant(Reason::ACCOUNT_UNKNOWN, text)
        .detail("aud_sub is the id of no member of the teamspace, and the subject is not known")
}
