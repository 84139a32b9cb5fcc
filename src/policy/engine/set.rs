//! A policy set in force, ready to be asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Effect, Entities, Entity, EntityUid, Policy, PolicyId,
    PolicySet, Request, Schema,
};

use super::annotations::{AnnotatedSet, Annotations};
use super::clauses::PolicyFinding;
use super::constraints;
use super::constraints::{is_about, is_of_console, resource_key};
use super::denial::{Denial, EngineAnswer};
use super::reads::{FactDependencies, SetDependencies};
use super::references::References;
use super::slices::{Slice, Slices, actions_of, slice_up};
use crate::oauth::error::Reason;
use crate::policy::action::{Action, Topic};
use crate::policy::facts::{DeclaredClaims, Facts, FactsError, Surroundings, Wanted, action_uid, is_group};
use crate::policy::source::depth;

/// The most policies that explain one answer.
const MAX_FINDINGS: usize = 50;

/// The most combinations that are kept; beyond that, the memory is emptied.
const MAX_SURROUNDINGS: usize = 500;

/// A validated policy set, ready to be asked.
#[derive(Debug)]
pub struct PolicyEngine {
    slices: Slices,
    annotations: Arc<AnnotatedSet>,
    actions: HashMap<Action, EntityUid>,
    /// The action groups of the schema. Without them `action in Action::"…"` would match nothing, and a forbid in that
    /// form would be skipped.
    action_entities: Entities,
    /// The action groups of questions about sign-ins and tools. The entities of a sign-in stay as few as possible.
    sign_in_entities: Entities,
    /// Those of questions about the console.
    console_entities: Entities,
    decides_console: bool,
    decides_tools: bool,
    /// The entities around a person, kept so that they are not built for each sign-in.
    known_surroundings: RwLock<HashMap<Surroundings, Entities>>,
    /// The ids of the directory groups that policies name.
    named_groups: BTreeSet<String>,
    references: References,
    reads: SetDependencies,
    declared: DeclaredClaims,
    wanted: Wanted,
    authorizer: Authorizer,
}

/// One question.
pub struct Question<'a> {
    pub action: Action,
    pub principal: EntityUid,
    pub resource: EntityUid,
    /// The resource's ancestors.
    pub ancestors: Vec<EntityUid>,
    pub context: &'a Context,
    pub entities: &'a Entities,
}

impl PolicyEngine {
    /// Slices a set that was validated against the schema, with ids from `@id`. The custom claims are the schema's.
    pub fn compile(set: &PolicySet, schema: &Schema, declared: DeclaredClaims) -> Result<Self, String> {
        let action_entities = schema.action_entities().map_err(|e| e.to_string())?;
        let actions: HashMap<Action, EntityUid> =
            Action::ALL.into_iter().map(|action| (action, action_uid(action.name()))).collect();
        // Cedar builds the walkable form of a policy recursively.
        let (slices, reads, annotations, claims) = depth::with_stack(|| {
            let annotations = AnnotatedSet::of(set.policies().map(|policy| (policy.id().clone(), policy)));
            let (slices, reads) = slice_up(set, &actions, &action_entities, &declared)?;
            let claims = claims_read(set, &reads, &declared);
            Ok::<_, String>((slices, reads, annotations, claims))
        })?;
        let named_groups = set
            .policies()
            .flat_map(Policy::entity_literals)
            .filter(is_group)
            .map(|group| group.id().unescaped().to_owned())
            .collect();
        let references = References::of(&annotations, claims);
        let (console, sign_in) = action_entities.iter().cloned().partition(|e| is_of_console(&e.uid()));
        let entities = |of: Vec<Entity>| Entities::from_entities(of, None).map_err(|e| e.to_string());
        Ok(Self {
            slices,
            annotations: Arc::new(annotations),
            actions,
            sign_in_entities: entities(sign_in)?,
            console_entities: entities(console)?,
            decides_console: is_about(Topic::Console, set, &action_entities),
            decides_tools: is_about(Topic::Tools, set, &action_entities),
            action_entities,
            known_surroundings: RwLock::default(),
            named_groups,
            references,
            wanted: reads.wanted(&declared),
            reads,
            declared,
            authorizer: Authorizer::new(),
        })
    }

