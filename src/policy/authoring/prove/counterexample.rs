//! A request that the solver found, confirmed by the ordinary authorizer, and shown to people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Entities, EntityUid, EvalResult, PolicyId, PolicySet,
};
use cedar_policy_symcc::Env;
use serde::Serialize;

use super::assumptions::Assumptions;
use super::solver::Undecided;
use crate::policy::{PolicyFile, Validated};

/// A request with everything that a policy can see of it; values are written as Cedar writes them.
#[derive(Debug, Clone, Serialize)]
pub struct FoundCase {
    /// The action of the request, such as `Action::"GrantScope"`.
    pub action: String,
    /// The request's principal.
    pub principal: String,
    /// The request's resource.
    pub resource: String,
    /// The request's context by attribute. Members of `claims` are written `claims.…`.
    pub context: BTreeMap<String, String>,
    /// The entities that the request leads to, but for those about which nothing is known.
    pub entities: Vec<Described>,
}

/// An entity that has attributes or parents.
#[derive(Debug, Clone, Serialize)]
pub struct Described {
    /// The entity as policies write it, such as `Group::"acme/engineering"`.
    pub entity: String,
    /// Every entity that it is in, directly or not.
    pub parents: Vec<String>,
    /// Its attributes by their names.
    pub attributes: BTreeMap<String, String>,
}

/// A policy that determined a decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DecidingPolicy {
    /// The policy's `@id`.
    pub id: String,
    /// The name of its file.
    pub file: String,
}

/// The answer of a policy set to a case.
#[derive(Debug, Clone, Serialize)]
pub struct FoundAnswer {
    /// Whether the set permits it.
    pub allowed: bool,
    /// The permits or forbids that determined it; none when nothing permitted.
    pub policies: Vec<DecidingPolicy>,
}

impl FoundCase {
    pub(super) fn of(env: &Env) -> Self {
        let request = &env.request;
        let shown = |uid: Option<&EntityUid>| uid.map(ToString::to_string).unwrap_or_default();
        let context = context(env);
        let named = request.principal().into_iter().chain(request.resource()).cloned();
        let mut reached: BTreeSet<EntityUid> = named.collect();
        context.values().for_each(|value| mentions(value, &mut reached));
        Self {
            action: shown(request.action()),
            principal: shown(request.principal()),
            resource: shown(request.resource()),
            context: context.into_iter().map(|(name, value)| (name, value.to_string())).collect(),
            entities: described(reached, &env.entities),
        }
    }
}

/// Describes these entities and those that they lead to, by attributes and upwards; others are the solver's
/// inventions.
fn described(named: BTreeSet<EntityUid>, entities: &Entities) -> Vec<Described> {
    let (mut waiting, mut told) = (named, BTreeMap::new());
    while let Some(uid) = waiting.pop_first() {
        let Some(entity) = entities.get(&uid).filter(|_| !told.contains_key(&uid)) else { continue };
        let parents: BTreeSet<EntityUid> = entities.ancestors(&uid).into_iter().flatten().cloned().collect();
        let attributes: BTreeMap<&str, EvalResult> =
            entity.attrs().filter_map(|(name, value)| Some((name, value.ok()?))).collect();
        attributes.values().for_each(|value| mentions(value, &mut waiting));
        let described = Described {
            entity: uid.to_string(),
            parents: parents.iter().map(ToString::to_string).collect(),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.to_string()))
                .collect(),
        };
        waiting.extend(parents);
        told.insert(uid, described);
    }
    told.retain(|_, entity| !(entity.parents.is_empty() && entity.attributes.is_empty()));
    told.into_values().collect()
}

/// Adds the entities that the value names.
fn mentions(value: &EvalResult, into: &mut BTreeSet<EntityUid>) {
    match value {
        EvalResult::EntityUid(uid) => drop(into.insert(uid.clone())),
        EvalResult::Set(set) => set.iter().for_each(|value| mentions(value, into)),
        EvalResult::Record(record) => record.iter().for_each(|(_, value)| mentions(value, into)),
        _ => {}
    }
}

