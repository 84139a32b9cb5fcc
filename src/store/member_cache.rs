//! A cache of members by subject: the sign-in of a cached member reads nothing from the database.
//!
//! An entry is valid until an administrator changes a member of its teamspace: a changed, unlinked or removed member
//! is looked up again. The write checks the generation of the configuration once more.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use foldhash::quality::RandomState;

use super::member_lookup::SubjectClaims;
use super::members::Identity;
use crate::model::member::Member;

/// The most entries in each of the two generations, about 400 bytes each.
const GENERATION_SIZE: usize = 8192;
/// Most teamspaces with a minimum of their own.
const MAX_TEAMSPACES: usize = 10_000;

/// (teamspace, issuer, tenant, subject)
type SubjectKey = (String, String, String, String);
/// A member, with the generation of the configuration at which it was looked up, or a later one.
type CachedMember = (i64, Member);

/// The bound members by subject.
#[derive(Default)]
pub struct MemberCache(RwLock<Generations>);

/// When the young generation is full, it becomes the old one, and members that have not signed in since are dropped.
#[derive(Default)]
struct Generations {
    young: HashMap<SubjectKey, CachedMember, RandomState>,
    old: HashMap<SubjectKey, CachedMember, RandomState>,
    /// The earliest configuration generation at which a teamspace's entries are valid.
    min_generations: HashMap<String, i64>,
    /// The earliest configuration generation at which any entry is valid.
    min_generation: i64,
}

fn key(subject: &Identity) -> SubjectKey {
    let Identity { teamspace_id, issuer, tenant, subject, .. } = subject.clone();
    (teamspace_id, issuer, tenant, subject)
}

impl Generations {
    fn min_generation_of(&self, teamspace_id: &str) -> i64 {
        self.min_generations.get(teamspace_id).copied().unwrap_or_default().max(self.min_generation)
    }

    fn put(&mut self, key: SubjectKey, entry: CachedMember) {
        if self.young.len() >= GENERATION_SIZE {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }
}

impl MemberCache {
    /// The member that the subject is bound to, if nothing else needs checking: an email, account or link other
    /// than the member's own could be somebody else's.
    pub fn find(&self, asserted: &SubjectClaims) -> Option<Member> {
        let key = key(&asserted.subject);
        let generations = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let min_generation = generations.min_generation_of(&asserted.subject.teamspace_id);
        let young = generations.young.get(&key);
        let (generation, member) =
            young.or_else(|| generations.old.get(&key)).filter(|(at, _)| *at >= min_generation)?;
        let own = |claim: &Option<String>, own: &str| claim.as_deref().is_none_or(|claim| claim == own);
        let is_linked = asserted.linking.value().is_none_or(|value| member.link.as_ref() == Some(value));
        if !own(&asserted.email, &member.email) || !own(&asserted.account, &member.id) || !is_linked {
            return None;
        }
        let (generation, member, stays) = (*generation, member.clone(), young.is_some());
        drop(generations);
        if !stays {
            let mut generations = self.0.write().unwrap_or_else(PoisonError::into_inner);
            generations.put(key, (generation, member.clone()));
        }
        Some(member)
    }

    /// Caches a member that was read from the database at a generation or later.
    pub fn note(&self, subject: &Identity, generation: i64, member: &Member) {
        let mut generations = self.0.write().unwrap_or_else(PoisonError::into_inner);
        generations.put(key(subject), (generation, member.clone()));
    }

    /// Forgets a subject whose member is not as cached.
    pub fn forget(&self, subject: &Identity) {
        let mut generations = self.0.write().unwrap_or_else(PoisonError::into_inner);
        generations.young.remove(&key(subject));
        generations.old.remove(&key(subject));
    }

    /// Drops the members of a teamspace that were read before a generation that changed some of them.
    pub fn forget_teamspace(&self, teamspace_id: &str, generation: i64) {
        let mut generations = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if generations.min_generations.len() >= MAX_TEAMSPACES {
            generations.min_generations.clear();
            generations.min_generation = generation;
        }
        generations.min_generations.insert(teamspace_id.to_owned(), generation);
    }

    /// Drops everything that was read before a generation.
    pub fn forget_all(&self, generation: i64) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) =
            Generations { min_generation: generation, ..Generations::default() };
    }
}
