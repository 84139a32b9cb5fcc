//! Who an assertion is about: the member whom its subject is bound to, or to whom it can be linked.

use super::members::{Identity, find, find_bound, find_by_email, find_by_link, identities_of};
use super::{AnyConnection, StoreError, teamspaces};
use crate::model::member::{Member, Status};
use crate::model::member_link::MemberLink;

/// The result of looking up an assertion's subject in a teamspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberLookup {
    /// Nobody yet; so many seats are taken.
    Absent {
        /// How many seats of the teamspace are taken.
        seats_used: i64,
    },
    /// The member whom this subject is bound to.
    Bound(Member),
    /// The member with that email and without a subject: invited, removed, or unlinked.
    Unbound(Member),
}

/// The claims of an assertion that identify a person.
#[derive(Debug, Clone)]
pub struct SubjectClaims {
    /// The subject with its issuer and tenant; `member_id` is not known yet.
    pub subject: Identity,
    /// The SAML NameID in the same form, where the identity provider names people by it.
    pub saml: Option<Identity>,
    /// Lower case.
    pub email: Option<String>,
    /// The `aud_sub` claim: an account here. It must not name another member.
    pub account: Option<String>,
    /// The claim that links an unknown subject to a member before the email does.
    pub linking: Linking,
}

/// The way from an unknown subject to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linking {
    /// The email.
    Email,
    /// The value of a claim, and for a member without one the email.
    Value(MemberLink),
    /// The account, and nothing else.
    Account,
}

impl Linking {
    /// The value that the identity provider knows the person by.
    pub fn value(&self) -> Option<&MemberLink> {
        match self {
            Self::Value(link) => Some(link),
            Self::Email | Self::Account => None,
        }
    }
}

/// Finds the subject inside one teamspace: by (issuer, tenant, subject) or NameID, and for a first sign-in by what links
/// it. None if subject, NameID, link, email and account name different members.
pub fn look_up(
    connection: &mut AnyConnection,
    asserted: &SubjectClaims,
) -> Result<Option<MemberLookup>, StoreError> {
    let found = look_up_subject(connection, asserted)?;
    let (Some(standing), Some(account)) = (&found, &asserted.account) else { return Ok(found) };
    let own = match standing {
        MemberLookup::Bound(member) | MemberLookup::Unbound(member) => Some(&member.id),
        MemberLookup::Absent { .. } => None,
    };
    let names_another =
        own != Some(account) && find(connection, &asserted.subject.teamspace_id, account)?.is_some();
    Ok(found.filter(|_| !names_another))
}

fn bound_to(connection: &mut AnyConnection, identity: &Identity) -> Result<Option<Member>, StoreError> {
    let Identity { teamspace_id, issuer, tenant, subject, .. } = identity;
    find_bound(connection, teamspace_id, [issuer, tenant, subject])
}

fn look_up_subject(
    connection: &mut AnyConnection,
    asserted: &SubjectClaims,
) -> Result<Option<MemberLookup>, StoreError> {
    let (teamspace_id, email) = (&asserted.subject.teamspace_id, asserted.email.as_deref());
    let bound = bound_to(connection, &asserted.subject)?;
    let named = asserted.saml.as_ref().map(|saml| bound_to(connection, saml)).transpose()?.flatten();
    if let (Some(bound), Some(named)) = (&bound, &named)
        && bound.id != named.id
    {
        return Ok(None);
    }
    let bound = bound.or(named);
    let by_link = find_linked(connection, asserted, bound.as_ref())?;
    let by_email = match (&bound, email) {
        (Some(member), Some(email)) if member.email == email => None,
        (_, Some(email)) => find_by_email(connection, teamspace_id, email)?,
        (_, None) => None,
    };
    let is_other = |found: &Option<Member>| found.as_ref().is_some_and(|m| m.status != Status::Removed);
    if let Some(member) = bound {
        let is_one = !is_other(&by_link) && !is_other(&by_email);
        return Ok(is_one.then_some(MemberLookup::Bound(member)));
    }
    let Some(found) = one_of(by_link, by_email, asserted.linking.value()) else { return Ok(None) };
    match found {
        Some(member) => {
            // A removed one is out under every subject.
            let free = member.status == Status::Removed
                || identities_of(connection, std::slice::from_ref(&member.id))?.is_empty();
            Ok(free.then_some(MemberLookup::Unbound(member)))
        }
        None => {
            let seats_used = teamspaces::seats_used(connection, teamspace_id)?;
            Ok(Some(MemberLookup::Absent { seats_used }))
        }
    }
}

/// The member whom the link names, unless it is the one who is bound.
fn find_linked(
    connection: &mut AnyConnection,
    asserted: &SubjectClaims,
    bound: Option<&Member>,
) -> Result<Option<Member>, StoreError> {
    let teamspace_id = &asserted.subject.teamspace_id;
    let found = match (&asserted.linking, &asserted.account) {
        (Linking::Value(link), _) => find_by_link(connection, teamspace_id, link)?,
        (Linking::Account, Some(account)) if bound.is_none() => find(connection, teamspace_id, account)?,
        _ => None,
    };
    Ok(found.filter(|member| bound.is_none_or(|bound| bound.id != member.id)))
}

/// The one member whom link and email name, if any. None if they name two, or one who is known by another value.
fn one_of(
    by_link: Option<Member>,
    by_email: Option<Member>,
    value: Option<&MemberLink>,
) -> Option<Option<Member>> {
    let is_removed = |member: &Member| member.status == Status::Removed;
    match (by_link, by_email) {
        (Some(linked), Some(other)) if linked.id != other.id && !is_removed(&other) => None,
        (Some(linked), _) => Some(Some(linked)),
        (None, Some(member)) => {
            let has_another = |own: &MemberLink| {
                value.is_some_and(|value| own.claim() == value.claim() && own.value() != value.value())
            };
            let is_another = member.link.as_ref().is_some_and(has_another) && !is_removed(&member);
            (!is_another).then_some(Some(member))
        }
        (None, None) => Some(None),
    }
}
