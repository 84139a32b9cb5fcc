//! Decides how much a teamspace may learn about policies. A policy that names another teamspace, or anyone or anything
//! outside this one, is hidden from it: on the wire, in its decision log and in explanations. Operators see
//! everything.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::resource::Resource;
use crate::oauth::error::{ErrorCode, Reason};
use crate::oauth::step_up::StepUp;
use crate::policy::{
    AnnotatedSet, CompiledPolicies, Denial, Explained, Name, Names, Policies, PolicyAnswer, PolicySource,
};
use crate::store::sign_ins::SignIn;
use crate::store::snapshot::{Snapshot, TeamspaceConfig};
use crate::store::{Store, StoreError, policy_sets};

/// The most compiled past sets that are kept.
const MAX_COMPILED: usize = 4;
/// The most past sets whose annotations are kept.
const MAX_PAST_SETS: usize = 16;

/// The request in question. Its sender knows these values; unknown ones are empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The client that made the request.
    pub client_id: &'a str,
    /// The `iss` of its assertion.
    pub issuer: &'a str,
    /// The `tenant` of its assertion.
    pub tenant: &'a str,
    /// The `sub` of its assertion.
    pub subject: &'a str,
    /// The email of its assertion, in lower case.
    pub email: &'a str,
    /// The scopes that it asked for.
    pub scopes: &'a [String],
}

/// The parts of a policy set that a teamspace may see.
pub struct Disclosure<'a> {
    /// The configuration that names are looked up in.
    pub snapshot: &'a Snapshot,
    /// The teamspace that is told.
    pub teamspace_config: &'a TeamspaceConfig,
    /// The request that it is told about.
    pub known: Known<'a>,
    /// The policies, with what each says and names.
    pub policies: &'a AnnotatedSet,
}

/// The public words of a refusal.
#[derive(Debug, PartialEq, Eq)]
pub struct PublicRefusal<'a> {
    /// The code on the wire.
    pub error: ErrorCode,
    /// The reason that may be told.
    pub reason: Reason,
    /// The text of the policy, or a neutral one.
    pub message: &'a str,
    /// The sign-in that would lift the refusal.
    pub step_up: Option<&'a StepUp>,
}