fn context(env: &Env) -> BTreeMap<String, EvalResult> {
    let mut values = BTreeMap::new();
    let Some(context) = env.request.context() else { return values };
    for (name, _) in context.clone() {
        match context.get(&name) {
            Some(EvalResult::Record(fields)) => {
                values.extend(fields.iter().map(|(field, value)| (format!("{name}.{field}"), value.clone())));
            }
            Some(value) => drop(values.insert(name, value)),
            None => {}
        }
    }
    values
}

impl fmt::Display for FoundCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.action)?;
        writeln!(f, "  principal {}", self.principal)?;
        writeln!(f, "  resource  {}", self.resource)?;
        for entity in &self.entities {
            write!(f, "  {entity}")?;
        }
        writeln!(f, "  context")?;
        self.context.iter().try_for_each(|(name, value)| writeln!(f, "    {name}: {value}"))
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parents.is_empty() {
            true => writeln!(f, "{}", self.entity)?,
            false => writeln!(f, "{} in [{}]", self.entity, self.parents.join(", "))?,
        }
        self.attributes.iter().try_for_each(|(name, value)| writeln!(f, "    {name}: {value}"))
    }
}

impl fmt::Display for DecidingPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id, self.file)
    }
}

impl fmt::Display for FoundAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policies: Vec<String> = self.policies.iter().map(ToString::to_string).collect();
        match (self.allowed, policies.is_empty()) {
            (true, _) => write!(f, "permitted by {}", policies.join(", ")),
            (false, true) => write!(f, "denied, since no policy permits it"),
            (false, false) => write!(f, "denied by {}", policies.join(", ")),
        }
    }
}

impl FoundAnswer {
    /// The authorizer's answer, without any solver.
    pub(super) fn of(policies: &Validated, env: &Env) -> Self {
        let (allowed, ids) = decide(&policies.set, env);
        let policies = ids.iter().map(|id| DecidingPolicy::find(id.as_ref(), &policies.files)).collect();
        Self { allowed, policies }
    }
}

impl DecidingPolicy {
    pub(super) fn find(id: &str, files: &[PolicyFile]) -> Self {
        let file = files.iter().find(|file| file.policies.iter().any(|other| other == id));
        Self { id: id.to_owned(), file: file.map(|file| file.name.clone()).unwrap_or_default() }
    }
}

/// Whether the set allows the request, and the ids of the policies that determined that.
pub(super) fn decide(set: &PolicySet, env: &Env) -> (bool, Vec<PolicyId>) {
    let response = Authorizer::new().is_authorized(&env.request, set, &env.entities);
    let mut ids: Vec<PolicyId> = response.diagnostics().reason().cloned().collect();
    ids.sort();
    (response.decision() == Decision::Allow, ids)
}

/// The errors of evaluating the set.
pub(super) fn errors(set: &PolicySet, env: &Env) -> Vec<String> {
    let response = Authorizer::new().is_authorized(&env.request, set, &env.entities);
    let told = |error: &AuthorizationError| match error {
        AuthorizationError::PolicyEvaluationError(error) => error.inner().to_string(),
    };
    response.diagnostics().errors().map(told).collect()
}

/// Accepts a counterexample only if the solver's model of Cedar and Cedar itself agree on it.
pub(super) fn confirm(as_found: bool, env: &Env, assumptions: &Assumptions) -> Result<(), Undecided> {
    let possible = PolicySet::from_policies([assumptions.holds().clone()]).map_err(Undecided::because)?;
    match as_found && decide(&possible, env).0 {
        true => Ok(()),
        false => {
            let case = FoundCase::of(env);
            Err(Undecided::because(format!(
                "the authorizer does not confirm the solver's counterexample: {case}"
            )))
        }
    }
}
