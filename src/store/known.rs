//! Members whose subject was looked up before: a known person's sign-in reads nothing from the database.
//!
//! An entry holds until an administrator changes a member of its teamspace: a changed, unlinked or removed
//! member is looked up again. The write checks the generation of the configuration once more.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use foldhash::quality::RandomState;

use super::members::{Asserted, Identity};
use crate::model::member::Member;

/// Most entries of either half; some 400 bytes each.
const HALF: usize = 8192;
/// Most teamspaces whose last change is remembered by itself.
const FLOORS: usize = 10_000;

/// (teamspace, issuer, tenant, subject)
type Key = (String, String, String, String);
/// With the generation at which it was looked up, or later.
type Entry = (i64, Member);

/// The bound members by subject.
#[derive(Default)]
pub struct KnownMembers(RwLock<Halves>);

/// When the young half is full it becomes the old one: who did not sign in since is forgotten.
#[derive(Default)]
struct Halves {
    young: HashMap<Key, Entry, RandomState>,
    old: HashMap<Key, Entry, RandomState>,
    /// Entries of these teamspaces must be as new as this.
    floors: HashMap<String, i64>,
    /// And all entries as new as this.
    floor: i64,
}

fn key(subject: &Identity) -> Key {
    let Identity { teamspace_id, issuer, tenant, subject, .. } = subject.clone();
    (teamspace_id, issuer, tenant, subject)
}

impl Halves {
    fn floor_of(&self, teamspace_id: &str) -> i64 {
        self.floors.get(teamspace_id).copied().unwrap_or_default().max(self.floor)
    }

    fn put(&mut self, key: Key, entry: Entry) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }
}

impl KnownMembers {
    /// The member whom the subject is bound to, if that is all there is to find out: an email or account
    /// other than the member's own could be somebody else's.
    pub fn find(&self, asserted: &Asserted) -> Option<Member> {
        let key = key(&asserted.subject);
        let halves = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let floor = halves.floor_of(&asserted.subject.teamspace_id);
        let young = halves.young.get(&key);
        let (generation, member) = young.or_else(|| halves.old.get(&key)).filter(|(at, _)| *at >= floor)?;
        let own = |claim: &Option<String>, own: &str| claim.as_deref().is_none_or(|claim| claim == own);
        if !own(&asserted.email, &member.email) || !own(&asserted.account, &member.id) {
            return None;
        }
        let (generation, member, stays) = (*generation, member.clone(), young.is_some());
        drop(halves);
        if !stays {
            let mut halves = self.0.write().unwrap_or_else(PoisonError::into_inner);
            halves.put(key, (generation, member.clone()));
        }
        Some(member)
    }

    /// Notes what was found in the database, read at a generation or later.
    pub fn note(&self, subject: &Identity, generation: i64, member: &Member) {
        let mut halves = self.0.write().unwrap_or_else(PoisonError::into_inner);
        halves.put(key(subject), (generation, member.clone()));
    }

    /// Forgets a subject whose member is not as it was noted.
    pub fn forget(&self, subject: &Identity) {
        let mut halves = self.0.write().unwrap_or_else(PoisonError::into_inner);
        halves.young.remove(&key(subject));
        halves.old.remove(&key(subject));
    }

    /// Members of a teamspace were changed at a generation: what was read before holds no longer.
    pub fn forget_teamspace(&self, teamspace_id: &str, generation: i64) {
        let mut halves = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if halves.floors.len() >= FLOORS {
            halves.floors.clear();
            halves.floor = generation;
        }
        halves.floors.insert(teamspace_id.to_owned(), generation);
    }

    /// Everything may have changed up to a generation.
    pub fn forget_all(&self, generation: i64) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) =
            Halves { floor: generation, ..Halves::default() };
    }
}