impl Disclosure<'_> {
    /// The public words of a refusal: those of the first policy behind it that may be shown, or else constant ones.
    pub fn of_denial<'d>(&'d self, denial: &'d Denial) -> PublicRefusal<'d> {
        let told = denial.policies.iter().filter(|id| self.tells(id));
        let said = told.filter_map(|id| self.policies.get(id)).next();
        match said {
            Some(said) => PublicRefusal {
                error: said.error,
                reason: said.reason.clone(),
                message: said.text(),
                step_up: said.step_up.as_ref(),
            },
            None if denial.policies.is_empty() => {
                let reason = denial.reasons.first().cloned().unwrap_or(Reason::POLICY_DENIED);
                PublicRefusal { error: denial.error, reason, message: &denial.message, step_up: None }
            }
            None => {
                let (error, message) = denial.neutral;
                PublicRefusal { error, reason: Reason::POLICY_DENIED, message, step_up: None }
            }
        }
    }

    /// Removes from a row what the teamspace may not learn. The row keeps its outcome.
    pub fn confine_row(&self, row: &mut SignIn) {
        // Empty when the request was refused before anything was decided.
        let Ok(mut answers) = serde_json::from_str::<Vec<PolicyAnswer>>(&row.decisions) else { return };
        let refusals = self.confine(answers.iter_mut());
        if let Some(reason) = refusals.reason(&row.reason) {
            row.reason = reason;
        }
        if let Some(detail) = refusals.detail(&row.detail) {
            row.detail = detail;
        }
        // Plain data always serializes; the reader would see the gap.
        row.decisions = serde_json::to_string(&answers).unwrap_or_default();
    }

    /// Removes from explained decisions what the teamspace may not learn.
    pub fn confine_explained(&self, decisions: &mut [Explained]) -> ConfinedReasons {
        for Explained { findings, .. } in decisions.iter_mut() {
            findings.retain(|finding| self.tells(&finding.policy));
        }
        self.confine(decisions.iter_mut().map(|explained| &mut explained.answer))
    }

    fn confine<'r>(&self, answers: impl Iterator<Item = &'r mut PolicyAnswer>) -> ConfinedReasons {
        let mut refusals = ConfinedReasons::default();
        for answer in answers {
            let (told, untold): (Vec<String>, Vec<String>) =
                std::mem::take(&mut answer.policies).into_iter().partition(|id| self.tells(id));
            let before = answer.reasons.clone();
            answer.reasons.retain(|reason| {
                let own = Reason::ALL.contains(&reason.as_str()) && !self.any_gives(&untold, reason);
                own || self.any_gives(&told, reason)
            });
            if answer.reasons.is_empty() && !before.is_empty() {
                answer.reasons.push(Reason::POLICY_DENIED);
            }
            answer.policies = told;
            refusals.0.push((before, answer.reasons.clone()));
        }
        refusals
    }

    fn any_gives(&self, policies: &[String], reason: &Reason) -> bool {
        policies.iter().filter_map(|id| self.policies.get(id)).any(|said| said.reason == *reason)
    }

    /// Whether a policy may be told.
    pub fn tells(&self, policy: &str) -> bool {
        self.policies.get(policy).is_some_and(|said| self.may_learn(&said.names))
    }

    fn may_learn(&self, names: &Names) -> bool {
        let confined = names.confined_to.as_ref() == Some(&self.teamspace_config.teamspace.slug);
        names.all.iter().all(|name| self.is_own(name, confined))
    }

    /// Whether a name is the teamspace's own, or already known from the request.
    fn is_own(&self, name: &Name, confined: bool) -> bool {
        let (slug, known) = (&self.teamspace_config.teamspace.slug, &self.known);
        match name {
            Name::Teamspace(named) => named == slug,
            Name::Group(id) => id.strip_prefix(slug.as_str()).is_some_and(|rest| rest.starts_with('/')),
            Name::Person(id) => self.is_own_person(id),
            Name::Issuer(issuer) => self.issuers().any(|own| own == issuer),
            // The other names belong to no teamspace. In a policy for this teamspace alone, they are this one's.
            _ if confined => true,
            Name::Server(id) => self.offered().any(|resource| resource.identifier == *id),
            Name::Scope(scope) => self.has_scope(scope),
            Name::Client(id) => id == known.client_id,
            Name::Subject(text) => matches(text, known.subject),
            Name::Tenant(text) => matches(text, known.tenant),
            Name::Email(text) => {
                let domain = text.strip_prefix("*@").is_some_and(|domain| self.has_domain(domain));
                domain || matches(text, known.email)
            }
            Name::EmailDomain(domain) => self.has_domain(domain),
            Name::Url(text) => self.is_own_url(text),
            Name::Unknown => false,
        }
    }

    /// Whether a person's issuer and tenant are the request's, or lead to this teamspace. Other teamspaces may have
    /// the same issuer.
    fn is_own_person(&self, id: &str) -> bool {
        let Some((issuer, rest)) = id.split_once('|') else { return false };
        let Some((tenant, _)) = rest.split_once('|') else { return false };
        let is_known = !issuer.is_empty() && issuer == self.known.issuer && tenant == self.known.tenant;
        let tenant = (!tenant.is_empty()).then_some(tenant);
        let slug = self.teamspace_config.teamspace.slug.as_str();
        let leads_here = self.snapshot.providers_of(issuer).and_then(|providers| {
            let of_some = providers.select(tenant, None);
            of_some.or_else(|| providers.select(tenant, Some(slug)))
        });
        is_known || leads_here.is_some_and(|trusted| trusted.teamspace_config.teamspace.slug == slug)
    }

    fn issuers(&self) -> impl Iterator<Item = &str> {
        let configured =
            self.teamspace_config.identity_providers.iter().map(|provider| provider.issuer.as_str());
        configured.chain([self.known.issuer]).filter(|issuer| !issuer.is_empty())
    }

    fn offered(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.snapshot
            .resources()
            .filter(|resource| resource.is_published_to(&self.teamspace_config.teamspace.slug))
    }

    fn has_scope(&self, scope: &String) -> bool {
        let listed = |resource: &Arc<Resource>| {
            resource.scopes.iter().any(|known| known.name == *scope)
                || resource.default_scopes.contains(scope)
        };
        let mut settings =
            self.teamspace_config.identity_providers.iter().map(|provider| provider.scope.as_str());
        self.known.scopes.contains(scope)
            || settings.any(|setting| setting.split_whitespace().any(|known| known == scope))
            || self.offered().any(listed)
    }

    /// Whether a domain is the teamspace's or the person's, or above or below one of them.
    fn has_domain(&self, domain: &str) -> bool {
        let domain = domain.strip_prefix("*.").unwrap_or(domain);
        let below = |one: &str, other: &str| one.strip_suffix(other).is_some_and(|rest| rest.ends_with('.'));
        let person = self.known.email.rsplit_once('@').map(|(_, domain)| domain);
        let mut own = self.teamspace_config.teamspace.email_domains.iter().map(String::as_str).chain(person);
        own.any(|own| own == domain || below(own, domain) || below(domain, own))
    }

    /// Whether a text that a URL is compared with names no host, or one of the teamspace's.
    fn is_own_url(&self, text: &str) -> bool {
        !text.contains(['.', ':'])
            || self.issuers().any(|issuer| matches(text, issuer))
            || self.offered().any(|resource| matches(text, &resource.identifier))
    }
}

