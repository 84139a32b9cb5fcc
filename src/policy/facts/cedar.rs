//! The facts as Cedar entities and contexts. What it makes fits the schema by its types: a test checks it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::LazyLock;

use cedar_policy::{Context, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression as Expr};

use super::{ClaimFacts, ConfigurationFacts, Facts, MemberFacts, TeamspaceFacts};
use crate::clock::{UnixSeconds, rfc3339};

/// A value of our own that Cedar does not take: a defect, answered with a denial.
#[derive(Debug, thiserror::Error)]
#[error("facts do not fit the policy engine: {0}")]
pub struct FactsError(String);

impl FactsError {
    pub(in crate::policy) fn of(error: impl ToString) -> Self {
        Self(error.to_string())
    }
}

/// A hundred years: the longest age that is told, within what Cedar's durations can hold.
const LONGEST_AGE: i64 = 100 * 365 * 86_400;

/// The largest number of seats that is told: sums and differences of such numbers do not overflow.
const MOST_SEATS: i64 = u32::MAX as i64;

type Result<T> = std::result::Result<T, FactsError>;

struct Types {
    issuer: EntityTypeName,
    client: EntityTypeName,
    client_group: EntityTypeName,
    group: EntityTypeName,
    user: EntityTypeName,
    teamspace: EntityTypeName,
    plan: EntityTypeName,
    status: EntityTypeName,
    server: EntityTypeName,
    scope: EntityTypeName,
    action: EntityTypeName,
}

#[allow(clippy::expect_used)] // constants, each an identifier of the Cedar grammar
static TYPES: LazyLock<Types> = LazyLock::new(|| {
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
        server: name("McpServer"),
        scope: name("Scope"),
        action: name("Action"),
    }
});

fn uid(entity_type: &EntityTypeName, id: impl AsRef<str>) -> EntityUid {
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

fn text(value: &str) -> Expr {
    Expr::new_string(value.to_owned())
}

fn refs(entity_type: &EntityTypeName, ids: &[String]) -> Expr {
    Expr::new_set(ids.iter().map(|id| Expr::new_entity_uid(uid(entity_type, id))))
}

/// A Cedar `datetime`. Making one parses text, so a thread keeps the last one: it serves for a second.
fn datetime(at: UnixSeconds) -> Expr {
    thread_local! {
        static LAST: RefCell<Option<(UnixSeconds, Expr)>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| match last {
        Some((known, made)) if *known == at => made.clone(),
        _ => last.insert((at, Expr::new_datetime(rfc3339(at)))).1.clone(),
    })
}

/// Monday is 1, Sunday 7 (ISO 8601), in UTC. The first day of 1970 was a Thursday.
pub(in crate::policy) fn weekday(at: UnixSeconds) -> i64 {
    (at.div_euclid(86_400) + 3).rem_euclid(7) + 1
}

fn entity<'a>(
    id: EntityUid,
    attributes: impl IntoIterator<Item = (&'a str, Expr)>,
    parents: impl IntoIterator<Item = EntityUid>,
) -> Result<Entity> {
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value));
    Entity::new_with_tags(id, attributes, parents, []).map_err(FactsError::of)
}

fn issuer(iss: &str) -> EntityUid {
    uid(&TYPES.issuer, iss)
}

fn issuer_entity(iss: &str) -> Result<Entity> {
    entity(issuer(iss), [("url", text(iss))], [])
}

/// The issuer that it is about, and the teamspace's, which may be another: a policy reaches both.
fn issuer_entities(iss: &str, teamspace: &TeamspaceFacts) -> Result<Vec<Entity>> {
    let other = teamspace.issuer.as_deref().filter(|configured| *configured != iss);
    std::iter::once(iss).chain(other).map(issuer_entity).collect()
}

/// `iss|tenant|sub`. Subjects often have a `|`, and stay as they are: with the other two escaped, the second `|` is
/// where the subject begins, so that nobody gets another's id.
fn user_id(iss: &str, tenant: &str, sub: &str) -> String {
    format!("{}|{}|{sub}", escaped(iss), escaped(tenant))
}

