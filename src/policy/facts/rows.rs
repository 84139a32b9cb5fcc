//! The table of facts as data, for the documentation and for what checks the schema.

use super::custom::CustomRecord;
use super::kinds::*;
use super::table::{claim_facts, client_facts, moment_facts, request_facts, teamspace_facts};
use crate::policy::action::Action;

/// One fact as policies see it.
#[derive(Debug, Clone, Copy)]
pub struct FactRow {
    /// Where policies find it: in an entity, in the context, or in a record of these.
    pub place: FactPlace,
    /// The attribute.
    pub name: &'static str,
    /// Cedar's type, as the schema writes it.
    pub kind: &'static str,
    /// Whether it may be absent.
    pub optional: bool,
    /// Whether many sign-ins share its value, or it is one person's or one moment's.
    pub class: Class,
    /// Where it comes from.
    pub from: &'static str,
}

macro_rules! optional {
    (always) => {
        false
    };
    (maybe) => {
        true
    };
}

macro_rules! rows {
    (
        []
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($dclass:ident $dname:ident => $dneed:ident $dkind:ident in $dplace:ident = $read:expr, $dfrom:literal;)* }
    ) => {
        &[
            $(row::<$kind>($place, stringify!($name), optional!($need), class!($class), $from),)*
            $(row::<$dkind>($dplace, stringify!($dname), optional!($dneed), class!($dclass), $dfrom),)*
        ]
    };
}

const fn row<K: FactKind>(
    place: FactPlace,
    name: &'static str,
    optional: bool,
    class: Class,
    from: &'static str,
) -> FactRow {
    FactRow { place, name, kind: K::TYPE, optional, class, from }
}

const ACTOR: FactPlace = FactPlace::Record("Actor");
const ISSUER: FactPlace = FactPlace::Entity("Issuer");
const SERVER: FactPlace = FactPlace::Entity("McpServer");
const SCOPE: FactPlace = FactPlace::Entity("Scope");
const DETAIL: FactPlace = FactPlace::Entity("AuthorizationDetail");
const TOOL: FactPlace = FactPlace::Entity("Tool");

/// Facts that follow from the subject of a question.
const STRUCTURE: &[FactRow] = &[
    row::<Text>(ISSUER, "url", false, Class::Shared, "the id again, for `like`"),
    row::<Text>(SERVER, "url", false, Class::Shared, "the id again, for `like`"),
    TEAMSPACE_OF_SERVER,
    row::<Flag>(
        SERVER,
        "published",
        false,
        Class::Shared,
        "`teamspaces` of the resource; at the token endpoint always true, in test cases not",
    ),
    row::<Text>(SCOPE, "name", false, Class::Shared, "the id again, for `like`"),
    TEAMSPACE_OF_SCOPE,
    row::<Flag>(SCOPE, "default", false, Class::Shared, "`default_scopes` of the server"),
    row::<Text>(DETAIL, "type", false, Class::Personal, "its `type`"),
    FactRow { place: DETAIL, ..TEAMSPACE_OF_SCOPE },
    row::<Texts>(DETAIL, "locations", false, Class::Personal, "its `locations`; empty without"),
    row::<Texts>(DETAIL, "actions", false, Class::Personal, "its `actions`; empty without"),
    row::<Texts>(DETAIL, "datatypes", false, Class::Personal, "its `datatypes`; empty without"),
    row::<Texts>(DETAIL, "privileges", false, Class::Personal, "its `privileges`; empty without"),
    row::<Texts>(DETAIL, "tools", false, Class::Personal, "`tools` of an `mcp_tool`; empty for other types"),
    row::<Text>(DETAIL, "identifier", true, Class::Personal, "its `identifier`"),
    row::<Flag>(
        DETAIL,
        "authorized",
        false,
        Class::Personal,
        "whether the assertion has it: equal, or for an `mcp_tool` with at least these tools",
    ),
    row::<Text>(TOOL, "name", false, Class::Momentary, "the id again, for `like`"),
    FactRow {
        place: TOOL,
        name: "server",
        kind: "McpServer",
        from: "the one that has it",
        ..TEAMSPACE_OF_SERVER
    },
    FactRow { place: TOOL, ..TEAMSPACE_OF_SERVER },
    row::<Text>(ACTOR, "sub", false, Class::Personal, "its `sub`"),
    row::<Text>(ACTOR, "iss", true, Class::Personal, "its `iss`"),
    row::<Texts>(
        ACTOR,
        "sub_profile",
        false,
        Class::Personal,
        "its `sub_profile`, the words of one text or a list: what kind of actor it is, such as `ai_agent`; empty without",
    ),
    row::<Texts>(
        ACTOR,
        "chain",
        false,
        Class::Personal,
        "the `sub` of each actor of the chain, this one included. RFC 8693 §4.1: only the acting one counts for access, so use it to refuse",
    ),
    row::<Number>(ACTOR, "depth", false, Class::Personal, "how many actors the chain has, 1 to 4"),
    FactRow {
        place: EXCHANGE,
        name: "claims",
        kind: "Claims",
        optional: false,
        class: Class::Shared,
        from: "the assertion, see above",
    },
    row::<Scopes>(TOKEN, "token_scopes", false, Class::Momentary, "the scopes of the token"),
];

const TEAMSPACE_OF_SERVER: FactRow = FactRow {
    place: SERVER,
    name: "teamspace",
    kind: "Teamspace",
    optional: false,
    class: Class::Shared,
    from: "where it would be used",
};

const TEAMSPACE_OF_SCOPE: FactRow =
    FactRow { place: SCOPE, from: "where it would be granted", ..TEAMSPACE_OF_SERVER };

const USER: FactPlace = FactPlace::Entity("ConsoleUser");

const fn of_user(name: &'static str, kind: &'static str, optional: bool, from: &'static str) -> FactRow {
    FactRow { place: USER, name, kind, optional, class: Class::Personal, from }
}

/// The policies' view of a console user.
const CONSOLE_USERS: &[FactRow] = &[
    of_user("kind", "ConsoleKind", false, "how they came: signed in, with a token, by a set-up link"),
    row::<Text>(USER, "email", true, Class::Personal, "the verified address, in lower case"),
    row::<Texts>(
        USER,
        "groups",
        false,
        Class::Personal,
        "`console.groups_claim` of the console's identity provider; empty for all but operators",
    ),
    of_user("owner_of", "Set<Teamspace>", false, "the teamspaces where a member's role is owner"),
    of_user("admin_of", "Set<Teamspace>", false, "the teamspaces where it is admin"),
    of_user("developer_of", "Set<Teamspace>", false, "the teamspaces where it is developer"),
    of_user("teamspace", "Teamspace", true, "the one that a token or a set-up link is for"),
];

const TEAMSPACES: &[FactRow] = teamspace_facts!(rows);
const CLIENTS: &[FactRow] = client_facts!(rows);
const ASSERTIONS: &[FactRow] = claim_facts!(rows);
const MOMENTS: &[FactRow] = moment_facts!(rows);
const REQUESTS: &[FactRow] = request_facts!(rows);

/// Every fact that policies see as an attribute.
pub fn table() -> impl Iterator<Item = &'static FactRow> {
    let all = [STRUCTURE, CLIENTS, TEAMSPACES, ASSERTIONS, MOMENTS, REQUESTS, CONSOLE_USERS];
    all.into_iter().flatten().filter(|row| !row.kind.is_empty())
}

impl FactRow {
    /// Whether policies find it in the context of a question.
    pub fn is_in_context_of(&self, action: Action) -> bool {
        matches!(self.place, FactPlace::Context(actions) if actions.contains(&action))
    }
}