/// The reasons behind each answer, before and after some were removed.
#[derive(Debug, Default)]
pub struct ConfinedReasons(Vec<(Vec<Reason>, Vec<Reason>)>);

impl ConfinedReasons {
    /// The reason to show in place of one that a policy gave.
    pub fn reason(&self, reason: &str) -> Option<String> {
        let first = |reasons: &[Reason]| reasons.first().map(|first| first.as_str().to_owned());
        let (_, told) = self.0.iter().find(|(before, _)| first(before).as_deref() == Some(reason))?;
        first(told)
    }

    /// The detail to show in place of one that lists, or begins with, hidden reasons.
    pub fn detail(&self, detail: &str) -> Option<String> {
        let listed = |reasons: &[Reason]| reasons.iter().map(Reason::as_str).collect::<Vec<_>>().join(", ");
        let all = self.0.iter().find(|(before, _)| !before.is_empty() && listed(before) == detail);
        all.map(|(_, told)| listed(told)).or_else(|| self.reason(detail))
    }
}

/// Whether a text matches a pattern, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').map_or((None, rest), |(middle, end)| (Some(middle), end));
    for part in middle.into_iter().flat_map(|middle| middle.split('*')) {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(end)
}

/// The past policy sets that were asked for recently.
#[derive(Default)]
pub struct PastSets {
    annotations: Mutex<Vec<(String, Arc<AnnotatedSet>)>>,
    compiled: Mutex<Vec<(String, Arc<CompiledPolicies>)>>,
}

impl PastSets {
    fn get(&self, hash: &str) -> Option<Arc<AnnotatedSet>> {
        let known = self.annotations.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(known, _)| known == hash).map(|(_, set)| Arc::clone(set))
    }

    fn put(&self, hash: String, set: &Arc<AnnotatedSet>) {
        let mut known = self.annotations.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_PAST_SETS {
            known.remove(0);
        }
        known.push((hash, Arc::clone(set)));
    }

    /// The annotations of the set with this hash. For a set that is no longer known, the one in force is used: what it
    /// may not show is not shown of the other either.
    pub async fn annotations(
        &self,
        store: &Store,
        in_force: &Policies,
        hash: &str,
    ) -> Result<Arc<AnnotatedSet>, StoreError> {
        let current = || Ok(Arc::clone(in_force.compiled.annotations()));
        if in_force.hash == hash || hash.is_empty() {
            return current();
        }
        if let Some(known) = self.get(hash) {
            return Ok(known);
        }
        let wanted = hash.to_owned();
        let Some(kept) = store.read(move |c| policy_sets::find(c, &wanted)).await? else { return current() };
        let Ok(source) = PolicySource::from_content(&kept.content) else { return current() };
        // A set may be large.
        let parsed = tokio::task::spawn_blocking(move || source.annotations()).await;
        let set = Arc::new(parsed.unwrap_or_default());
        self.put(kept.hash, &set);
        Ok(set)
    }

    /// The set with this hash, compiled; none when it is no longer known or cannot be compiled.
    pub async fn compiled(
        &self,
        store: &Store,
        hash: &str,
    ) -> Result<Option<Arc<CompiledPolicies>>, StoreError> {
        let lock = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().iter().find(|(known, _)| known == hash).map(|(_, set)| Arc::clone(set));
        if known.is_some() {
            return Ok(known);
        }
        let wanted = hash.to_owned();
        let Some(kept) = store.read(move |c| policy_sets::find(c, &wanted)).await? else { return Ok(None) };
        let compiled = tokio::task::spawn_blocking(move || compile(&kept.content)).await;
        let Some(set) = compiled.unwrap_or_default().map(Arc::new) else { return Ok(None) };
        let mut known = lock();
        if known.len() >= MAX_COMPILED {
            known.remove(0);
        }
        known.push((hash.to_owned(), Arc::clone(&set)));
        Ok(Some(set))
    }
}

fn compile(content: &str) -> Option<CompiledPolicies> {
    let validated = PolicySource::from_content(content).ok()?.past().validate().ok()?;
    CompiledPolicies::compile(&validated.set, &validated.schema, validated.declared).ok()
}
