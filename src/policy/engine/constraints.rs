//! The heads of policies: the principals, actions and resources that they apply to.

use cedar_policy::{
    ActionConstraint, Entities, EntityTypeName, EntityUid, Policy, PolicySet, PrincipalConstraint, Request,
    ResourceConstraint,
};

use crate::policy::action::{Action, Topic};
use crate::policy::facts::action_uid;

/// The group of all actions of the console; the names of those within begin with it and a colon.
const GROUP: &str = "console";

/// Whether the constraint names the action, by itself or through a group.
pub(in crate::policy) fn applies(
    constraint: &ActionConstraint,
    action: &EntityUid,
    groups: &Entities,
) -> bool {
    let covers = |uid: &EntityUid| uid == action || groups.is_ancestor_of(uid, action);
    match constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => uid == action,
        ActionConstraint::In(uids) => uids.iter().any(covers),
    }
}

/// Whether a set decides about a topic itself: one of its policies names an action of the topic in its head.
pub(in crate::policy) fn is_about(topic: Topic, set: &PolicySet, action_entities: &Entities) -> bool {
    let actions = || Action::ALL.into_iter().filter(|action| action.topic() == topic);
    let about = |policy: &Policy| match policy.action_constraint() {
        ActionConstraint::Any => false,
        constraint => {
            actions().any(|action| applies(&constraint, &action_uid(action.name()), action_entities))
        }
    };
    set.policies().any(about)
}

/// Whether an action, or a group of them, is the console's.
pub(in crate::policy) fn is_of_console(action: &EntityUid) -> bool {
    let rest = action.id().unescaped().strip_prefix(GROUP);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// The entity that a policy's head names as its resource.
pub(in crate::policy) fn resource_key(policy: &Policy) -> Option<EntityUid> {
    match policy.resource_constraint() {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
        ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid) => {
            Some(uid)
        }
    }
}

/// A part of a head that a request does not fit.
#[derive(Debug)]
pub(in crate::policy) enum Unmet {
    Principal(HeadConstraint),
    Action(ActionConstraint),
    Resource(HeadConstraint),
}

/// The first part of a policy's head that the request does not fit. The request has all three parts.
pub(in crate::policy) fn unmet(policy: &Policy, request: &Request, entities: &Entities) -> Option<Unmet> {
    let (principal, action, resource) = (request.principal()?, request.action()?, request.resource()?);
    let about = HeadConstraint::from(policy.principal_constraint());
    if !about.fits(principal, entities) {
        return Some(Unmet::Principal(about));
    }
    let about = policy.action_constraint();
    if !applies(&about, action, entities) {
        return Some(Unmet::Action(about));
    }
    let about = HeadConstraint::from(policy.resource_constraint());
    (!about.fits(resource, entities)).then_some(Unmet::Resource(about))
}

impl Unmet {
    /// The variable that the part is about.
    pub fn variable(&self) -> &'static str {
        match self {
            Self::Principal(_) => "principal",
            Self::Action(_) => "action",
            Self::Resource(_) => "resource",
        }
    }

    /// The part as Cedar writes it.
    pub fn text(&self) -> String {
        match self {
            Self::Principal(asked) | Self::Resource(asked) => asked.text(self.variable()),
            Self::Action(constraint) => action_text(constraint),
        }
    }
}

/// The part of a head about the action, as Cedar writes it.
pub(in crate::policy) fn action_text(constraint: &ActionConstraint) -> String {
    match constraint {
        ActionConstraint::Any => "action".to_owned(),
        ActionConstraint::Eq(uid) => format!("action == {uid}"),
        ActionConstraint::In(uids) => match uids.as_slice() {
            [uid] => format!("action in {uid}"),
            uids => {
                let all: Vec<String> = uids.iter().map(ToString::to_string).collect();
                format!("action in [{}]", all.join(", "))
            }
        },
    }
}

/// A head's condition on its principal or resource.
#[derive(Debug)]
pub(in crate::policy) enum HeadConstraint {
    Any,
    Eq(EntityUid),
    In(EntityUid),
    Is(EntityTypeName),
    IsIn(EntityTypeName, EntityUid),
}

impl HeadConstraint {
    fn fits(&self, entity: &EntityUid, entities: &Entities) -> bool {
        let within = |uid: &EntityUid| uid == entity || entities.is_ancestor_of(uid, entity);
        match self {
            Self::Any => true,
            Self::Eq(uid) => uid == entity,
            Self::In(uid) => within(uid),
            Self::Is(kind) => kind == entity.type_name(),
            Self::IsIn(kind, uid) => kind == entity.type_name() && within(uid),
        }
    }

    fn text(&self, variable: &str) -> String {
        match self {
            Self::Any => variable.to_owned(),
            Self::Eq(uid) => format!("{variable} == {uid}"),
            Self::In(uid) => format!("{variable} in {uid}"),
            Self::Is(kind) => format!("{variable} is {kind}"),
            Self::IsIn(kind, uid) => format!("{variable} is {kind} in {uid}"),
        }
    }
}

impl From<PrincipalConstraint> for HeadConstraint {
    fn from(constraint: PrincipalConstraint) -> Self {
        match constraint {
            PrincipalConstraint::Any => Self::Any,
            PrincipalConstraint::Eq(uid) => Self::Eq(uid),
            PrincipalConstraint::In(uid) => Self::In(uid),
            PrincipalConstraint::Is(kind) => Self::Is(kind),
            PrincipalConstraint::IsIn(kind, uid) => Self::IsIn(kind, uid),
        }
    }
}

impl From<ResourceConstraint> for HeadConstraint {
    fn from(constraint: ResourceConstraint) -> Self {
        match constraint {
            ResourceConstraint::Any => Self::Any,
            ResourceConstraint::Eq(uid) => Self::Eq(uid),
            ResourceConstraint::In(uid) => Self::In(uid),
            ResourceConstraint::Is(kind) => Self::Is(kind),
            ResourceConstraint::IsIn(kind, uid) => Self::IsIn(kind, uid),
        }
    }
}