    /// Replaces or removes one policy, for trying changes on cases. Annotations and remembered decisions stay.
    pub(in crate::policy) fn swap(
        &mut self,
        old: Option<&Policy>,
        new: Option<&Policy>,
    ) -> Result<(), String> {
        depth::with_stack(|| {
            if let Some(policy) = old {
                for action in actions_of(policy, &self.actions, &self.action_entities) {
                    let slices = self.slices.entry(action).or_default();
                    slices.entry(resource_key(policy)).or_default().remove(policy, action, &self.declared)?;
                }
            }
            if let Some(policy) = new {
                for action in actions_of(policy, &self.actions, &self.action_entities) {
                    let slices = self.slices.entry(action).or_default();
                    slices.entry(resource_key(policy)).or_default().add(policy, action, &self.declared)?;
                }
            }
            Ok(())
        })
    }

    /// Every policy.
    pub fn ids(&self) -> impl Iterator<Item = String> {
        let ids: BTreeSet<String> = self.annotations.iter().map(|(id, _)| id.to_string()).collect();
        ids.into_iter()
    }

    /// Whether a policy permits or forbids.
    pub fn effect(&self, id: &str) -> Option<Effect> {
        self.annotations.get(id).map(|said| said.effect)
    }

    /// Whether a policy is about sign-ins; else it is about tools or the console alone, or about nothing.
    pub fn is_about_sign_ins(&self, id: &str) -> bool {
        let id = PolicyId::new(id);
        let of_sign_ins = self.slices.iter().filter(|(action, _)| action.topic() == Topic::SignIns);
        of_sign_ins.flat_map(|(_, slices)| slices.values()).any(|slice| slice.all.policy(&id).is_some())
    }

    /// Whether a policy has conditions beyond its scope, in a `when` or `unless`.
    pub fn is_conditional(&self, id: &str) -> bool {
        self.annotations.get(id).is_some_and(|said| said.conditional)
    }

    /// The annotations of its policies.
    pub fn annotations(&self) -> &Arc<AnnotatedSet> {
        &self.annotations
    }

    /// The permits that an action has.
    pub fn permits(&self, action: Action) -> impl Iterator<Item = String> {
        let slices = self.slices.get(&action).into_iter().flat_map(HashMap::values);
        slices.flat_map(|slice| slice.permits.policies()).map(|policy| policy.id().to_string())
    }

    /// The ids of the directory groups that policies name, `<teamspace>/<group>`.
    pub(in crate::policy) fn named_groups(&self) -> &BTreeSet<String> {
        &self.named_groups
    }

    /// The configured names that its policies use.
    pub fn references(&self) -> &References {
        &self.references
    }

    /// The facts about the person and the moment that its policies read.
    pub(in crate::policy) fn reads(&self) -> &SetDependencies {
        &self.reads
    }

    /// The facts that are collected only if a policy reads them.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// The custom claims that its schema declares.
    pub fn declared_claims(&self) -> &DeclaredClaims {
        &self.declared
    }

    /// Whether a decision on a newcomer depends on the number of taken seats, beyond whether one is free.
    pub fn reads_seats_used(&self) -> bool {
        self.reads.seats_used()
    }

    /// The facts that policies read in the questions that these facts raise.
    pub(in crate::policy) fn reads_about(&self, facts: &Facts) -> Vec<FactDependencies> {
        let scopes = facts.candidates.scopes.iter().map(|scope| Facts::scope(scope));
        let details = facts.details().iter().map(|candidate| Facts::detail(&candidate.detail.to_string()));
        let named = [facts.teamspace(), facts.server()].into_iter().chain(scopes).chain(details);
        let keys: Vec<Option<EntityUid>> = std::iter::once(None).chain(named.map(Some)).collect();
        let by_resource = facts.actions().filter_map(|action| self.slices.get(&action));
        let slices = by_resource.flat_map(|slices| keys.iter().filter_map(|key| slices.get(key)));
        slices.map(|slice| slice.reads.of(facts)).collect()
    }

