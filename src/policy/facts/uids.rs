//! The names of entities in Cedar.

use std::borrow::Cow;
use std::sync::LazyLock;

use cedar_policy::{EntityId, EntityTypeName, EntityUid};

/// Cedar's name of each entity type.
pub(super) struct Types {
    pub issuer: EntityTypeName,
    pub client: EntityTypeName,
    pub client_group: EntityTypeName,
    pub group: EntityTypeName,
    pub user: EntityTypeName,
    pub teamspace: EntityTypeName,
    pub plan: EntityTypeName,
    pub status: EntityTypeName,
    pub role: EntityTypeName,
    pub server: EntityTypeName,
    pub scope: EntityTypeName,
    pub detail: EntityTypeName,
    pub tool: EntityTypeName,
    pub console_user: EntityTypeName,
    pub console_kind: EntityTypeName,
    pub deployment: EntityTypeName,
    action: EntityTypeName,
}

#[allow(clippy::expect_used)] // constants, each an identifier of the Cedar grammar
pub(super) static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let name = |text: &str| text.parse().expect("a constant entity type name");
    Types {
        issuer: name("Issuer"),
        client: name("Client"),
        client_group: name("ClientGroup"),
        group: name("Group"),
        user: name("User"),
        teamspace: name("Teamspace"),
        plan: name("Plan"),
        status: name("MemberStatus"),
        role: name("MemberRole"),
        server: name("McpServer"),
        scope: name("Scope"),
        detail: name("AuthorizationDetail"),
        tool: name("Tool"),
        console_user: name("ConsoleUser"),
        console_kind: name("ConsoleKind"),
        deployment: name("Deployment"),
        action: name("Action"),
    }
});

/// The entity of this type and id.
pub(super) fn uid(entity_type: &EntityTypeName, id: impl AsRef<str>) -> EntityUid {
    EntityUid::from_type_name_and_id(entity_type.clone(), EntityId::new(id))
}

/// Whether an entity is a directory group.
pub(in crate::policy) fn is_group(uid: &EntityUid) -> bool {
    uid.type_name() == &TYPES.group
}

/// Whether an entity is a customer.
pub(in crate::policy) fn is_teamspace(uid: &EntityUid) -> bool {
    uid.type_name() == &TYPES.teamspace
}

/// Whether an entity is a person.
pub(in crate::policy) fn is_user(uid: &EntityUid) -> bool {
    uid.type_name() == &TYPES.user
}

/// `Action::"…"`.
pub fn action_uid(name: &str) -> EntityUid {
    uid(&TYPES.action, name)
}

/// `iss|tenant|sub`. Subjects often contain `|` and stay unchanged. Since `|` is escaped in the other two parts, the
/// subject begins after the second `|`, and nobody gets another person's id.
pub(super) fn user_id(iss: &str, tenant: &str, sub: &str) -> String {
    format!("{}|{}|{sub}", escaped(iss), escaped(tenant))
}

fn escaped(part: &str) -> Cow<'_, str> {
    match part.contains(['|', '%']) {
        true => Cow::Owned(part.replace('%', "%25").replace('|', "%7C")),
        false => Cow::Borrowed(part),
    }
}
