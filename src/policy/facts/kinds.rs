//! The vocabulary of the table of facts: classes, places, and Cedar types with the conversion of values.

use std::cell::RefCell;
use std::net::IpAddr;

use cedar_policy::{EntityTypeName, RestrictedExpression as Expr};

use super::actor::Actor;
use super::uids::{TYPES, uid};
use crate::clock::{UnixSeconds, rfc3339};
use crate::model::client::AuthMethod;
use crate::model::member::{Role, Status};
use crate::model::teamspace::Plan;
use crate::policy::action::Action;

/// A hundred years: the largest age that policies see, within Cedar's durations.
const LONGEST_AGE: i64 = 100 * 365 * 86_400;
/// The largest number of seats that policies see: sums and differences do not overflow.
const MOST_SEATS: i64 = u32::MAX as i64;

/// Whose a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Many sign-ins have it in common.
    Shared,
    /// One person's.
    Personal,
    /// One person's, kept in the log only as digests.
    Digested,
    /// This moment's, or this request's.
    Momentary,
}

/// The class of a row.
macro_rules! class {
    (shared) => {
        $crate::policy::facts::Class::Shared
    };
    (personal) => {
        $crate::policy::facts::Class::Personal
    };
    (digested) => {
        $crate::policy::facts::Class::Digested
    };
    (momentary) => {
        $crate::policy::facts::Class::Momentary
    };
}
pub(in crate::policy) use class;

impl Class {
    /// Its name in the documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Personal | Self::Digested => "personal",
            Self::Momentary => "momentary",
        }
    }
}