    /// Whether a policy of the set gives this reason.
    pub fn gives_reason(&self, reason: &str) -> bool {
        self.annotations.iter().any(|(_, said)| said.reason.as_str() == reason)
    }

    /// These entities and the action groups of sign-ins.
    pub(in crate::policy) fn world(&self, entities: Vec<Entity>) -> Result<Entities, FactsError> {
        self.sign_in_entities.clone().add_entities(entities, None).map_err(FactsError::of)
    }

    /// These entities and the action groups of the console.
    pub(in crate::policy) fn console_world(&self, entities: Vec<Entity>) -> Result<Entities, FactsError> {
        self.console_entities.clone().add_entities(entities, None).map_err(FactsError::of)
    }

    /// Whether its policies decide about a topic; otherwise the shipped ones do.
    pub fn decides(&self, topic: Topic) -> bool {
        match topic {
            Topic::SignIns => true,
            Topic::Tools => self.decides_tools,
            Topic::Console => self.decides_console,
        }
    }

    /// Everything that the questions of an exchange can reach. It depends on the facts alone, so the result is reused
    /// for equal facts.
    pub fn world_of(&self, facts: &Facts) -> Result<Entities, FactsError> {
        let key = facts.surroundings();
        let known = self.known_surroundings.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let surroundings = match known {
            Some(known) => known,
            None => {
                let made = self.world(facts.surrounding_entities()?)?;
                let mut known = self.known_surroundings.write().unwrap_or_else(PoisonError::into_inner);
                if known.len() >= MAX_SURROUNDINGS {
                    known.clear();
                }
                known.insert(key, made.clone());
                made
            }
        };
        // A person has no attributes; a person without groups is the same as a missing one.
        let person = (!facts.groups().is_empty()).then(|| facts.user_entity()).transpose()?;
        if person.is_none() && facts.details().is_empty() {
            return Ok(surroundings);
        }
        let own = person.into_iter().chain(facts.detail_entities()?);
        surroundings.add_entities(own, None).map_err(FactsError::of)
    }

