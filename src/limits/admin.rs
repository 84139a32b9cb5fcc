//! How much of the admin API and the console one token or session may use: requests and changes per minute, and
//! requests at once. Slow and heavy requests (checks of an identity provider, explanations) are also limited for each
//! teamspace.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::places::{Places, RequestPlace};
use super::{Limited, wait};
use crate::config;

/// The most checks and explanations of one teamspace, or of one operator, under way at once.
const HEAVY_AT_ONCE: usize = 2;
const HEAVY_AT_ONCE_OF_OPERATOR: usize = 16;

type Rate = DefaultKeyedRateLimiter<String>;

/// The owner of a budget: the holder of a token, or a session of the console.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    /// The id of the token or session.
    pub id: &'a str,
    /// The digest of the secret that was presented.
    pub digest: &'a str,
    pub is_operator: bool,
}

/// The budget of one kind of holder.
struct Allowance {
    requests: Option<Rate>,
    changes: Option<Rate>,
    at_once: usize,
}

/// The budgets of all tokens and sessions, in this process.
pub struct Budgets {
    teamspace: Allowance,
    operator: Allowance,
    under_way: Arc<Places>,
    heavy: Arc<Places>,
    /// Digests of secrets whose holders have used up their requests, with the end of the block: these are not even
    /// looked up.
    blocked: Mutex<HashMap<String, Instant>>,
    clock: DefaultClock,
}

impl Allowance {
    fn new(requests: u32, changes: u32, at_once: usize) -> Self {
        let per_minute = |n| NonZeroU32::new(n).map(Quota::per_minute).map(RateLimiter::keyed);
        Self { requests: per_minute(requests), changes: per_minute(changes), at_once }
    }

    fn rates(&self) -> impl Iterator<Item = &Rate> {
        self.requests.iter().chain(&self.changes)
    }
}

impl Budgets {
    /// The configured budgets.
    pub fn new(config: &config::AdminSettings) -> Self {
        let config::AdminSettings { requests_per_minute, changes_per_minute, requests_at_once, .. } = *config;
        let (operator_requests, operator_at_once) =
            (config.operator_requests_per_minute, config.operator_requests_at_once);
        Self {
            teamspace: Allowance::new(requests_per_minute, changes_per_minute, requests_at_once),
            operator: Allowance::new(operator_requests, 0, operator_at_once),
            under_way: Arc::default(),
            heavy: Arc::default(),
            blocked: Mutex::default(),
            clock: DefaultClock::default(),
        }
    }

    /// Refuses a secret whose holder has used up their requests, before the database is asked about it.
    pub fn check_blocked(&self, digest: &str) -> Result<(), Limited> {
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = blocked.get(digest) else { return Ok(()) };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            blocked.remove(digest);
            return Ok(());
        }
        Err(wait(left))
    }

    /// A place for a request.
    pub fn enter(&self, holder: Holder<'_>, is_change: bool) -> Result<RequestPlace, Limited> {
        let allowance = if holder.is_operator { &self.operator } else { &self.teamspace };
        let place = self.under_way.take(holder.id, allowance.at_once)?;
        let (now, key) = (self.clock.now(), &holder.id.to_owned());
        if let Some(Err(not_until)) = allowance.requests.as_ref().map(|rate| rate.check_key(key)) {
            let left = not_until.wait_time_from(now);
            let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
            blocked.insert(holder.digest.to_owned(), Instant::now() + left);
            return Err(wait(left));
        }
        let changes = allowance.changes.as_ref().filter(|_| is_change);
        match changes.map(|rate| rate.check_key(key)) {
            Some(Err(not_until)) => Err(wait(not_until.wait_time_from(now))),
            _ => Ok(place),
        }
    }

    /// Takes a slot for something slow or heavy in a teamspace, which its people share.
    pub fn enter_heavy(&self, teamspace_id: &str) -> Result<RequestPlace, Limited> {
        self.heavy.take(teamspace_id, HEAVY_AT_ONCE)
    }

    /// Takes such a slot for an operator, who does not compete with the teamspace's people.
    pub fn enter_heavy_as_operator(&self, holder_id: &str) -> Result<RequestPlace, Limited> {
        self.heavy.take(holder_id, HEAVY_AT_ONCE_OF_OPERATOR)
    }

    /// Forgets holders whose budget is whole again.
    pub fn forget_idle(&self) {
        self.teamspace.rates().chain(self.operator.rates()).for_each(Rate::retain_recent);
        let now = Instant::now();
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, until| *until > now);
    }
}