fn escaped(part: &str) -> Cow<'_, str> {
    match part.contains(['|', '%']) {
        true => Cow::Owned(part.replace('%', "%25").replace('|', "%7C")),
        false => Cow::Borrowed(part),
    }
}

impl TeamspaceFacts {
    fn uid(&self) -> EntityUid {
        uid(&TYPES.teamspace, &self.slug)
    }

    fn entity(&self) -> Result<Entity> {
        let issuer = self.issuer.as_deref().map(|iss| ("issuer", Expr::new_entity_uid(issuer(iss))));
        let setting =
            self.scope_setting.as_deref().map(|setting| ("scope_setting", refs(&TYPES.scope, setting)));
        let attributes = [
            ("plan", Expr::new_entity_uid(uid(&TYPES.plan, self.plan.as_str()))),
            ("email_domains", Expr::new_set(self.email_domains.iter().map(|d| text(d)))),
        ];
        entity(self.uid(), attributes.into_iter().chain(issuer).chain(setting), [])
    }
}

impl ConfigurationFacts {
    /// The principal of the issuer actions.
    pub fn issuer(&self) -> EntityUid {
        issuer(&self.issuer)
    }

    /// The resource of the issuer and member actions.
    pub fn teamspace(&self) -> EntityUid {
        self.teamspace.uid()
    }

    /// Every entity that a policy can reach.
    pub fn entities(&self) -> Result<Vec<Entity>> {
        let mut all = issuer_entities(&self.issuer, &self.teamspace)?;
        all.push(self.teamspace.entity()?);
        Ok(all)
    }

    /// The context of `ConfigureIssuer`.
    pub fn context(&self) -> Vec<(String, Expr)> {
        vec![("now".into(), datetime(self.now)), ("weekday".into(), Expr::new_long(weekday(self.now)))]
    }
}

impl Facts {
    /// The principal of the issuer actions.
    pub fn issuer(&self) -> EntityUid {
        issuer(&self.claims.iss)
    }

    /// The principal of the member and grant actions.
    pub fn user(&self) -> EntityUid {
        let tenant = self.claims.tenant.as_deref().unwrap_or_default();
        uid(&TYPES.user, user_id(&self.claims.iss, tenant, &self.claims.sub))
    }

    /// The resource of the issuer and member actions.
    pub fn teamspace(&self) -> EntityUid {
        self.teamspace.uid()
    }

    /// The resource of `GrantResource`.
    pub fn server(&self) -> EntityUid {
        uid(&TYPES.server, &self.resource.identifier)
    }

    /// The resource of `GrantScope`.
    pub fn scope(name: &str) -> EntityUid {
        uid(&TYPES.scope, name)
    }

    /// Every entity that a policy can reach from principal, resource or context.
    pub fn entities(&self) -> Result<Vec<Entity>> {
        let mut all = self.surrounding_entities()?;
        all.push(self.user_entity()?);
        Ok(all)
    }

    /// The entities that are the same for everybody of a teamspace who comes with the same request.
    pub(in crate::policy) fn surrounding_entities(&self) -> Result<Vec<Entity>> {
        let mut all = issuer_entities(&self.claims.iss, &self.teamspace)?;
        all.extend([self.client_entity()?, self.teamspace.entity()?, self.server_entity()?]);
        all.extend(self.scope_entities()?);
        Ok(all)
    }

    fn client_entity(&self) -> Result<Entity> {
        let attributes = [
            ("public", Expr::new_bool(self.client.public)),
            ("auth_method", text(self.client.auth_method.as_str())),
        ];
        let groups = self.client.groups.iter().map(|g| uid(&TYPES.client_group, g));
        entity(uid(&TYPES.client, &self.client.client_id), attributes, groups)
    }

    pub(in crate::policy) fn user_entity(&self) -> Result<Entity> {
        let groups = self.groups().iter().map(|group| uid(&TYPES.group, self.group_id(group)));
        entity(self.user(), [], groups)
    }

