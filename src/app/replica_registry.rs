//! This process among those that serve the same database. All of them must decide by the same policies.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde_json::{Value, json};

use super::App;
use crate::clock::{Clock, Moment, UnixSeconds, rfc3339};
use crate::random::{NoEntropy, token};
use crate::store::StoreError;
use crate::store::replicas::{self, Heartbeat, Replica};

/// The identity of this process, and the others that it saw last.
pub struct ReplicaRegistry {
    id: String,
    name: String,
    started_at: UnixSeconds,
    others: ArcSwap<Vec<Replica>>,
    /// The row that the database should have about this process, and since when.
    seen: Mutex<Option<(UnixSeconds, Moment)>>,
}

impl ReplicaRegistry {
    pub(super) fn new(now: UnixSeconds) -> Result<Self, NoEntropy> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = if host.trim().is_empty() { "localhost" } else { host.trim() };
        Ok(Self {
            id: token::<12>()?,
            name: format!("{host}/{}", std::process::id()),
            started_at: now,
            others: ArcSwap::default(),
            seen: Mutex::default(),
        })
    }

    /// Notes the database's knowledge of this process. Returns whether it had forgotten the last note: then the
    /// database was replaced.
    fn is_forgotten(&self, before: Option<UnixSeconds>, seen_at: UnixSeconds, clock: &dyn Clock) -> bool {
        let now = Some((seen_at, Moment::now(clock)));
        let last = std::mem::replace(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner), now);
        last.is_some_and(|(noted, at)| {
            at.age(clock) < replicas::FORGOTTEN_AFTER && before.is_none_or(|before| before < noted)
        })
    }

    /// The other processes that run.
    pub fn others(&self) -> Arc<Vec<Replica>> {
        self.others.load_full()
    }
}

impl App {
    /// Announces this process to the others and takes note of them. Differing policies are logged when that begins and
    /// when it ends; during a rolling change they differ for a while.
    pub async fn heartbeat(&self) -> Result<(), StoreError> {
        let own = self.own_replica();
        let policy_set = own.policy_set.clone();
        let by_our_clock = own.seen_at;
        let written = self.store.write(move |c| {
            let database_time = c.time()?;
            // Who runs is told by one clock.
            let own = Replica { seen_at: database_time.unwrap_or(own.seen_at), ..own };
            Ok::<_, StoreError>((replicas::heartbeat(c, &own)?, database_time))
        });
        let (Heartbeat { others, own_before }, database_time) = written.await?;
        self.clock_watch.look(&*self.clock, database_time);
        let seen_at = database_time.unwrap_or(by_our_clock);
        if self.replicas.is_forgotten(own_before, seen_at, &*self.clock) {
            self.forget_database().await?;
        }
        self.compare_policies(others, &policy_set);
        Ok(())
    }

    /// This process as the others see it.
    pub fn own_replica(&self) -> Replica {
        Replica {
            id: self.replicas.id.clone(),
            name: self.replicas.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            policy_set: self.policies().hash.clone(),
            started_at: self.replicas.started_at,
            seen_at: self.clock.now(),
        }
    }

    /// Takes note of the other processes, and returns those whose policies differ.
    fn compare_policies(&self, others: Vec<Replica>, policy_set: &str) {
        let differing = |others: &[Replica]| -> Vec<(String, String)> {
            let other = others.iter().filter(|other| other.policy_set != policy_set);
            other.map(|other| (other.name.clone(), other.policy_set.clone())).collect()
        };
        let (before, now) = (differing(&self.replicas.others()), differing(&others));
        for (replica, theirs) in now.iter().filter(|known| !before.contains(known)) {
            tracing::error!(replica, theirs, ours = policy_set, "another replica decides by other policies");
        }
        if now.is_empty() && !before.is_empty() {
            tracing::info!(policies = policy_set, "all replicas decide by the same policies");
        }
        self.replicas.others.store(Arc::new(others));
    }

    /// Tells the other processes that this one is about to stop.
    pub async fn leave_replicas(&self) -> Result<(), StoreError> {
        let id = self.replicas.id.clone();
        self.store.write(move |c| replicas::leave(c, &id)).await
    }

    /// The processes that run, this one first.
    pub fn replicas_view(&self) -> Value {
        let ours = &self.policies().hash;
        let own = json!({
            "name": self.replicas.name, "version": env!("CARGO_PKG_VERSION"), "policy_set": ours,
            "same_policies": true, "started_at": rfc3339(self.replicas.started_at),
        });
        let others = self.replicas.others();
        let others = others.iter().map(|other| {
            json!({
                "name": other.name, "version": other.version, "policy_set": other.policy_set,
                "same_policies": other.policy_set == *ours, "started_at": rfc3339(other.started_at),
            })
        });
        std::iter::once(own).chain(others).collect()
    }
}