    /// Asks one question. Any evaluation error is a denial: Cedar would skip a failing forbid, and so fail open.
    pub fn ask(&self, question: &Question<'_>) -> EngineAnswer {
        let Some(request) = self.request(question) else { return self.undecidable(Vec::new()) };
        let (mut permits, mut forbids, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        let slices = self.slices_of(question);
        for slice in &slices {
            let response = self.authorizer.is_authorized(&request, &slice.all, question.entities);
            let determining = response.diagnostics().reason().cloned();
            match response.decision() {
                Decision::Allow => permits.extend(determining),
                Decision::Deny => forbids.extend(determining),
            }
            errors.extend(response.diagnostics().errors().map(erring_policy));
        }
        if !errors.is_empty() {
            return self.undecidable(errors);
        }
        if forbids.is_empty() && !permits.is_empty() {
            let lifetimes = permits.iter().filter_map(|id| self.annotations.of_id(id)?.lifetime);
            return EngineAnswer { lifetime: lifetimes.min(), policies: ids(permits), denial: None };
        }
        let unmet = self.unmet_permits(&slices, &request, question);
        self.denied(unmet, forbids)
    }

    /// The part that each policy named in an answer had in it.
    pub(in crate::policy) fn findings(
        &self,
        question: &Question<'_>,
        named: &[String],
    ) -> Vec<PolicyFinding> {
        let Some(request) = self.request(question) else { return Vec::new() };
        let slices = self.slices_of(question);
        let policy = |id: &String| slices.iter().find_map(|slice| slice.all.policy(&PolicyId::new(id)));
        // A clause is printed and parsed again, with more brackets than its author wrote.
        let finding = |p: &Policy| depth::with_stack(|| PolicyFinding::of(p, &request, question.entities));
        named.iter().filter_map(policy).take(MAX_FINDINGS).map(finding).collect()
    }

    /// Every policy about an action, by id.
    pub(in crate::policy) fn about(&self, action: Action) -> BTreeMap<&PolicyId, &Policy> {
        let slices = self.slices.get(&action).into_iter().flat_map(HashMap::values);
        slices.flat_map(|slice| slice.all.policies()).map(|policy| (policy.id(), policy)).collect()
    }

    /// The question as Cedar takes it.
    pub(in crate::policy) fn request(&self, question: &Question<'_>) -> Option<Request> {
        let action = self.actions.get(&question.action)?.clone();
        let context = question.context.clone();
        // The schema is not passed: the facts' types guarantee what the check would find, and a test checks that.
        Request::new(question.principal.clone(), action, question.resource.clone(), context, None).ok()
    }

    fn slices_of(&self, question: &Question<'_>) -> Vec<&Slice> {
        self.slices_at(question.action, &question.resource, &question.ancestors)
    }

    /// The slices of an action with policies that can match a resource.
    pub(super) fn slices_at(
        &self,
        action: Action,
        resource: &EntityUid,
        ancestors: &[EntityUid],
    ) -> Vec<&Slice> {
        let Some(by_resource) = self.slices.get(&action) else { return Vec::new() };
        let literals = std::iter::once(resource).chain(ancestors);
        let keys = std::iter::once(None).chain(literals.map(|uid| Some(uid.clone())));
        keys.filter_map(|key| by_resource.get(&key)).collect()
    }

    /// When nothing permitted, the permits that could have: those whose head is about this question.
    fn unmet_permits(&self, slices: &[&Slice], request: &Request, question: &Question<'_>) -> Vec<PolicyId> {
        let allowed = |slice: &&Slice| {
            self.authorizer.is_authorized(request, &slice.permits, question.entities).decision()
                == Decision::Allow
        };
        if slices.iter().any(allowed) {
            return Vec::new();
        }
        let permits = slices.iter().flat_map(|slice| slice.permits.policies());
        let about = permits.filter(|permit| constraints::unmet(permit, request, question.entities).is_none());
        about.map(|permit| permit.id().clone()).collect()
    }

    /// Unmet permits come first, then the forbids that applied; last those that another sign-in lifts, since it helps only
    /// if nothing else is in the way.
    fn denied(&self, mut unmet: Vec<PolicyId>, mut forbids: Vec<PolicyId>) -> EngineAnswer {
        let can_be_lifted =
            |id: &PolicyId| self.annotations.of_id(id).is_some_and(|said| said.step_up.is_some());
        unmet.sort();
        forbids.sort_by_cached_key(|id| (can_be_lifted(id), id.clone()));
        let against: Vec<PolicyId> = unmet.into_iter().chain(forbids).collect();
        let said: Vec<&Annotations> = against.iter().filter_map(|id| self.annotations.of_id(id)).collect();
        let mut reasons: Vec<Reason> = Vec::new();
        for annotations in &said {
            if !reasons.contains(&annotations.reason) {
                reasons.push(annotations.reason.clone());
            }
        }
        let policies = against.iter().map(ToString::to_string).collect();
        let denial = match said.first() {
            Some(first) => {
                Denial { policies, reasons, ..Denial::of(first.error, first.reason.clone(), first.text()) }
            }
            None => Denial::unpermitted(),
        };
        EngineAnswer::denied(ids(against), denial)
    }

    fn undecidable(&self, errors: Vec<PolicyId>) -> EngineAnswer {
        EngineAnswer::undecidable(ids(errors))
    }
}

/// Each custom claim that is read, with each policy that reads it.
fn claims_read(set: &PolicySet, reads: &SetDependencies, declared: &DeclaredClaims) -> Vec<(String, String)> {
    if declared.read(reads.custom_claims()).is_empty() {
        return Vec::new();
    }
    let of = |policy: &Policy| {
        let (mut own, id) = (SetDependencies::default(), policy.id().to_string());
        own.add(policy, &Action::ALL, declared);
        declared.read(own.custom_claims()).into_keys().map(move |claim| (claim, id.clone()))
    };
    set.policies().flat_map(of).collect()
}

fn erring_policy(error: &AuthorizationError) -> PolicyId {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id().clone(),
    }
}

fn ids(mut policies: Vec<PolicyId>) -> Vec<String> {
    policies.sort();
    policies.iter().map(ToString::to_string).collect()
}
