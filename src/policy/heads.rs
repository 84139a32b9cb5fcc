//! The heads of policies: which principals, actions and resources they are about.

use cedar_policy::{ActionConstraint, Entities, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};

/// Whether the action is one that the constraint names, by itself or by a group.
pub(super) fn applies(constraint: &ActionConstraint, action: &EntityUid, groups: &Entities) -> bool {
    let covers = |uid: &EntityUid| uid == action || groups.is_ancestor_of(uid, action);
    match constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => uid == action,
        ActionConstraint::In(uids) => uids.iter().any(covers),
    }
}

pub(super) fn resource_key(policy: &Policy) -> Option<EntityUid> {
    match policy.resource_constraint() {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
        ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid) => {
            Some(uid)
        }
    }
}

/// Whether principal and resource are ones that the head names. The action and a resource that it names by id
/// are what policies are sliced by.
pub(super) fn is_about(
    policy: &Policy,
    principal: &EntityUid,
    resource: &EntityUid,
    entities: &Entities,
) -> bool {
    let within = |uid: &EntityUid| uid == principal || entities.is_ancestor_of(uid, principal);
    let principal_fits = match policy.principal_constraint() {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::Eq(uid) => uid == *principal,
        PrincipalConstraint::In(uid) => within(&uid),
        PrincipalConstraint::Is(kind) => kind == *principal.type_name(),
        PrincipalConstraint::IsIn(kind, uid) => kind == *principal.type_name() && within(&uid),
    };
    let resource_fits = match policy.resource_constraint() {
        ResourceConstraint::Is(kind) | ResourceConstraint::IsIn(kind, _) => kind == *resource.type_name(),
        _ => true,
    };
    principal_fits && resource_fits
}