/// Where policies find a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactPlace {
    /// Attribute of an entity, by its type.
    Entity(&'static str),
    /// Attribute of `context.claims`.
    Claims,
    /// Attribute of a record, by its name.
    Record(&'static str),
    /// Attribute of `context`, in these questions.
    Context(&'static [Action]),
}

pub(super) const TEAMSPACE: FactPlace = FactPlace::Entity("Teamspace");
pub(super) const CLIENT: FactPlace = FactPlace::Entity("Client");
pub(super) const CLAIMS: FactPlace = FactPlace::Claims;
/// All questions.
pub(super) const EVERY: FactPlace = FactPlace::Context(&Action::ALL);
/// The questions of a token exchange, and those about its token.
pub(super) const EXCHANGE: FactPlace = FactPlace::Context(&[
    Action::TrustIssuer,
    Action::ProvisionMember,
    Action::AdmitMember,
    Action::GrantResource,
    Action::GrantScope,
    Action::GrantDetail,
    Action::CallTool,
    Action::ListTools,
]);
/// The questions about a person.
pub(super) const PERSON: FactPlace = FactPlace::Context(&[
    Action::ProvisionMember,
    Action::AdmitMember,
    Action::GrantResource,
    Action::GrantScope,
    Action::GrantDetail,
    Action::CallTool,
    Action::ListTools,
]);
pub(super) const TOKEN: FactPlace = FactPlace::Context(&Action::TOOLS);
pub(super) const NEWCOMER: FactPlace = FactPlace::Context(&[Action::ProvisionMember]);
pub(super) const MEMBER: FactPlace = FactPlace::Context(&[Action::AdmitMember]);

/// How much of a fact policies read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// No policy reads it.
    #[default]
    No,
    /// `has`: whether it is there.
    Presence,
    /// A policy reads the value.
    Value,
}

/// A value that may be absent, whatever its type.
pub(in crate::policy) trait Maybe {
    type Value: ?Sized;

    /// The value, if it is there.
    fn get(&self) -> Option<&Self::Value>;

    /// Whether its JSON form leaves it out.
    fn is_left_out(&self) -> bool {
        self.get().is_none()
    }
}

macro_rules! never_absent {
    ($($kind:ty),+) => {
        $(impl Maybe for $kind {
            type Value = Self;

            fn get(&self) -> Option<&Self> {
                Some(self)
            }
        })+
    };
}
never_absent!(bool, i64, str, IpAddr, Plan, AuthMethod, Role, Status, Actor);

impl Maybe for String {
    type Value = str;

    fn get(&self) -> Option<&str> {
        Some(self)
    }
}

impl<T> Maybe for [T] {
    type Value = [T];

    fn get(&self) -> Option<&[T]> {
        Some(self)
    }
}

impl<T> Maybe for Vec<T> {
    type Value = [T];

    fn get(&self) -> Option<&[T]> {
        Some(self)
    }

    fn is_left_out(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Maybe> Maybe for Option<T> {
    type Value = T::Value;

    fn get(&self) -> Option<&T::Value> {
        self.as_ref().and_then(T::get)
    }
}

impl<T: Maybe + ?Sized> Maybe for &T {
    type Value = T::Value;

    fn get(&self) -> Option<&T::Value> {
        (**self).get()
    }

    fn is_left_out(&self) -> bool {
        (**self).is_left_out()
    }
}

/// The policies' view of a fact.
pub(in crate::policy) trait FactKind {
    /// Cedar's type, as the schema writes it; empty if policies do not see the fact as an attribute.
    const TYPE: &'static str;
    /// The most that policies can read of it.
    const MOST: Access = Access::Value;
}

/// A kind that shows values of a Rust type.
pub(in crate::policy) trait Shows<V: ?Sized>: FactKind {
    fn expr(value: &V) -> Option<Expr>;
}

macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident: $cedar:literal from $value:ty = $expr:expr;)+) => {
        $($(#[$meta])*
        pub(in crate::policy) struct $name;

        impl FactKind for $name {
            const TYPE: &'static str = $cedar;
        }

        impl Shows<$value> for $name {
            fn expr(value: &$value) -> Option<Expr> {
                let expr: fn(&$value) -> Expr = $expr;
                Some(expr(value))
            }
        })+
    };
}

kinds! {
    Text: "String" from str = text;
    Texts: "Set<String>" from [String] = |texts| Expr::new_set(texts.iter().map(|each| text(each)));
    Flag: "Bool" from bool = |flag| Expr::new_bool(*flag);
    Number: "Long" from i64 = |number| Expr::new_long(*number);
    Seats: "Long" from i64 = |seats| Expr::new_long((*seats).clamp(0, MOST_SEATS));
    /// Seconds.
    Age: "duration" from i64 = |age| Expr::new_duration(format!("{}s", (*age).clamp(0, LONGEST_AGE)));
    Time: "datetime" from UnixSeconds = |at| datetime(*at);
    /// Seconds since midnight.
    TimeOfDay: "duration" from i64 = |seconds| Expr::new_duration(format!("{seconds}s"));
    Address: "ipaddr" from IpAddr = |address| Expr::new_ip(address.to_canonical().to_string());
    Scopes: "Set<Scope>" from [String] = |names| refs(&TYPES.scope, names);
    Servers: "Set<McpServer>" from [String] = |names| refs(&TYPES.server, names);
    Issuers: "Set<Issuer>" from [String] = |names| refs(&TYPES.issuer, names);
    IssuerName: "Issuer" from str = |iss| Expr::new_entity_uid(uid(&TYPES.issuer, iss));
    ClientName: "Client" from str = |id| Expr::new_entity_uid(uid(&TYPES.client, id));
    PlanName: "Plan" from Plan = |plan| Expr::new_entity_uid(uid(&TYPES.plan, plan.as_str()));
    StatusName: "MemberStatus" from Status = |status| Expr::new_entity_uid(uid(&TYPES.status, status.as_str()));
    RoleName: "MemberRole" from Role = |role| Expr::new_entity_uid(uid(&TYPES.role, role.as_str()));
    AuthMethodName: "String" from AuthMethod = |method| text(method.as_str());
}

/// The actor, and the one that it acts for in turn, in one record.
pub(in crate::policy) struct ActorRecord;

impl FactKind for ActorRecord {
    const TYPE: &'static str = "Actor";
}

impl Shows<Actor> for ActorRecord {
    fn expr(actor: &Actor) -> Option<Expr> {
        let set = |texts: &mut dyn Iterator<Item = &str>| Expr::new_set(texts.map(text));
        let profile = set(&mut actor.sub_profile.iter().map(String::as_str));
        let (chain, depth) = (set(&mut actor.chain()), actor.chain().count());
        let iss = actor.iss.as_deref().map(|iss| ("iss".to_owned(), text(iss)));
        let fields = [
            ("sub".to_owned(), text(&actor.sub)),
            ("sub_profile".to_owned(), profile),
            ("chain".to_owned(), chain),
            ("depth".to_owned(), Expr::new_long(i64::try_from(depth).unwrap_or(i64::MAX))),
        ];
        Expr::new_record(fields.into_iter().chain(iss)).ok()
    }
}

/// Not an attribute: policies see the fact as an entity's id or parents, or not at all.
pub(in crate::policy) struct Hidden;

impl FactKind for Hidden {
    const TYPE: &'static str = "";
}

impl<V: ?Sized> Shows<V> for Hidden {
    fn expr(_: &V) -> Option<Expr> {
        None
    }
}

/// An empty record: whether the fact is there.
pub(in crate::policy) struct Presence;

impl FactKind for Presence {
    const TYPE: &'static str = "{}";
    const MOST: Access = Access::Presence;
}

impl<V: ?Sized> Shows<V> for Presence {
    fn expr(_: &V) -> Option<Expr> {
        Expr::new_record([]).ok()
    }
}

/// A Cedar text.
pub(super) fn text(value: &str) -> Expr {
    Expr::new_string(value.to_owned())
}

pub(super) fn refs(entity_type: &EntityTypeName, ids: &[String]) -> Expr {
    Expr::new_set(ids.iter().map(|id| Expr::new_entity_uid(uid(entity_type, id))))
}

/// A Cedar `datetime`. Making one parses text, so each thread keeps the last one, which is valid for a second.
fn datetime(at: UnixSeconds) -> Expr {
    thread_local! {
        static LAST: RefCell<Option<(UnixSeconds, Expr)>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| match last {
        Some((known, made)) if *known == at => made.clone(),
        _ => last.insert((at, Expr::new_datetime(rfc3339(at)))).1.clone(),
    })
}