    /// The server under decision. Others that the assertion names appear as bare references.
    fn server_entity(&self) -> Result<Entity> {
        let attributes = [
            ("url", text(&self.resource.identifier)),
            ("teamspace", Expr::new_entity_uid(self.teamspace())),
            ("published", Expr::new_bool(self.resource.published)),
        ];
        entity(self.server(), attributes, [self.teamspace()])
    }

    fn scope_entities(&self) -> Result<Vec<Entity>> {
        let scope = |name: &String| {
            let attributes = [
                ("name", text(name)),
                ("teamspace", Expr::new_entity_uid(self.teamspace())),
                ("default", Expr::new_bool(self.resource.default_scopes.contains(name))),
            ];
            entity(Self::scope(name), attributes, [self.server(), self.teamspace()])
        };
        self.candidates.scopes.iter().map(scope).collect()
    }

    /// What `TrustIssuer` sees.
    pub fn context(&self) -> Result<Vec<(String, Expr)>> {
        Ok(vec![
            ("now".into(), datetime(self.now)),
            ("weekday".into(), Expr::new_long(weekday(self.now))),
            ("client".into(), Expr::new_entity_uid(uid(&TYPES.client, &self.client.client_id))),
            ("claims".into(), self.claims.record()?),
            ("key_bound".into(), Expr::new_bool(self.key_bound)),
        ])
    }

    /// The same, with what the grant actions see of the person besides.
    pub fn person_context(&self) -> Result<Vec<(String, Expr)>> {
        let mut pairs = self.context()?;
        pairs.push(("member_domain".into(), text(self.member_domain())));
        Ok(pairs)
    }

    /// The same, with what the member actions see besides.
    pub fn member_context(&self) -> Result<Vec<(String, Expr)>> {
        let mut pairs = self.person_context()?;
        match &self.member {
            MemberFacts::Absent { seats_used, seats_limit } => {
                let seats = |number: i64| Expr::new_long(number.clamp(0, MOST_SEATS));
                pairs.push(("seats_used".into(), seats(*seats_used)));
                pairs.extend(seats_limit.map(|limit| ("seats_limit".into(), seats(limit))));
            }
            MemberFacts::Present { status, linking, .. } => {
                let status = uid(&TYPES.status, status.as_str());
                pairs.push(("status".into(), Expr::new_entity_uid(status)));
                pairs.push(("linking".into(), Expr::new_bool(*linking)));
            }
        }
        Ok(pairs)
    }
}

/// Pairs as a context, evaluated once and used for every question that sees them.
pub fn to_context(pairs: Vec<(String, Expr)>) -> Result<Context> {
    Context::from_pairs(pairs).map_err(FactsError::of)
}

impl ClaimFacts {
    fn record(&self) -> Result<Expr> {
        let mut fields = vec![
            ("sub".to_owned(), text(&self.sub)),
            ("amr".to_owned(), Expr::new_set(self.amr.iter().map(|m| text(m)))),
            ("resources".to_owned(), refs(&TYPES.server, &self.resources)),
        ];
        let mut optional = |name: &str, value: Option<Expr>| {
            fields.extend(value.map(|value| (name.to_owned(), value)));
        };
        optional("tenant", self.tenant.as_deref().map(text));
        optional("aud_tenant", self.aud_tenant.as_deref().map(text));
        optional("email", self.email.as_deref().map(text));
        optional("email_domain", self.email_domain().map(text));
        optional("email_verified", self.email_verified.map(Expr::new_bool));
        // Which groups these are say the person's parents.
        optional("groups", self.groups.as_ref().and_then(|_| Expr::new_record([]).ok()));
        optional("acr", self.acr.as_deref().map(text));
        optional(
            "auth_age",
            self.auth_age.map(|age| Expr::new_duration(format!("{}s", age.clamp(0, LONGEST_AGE)))),
        );
        optional("scopes", self.scopes.as_deref().map(|scopes| refs(&TYPES.scope, scopes)));
        Expr::new_record(fields).map_err(FactsError::of)
    }
}
