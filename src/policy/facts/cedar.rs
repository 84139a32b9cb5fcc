//! The facts as Cedar entities and contexts. Their types make them fit the schema; a test checks that.

use cedar_policy::{Context, Entity, EntityUid, RestrictedExpression as Expr};

use super::custom::CustomRecord;
use super::kinds::*;
use super::table::{claim_facts, client_facts, moment_facts, request_facts, teamspace_facts};
use super::uids::{TYPES, uid, user_id};
use super::{ClaimFacts, ConfigurationFacts, Facts, LocalMoment, TeamspaceFacts};
use crate::oauth::authorization_details::DetailCandidate;
use crate::policy::action::{Action, Topic};

/// A value of ours that Cedar refuses. That is a defect, answered with a denial.
#[derive(Debug, thiserror::Error)]
#[error("facts do not fit the policy engine: {0}")]
pub struct FactsError(String);

impl FactsError {
    pub(in crate::policy) fn of(error: impl ToString) -> Self {
        Self(error.to_string())
    }
}

pub(super) type FactsResult<T> = Result<T, FactsError>;

/// An attribute that is there.
struct FactAttribute {
    place: FactPlace,
    name: &'static str,
    value: Expr,
}

fn attribute<K: Shows<V::Value>, V: Maybe>(
    place: FactPlace,
    name: &'static str,
    value: V,
) -> Option<FactAttribute> {
    Some(FactAttribute { place, name, value: K::expr(value.get()?)? })
}

/// The attributes of the facts of one kind.
macro_rules! attributes {
    (
        [$of:expr]
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($dclass:ident $dname:ident => $dneed:ident $dkind:ident in $dplace:ident = $read:expr, $dfrom:literal;)* }
    ) => {
        [
            $(attribute::<$kind, _>($place, stringify!($name), &$of.$name),)*
            $(attribute::<$dkind, _>($dplace, stringify!($dname), ($read)($of)),)*
        ].into_iter().flatten()
    };
}

/// The attributes of a context: for one question, or all of them.
fn context(attributes: impl Iterator<Item = FactAttribute>, asked: Option<Action>) -> Vec<(String, Expr)> {
    let is_seen = |place: FactPlace| match (place, asked) {
        (FactPlace::Context(actions), Some(asked)) => actions.contains(&asked),
        _ => true,
    };
    attributes.filter(|a| is_seen(a.place)).map(|a| (a.name.to_owned(), a.value)).collect()
}

pub(super) fn entity(
    id: EntityUid,
    attributes: impl IntoIterator<Item = (&'static str, Expr)>,
    parents: impl IntoIterator<Item = EntityUid>,
) -> FactsResult<Entity> {
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value));
    Entity::new_with_tags(id, attributes, parents, []).map_err(FactsError::of)
}

fn issuer(iss: &str) -> EntityUid {
    uid(&TYPES.issuer, iss)
}

fn issuer_entity(iss: &str) -> FactsResult<Entity> {
    entity(issuer(iss), [("url", text(iss))], [])
}

/// The issuer in question, and the teamspace's own, which may be another: a policy can reach both.
fn issuer_entities(iss: &str, teamspace: &TeamspaceFacts) -> FactsResult<Vec<Entity>> {
    let other = teamspace.issuer.as_deref().filter(|configured| *configured != iss);
    std::iter::once(iss).chain(other).map(issuer_entity).collect()
}

impl TeamspaceFacts {
    pub(super) fn uid(&self) -> EntityUid {
        uid(&TYPES.teamspace, &self.slug)
    }

    fn entity(&self) -> FactsResult<Entity> {
        entity(self.uid(), teamspace_facts!(attributes self).map(|a| (a.name, a.value)), [])
    }

    /// The teamspace, with its issuer if it has one.
    pub(super) fn with_issuer(&self) -> FactsResult<Vec<Entity>> {
        let issuer = self.issuer.as_deref().map(issuer_entity);
        issuer.into_iter().chain([self.entity()]).collect()
    }
}

