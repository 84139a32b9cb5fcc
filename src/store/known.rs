//! Members whose subject was looked up before: a known person's sign-in reads nothing from the database.
//!
//! An entry holds for the configuration generation at which it was read, and every administrative change
//! raises the generation: a changed, unlinked or removed member is looked up again. The write checks the
//! generation and the member's state once more.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use super::members::{Asserted, Identity, Member};

/// Most entries; some 400 bytes each. When it is full it starts anew.
const CAPACITY: usize = 10_000;

/// (teamspace, issuer, tenant, subject)
type Key = (String, String, String, String);

/// The bound members by subject.
#[derive(Default)]
pub struct KnownMembers {
    entries: RwLock<HashMap<Key, (i64, Member)>>,
}

fn key(subject: &Identity) -> Key {
    let Identity { teamspace_id, issuer, tenant, subject, .. } = subject.clone();
    (teamspace_id, issuer, tenant, subject)
}

impl KnownMembers {
    /// The member whom the subject is bound to, if that is all there is to find out: an email or account
    /// other than the member's own could be somebody else's.
    pub fn find(&self, asserted: &Asserted, generation: i64) -> Option<Member> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let (_, member) = entries.get(&key(&asserted.subject)).filter(|(known, _)| *known == generation)?;
        let own = |claim: &Option<String>, own: &str| claim.as_deref().is_none_or(|claim| claim == own);
        (own(&asserted.email, &member.email) && own(&asserted.account, &member.id)).then(|| member.clone())
    }

    /// Notes what was found in the database, read at a generation or later.
    pub fn note(&self, subject: &Identity, generation: i64, member: &Member) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= CAPACITY {
            entries.clear();
        }
        entries.insert(key(subject), (generation, member.clone()));
    }

    /// Forgets a subject whose member is not as it was noted.
    pub fn forget(&self, subject: &Identity) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(&key(subject));
    }
}