impl LocalMoment<'_> {
    /// The context of questions that involve only the time.
    pub(super) fn context(&self) -> Vec<(String, Expr)> {
        context(moment_facts!(attributes self), None)
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
    pub fn entities(&self) -> FactsResult<Vec<Entity>> {
        let mut all = issuer_entities(&self.issuer, &self.teamspace)?;
        all.push(self.teamspace.entity()?);
        Ok(all)
    }

    /// The context of `ConfigureIssuer`.
    pub fn context(&self) -> Vec<(String, Expr)> {
        LocalMoment { now: self.now, time_zone: &self.teamspace.time_zone }.context()
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

    /// The resource of `GrantDetail`, by the text of the detail.
    pub fn detail(text: &str) -> EntityUid {
        uid(&TYPES.detail, text)
    }

    /// The authorization details under decision.
    pub(in crate::policy) fn detail_entities(&self) -> FactsResult<Vec<Entity>> {
        self.details().iter().map(|candidate| self.detail_entity(candidate)).collect()
    }

    fn detail_entity(&self, DetailCandidate { detail, authorized }: &DetailCandidate) -> FactsResult<Entity> {
        let set = |texts: &mut dyn Iterator<Item = &str>| Expr::new_set(texts.map(text));
        let list = |name| set(&mut detail.list(name));
        let attributes = [
            ("type", text(detail.detail_type())),
            ("teamspace", Expr::new_entity_uid(self.teamspace())),
            ("locations", list("locations")),
            ("actions", list("actions")),
            ("datatypes", list("datatypes")),
            ("privileges", list("privileges")),
            ("tools", set(&mut detail.tools())),
            ("authorized", Expr::new_bool(*authorized)),
        ];
        let identifier = detail.text("identifier").map(|identifier| ("identifier", text(identifier)));
        let parents = [self.server(), self.teamspace()];
        entity(Self::detail(&detail.to_string()), attributes.into_iter().chain(identifier), parents)
    }

    /// The resource of `CallTool`.
    pub fn tool(name: &str) -> EntityUid {
        uid(&TYPES.tool, name)
    }

    /// A tool of the server.
    pub(in crate::policy) fn tool_entity(&self, name: &str) -> FactsResult<Entity> {
        let attributes = [
            ("name", text(name)),
            ("server", Expr::new_entity_uid(self.server())),
            ("teamspace", Expr::new_entity_uid(self.teamspace())),
        ];
        entity(Self::tool(name), attributes, [self.server(), self.teamspace()])
    }

    /// Every entity that a policy can reach from principal, resource or context.
    pub fn entities(&self) -> FactsResult<Vec<Entity>> {
        let mut all = self.surrounding_entities()?;
        all.push(self.user_entity()?);
        all.extend(self.detail_entities()?);
        Ok(all)
    }

    /// The entities that are the same for everybody of a teamspace with the same request.
    pub(in crate::policy) fn surrounding_entities(&self) -> FactsResult<Vec<Entity>> {
        let mut all = issuer_entities(&self.claims.iss, &self.teamspace)?;
        all.extend([self.client_entity()?, self.teamspace.entity()?, self.server_entity()?]);
        all.extend(self.scope_entities()?);
        Ok(all)
    }

    fn client_entity(&self) -> FactsResult<Entity> {
        let client = &self.client;
        let groups = client.groups.iter().map(|g| uid(&TYPES.client_group, g));
        let attributes = client_facts!(attributes client).map(|a| (a.name, a.value));
        entity(uid(&TYPES.client, &client.client_id), attributes, groups)
    }

    pub(in crate::policy) fn user_entity(&self) -> FactsResult<Entity> {
        let groups = self.groups().iter().map(|group| uid(&TYPES.group, self.group_id(group)));
        entity(self.user(), [], groups)
    }

    /// The server being decided on. Others that the assertion names appear as bare references.
    fn server_entity(&self) -> FactsResult<Entity> {
        let attributes = [
            ("url", text(&self.resource.identifier)),
            ("teamspace", Expr::new_entity_uid(self.teamspace())),
            ("published", Expr::new_bool(self.resource.published)),
        ];
        entity(self.server(), attributes, [self.teamspace()])
    }

    fn scope_entities(&self) -> FactsResult<Vec<Entity>> {
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

    /// The context of a question.
    pub fn context(&self, asked: Action) -> FactsResult<Vec<(String, Expr)>> {
        self.context_for(Some(asked))
    }

    /// One context for all questions of an exchange: a policy about another question cannot name attributes that only
    /// some questions have, since it would not pass validation.
    pub fn whole_context(&self) -> FactsResult<Vec<(String, Expr)>> {
        self.context_for(None)
    }

    /// The context of the questions about a token. Of a sign-in's facts, those that only some of its questions have
    /// are in it too, since no valid policy about a token names them.
    pub(in crate::policy) fn token_context(&self) -> FactsResult<Vec<(String, Expr)>> {
        let mut pairs = self.context_for(None)?;
        pairs.push(self.token_scopes());
        Ok(pairs)
    }

    /// The candidates of a sign-in that is over are the scopes of its token.
    fn token_scopes(&self) -> (String, Expr) {
        ("token_scopes".to_owned(), refs(&TYPES.scope, &self.candidates.scopes))
    }

    fn context_for(&self, asked: Option<Action>) -> FactsResult<Vec<(String, Expr)>> {
        let moment = &self.moment();
        let attributes = moment_facts!(attributes moment).chain(request_facts!(attributes self));
        let mut pairs = context(attributes, asked);
        pairs.push(("claims".to_owned(), self.claims.record()?));
        if asked.is_some_and(|asked| asked.topic() == Topic::Tools) {
            pairs.push(self.token_scopes());
        }
        Ok(pairs)
    }
}

/// Pairs as a context, evaluated once and used for every question that sees them.
pub fn to_context(pairs: Vec<(String, Expr)>) -> FactsResult<Context> {
    Context::from_pairs(pairs).map_err(FactsError::of)
}

impl ClaimFacts {
    fn record(&self) -> FactsResult<Expr> {
        let fields = claim_facts!(attributes self).map(|a| (a.name.to_owned(), a.value));
        Expr::new_record(fields).map_err(FactsError::of)
    }
}
