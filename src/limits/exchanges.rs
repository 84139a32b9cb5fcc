//! Rate limits of the token endpoint (EMA §7.5.1), and of identity providers' signals.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::{Limited, budget_of, wait};
use crate::config::{IssuerLookupSettings, RateLimitSettings};

/// The key by which failed authentications are counted: one client id at one address, registered or not, so that the
/// limit does not show which ids exist. It is a hash with a secret seed, since callers choose the names.
type AuthenticationKey = u64;

/// Requests by SCIM of one teamspace in a minute. Each changes one person at the most.
const SCIM_REQUESTS: u32 = 1200;

/// The limits in force; a limit of 0 is absent.
pub struct Limits {
    failures: Option<DefaultKeyedRateLimiter<AuthenticationKey, StateInformationMiddleware>>,
    /// Keys that have used up their budget, with the end of the block.
    blocked: Mutex<HashMap<AuthenticationKey, Instant>>,
    hasher: RandomState,
    /// Exchanges by client, issuer, tenant and subject.
    subjects: Option<DefaultKeyedRateLimiter<[String; 4]>>,
    addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
    /// Requests of identity providers by SCIM, by teamspace.
    scim: Option<DefaultKeyedRateLimiter<String>>,
    /// Signed events of identity providers, by teamspace.
    signals: Option<DefaultKeyedRateLimiter<String>>,
    /// Questions about issuers, by client.
    lookups: Option<DefaultKeyedRateLimiter<String>>,
    clock: DefaultClock,
}

impl Limits {
    /// The configured limits.
    pub fn new(config: &RateLimitSettings, lookups: &IssuerLookupSettings) -> Self {
        let per_minute = |n| NonZeroU32::new(n).map(Quota::per_minute);
        Self {
            failures: per_minute(config.failed_authentications_per_minute)
                .map(|quota| RateLimiter::keyed(quota).with_middleware()),
            blocked: Mutex::default(),
            hasher: RandomState::new(),
            subjects: per_minute(config.exchanges_per_subject_per_minute).map(RateLimiter::keyed),
            addresses: NonZeroU32::new(config.requests_per_address_per_second)
                .map(|n| RateLimiter::keyed(Quota::per_second(n))),
            scim: per_minute(SCIM_REQUESTS).map(RateLimiter::keyed),
            signals: per_minute(config.signals_per_teamspace_per_minute).map(RateLimiter::keyed),
            lookups: per_minute(lookups.requests_per_client_per_minute).map(RateLimiter::keyed),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request by SCIM of a teamspace's identity provider.
    pub fn check_scim(&self, teamspace_id: &str) -> Result<(), Limited> {
        let Some(scim) = &self.scim else { return Ok(()) };
        let key = teamspace_id.to_owned();
        scim.check_key(&key).map_err(|not_until| wait(not_until.wait_time_from(self.clock.now())))
    }

    /// Checks whether a caller who names this client may try to authenticate from this address.
    pub fn check_authentication(&self, claimed: &str, address: IpAddr) -> Result<(), Limited> {
        if self.failures.is_none() {
            return Ok(());
        }
        let key = self.hasher.hash_one((claimed, budget_of(address)));
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = blocked.get(&key) else { return Ok(()) };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            blocked.remove(&key);
            return Ok(());
        }
        Err(wait(left))
    }

    /// Counts a failed authentication.
    pub fn note_failed_authentication(&self, claimed: &str, address: IpAddr) {
        let Some(failures) = &self.failures else { return };
        let key = self.hasher.hash_one((claimed, budget_of(address)));
        // The last failure within the budget starts the block, not the first one beyond it.
        let closed = match failures.check_key(&key) {
            Ok(state) if state.remaining_burst_capacity() > 0 => return,
            Ok(state) => state.quota().replenish_interval(),
            Err(not_until) => not_until.wait_time_from(self.clock.now()),
        };
        let until = Instant::now() + closed;
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).insert(key, until);
    }

    /// Counts an exchange of a client for a verified subject.
    pub fn check_subject(&self, client_id: &str, subject: [&str; 3]) -> Result<(), Limited> {
        let Some(subjects) = &self.subjects else { return Ok(()) };
        let [issuer, tenant, subject] = subject.map(str::to_owned);
        let key = [client_id.to_owned(), issuer, tenant, subject];
        subjects.check_key(&key).map_err(|not_until| wait(not_until.wait_time_from(self.clock.now())))
    }

    /// Counts a request from an address.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Limited> {
        let Some(addresses) = &self.addresses else { return Ok(()) };
        addresses
            .check_key(&budget_of(address))
            .map_err(|not_until| wait(not_until.wait_time_from(self.clock.now())))
    }

    /// Counts a signed event of a teamspace's identity provider.
    pub fn check_signal(&self, teamspace_id: &str) -> Result<(), Limited> {
        let Some(signals) = &self.signals else { return Ok(()) };
        let key = teamspace_id.to_owned();
        signals.check_key(&key).map_err(|not_until| wait(not_until.wait_time_from(self.clock.now())))
    }

    /// Counts a question of a client about an issuer.
    pub fn check_lookup(&self, client_id: &str) -> Result<(), Limited> {
        let Some(lookups) = &self.lookups else { return Ok(()) };
        let key = client_id.to_owned();
        lookups.check_key(&key).map_err(|not_until| wait(not_until.wait_time_from(self.clock.now())))
    }

    /// Forgets keys whose budget is whole again.
    pub fn forget_idle(&self) {
        if let Some(limiter) = &self.failures {
            limiter.retain_recent();
        }
        if let Some(limiter) = &self.subjects {
            limiter.retain_recent();
        }
        if let Some(limiter) = &self.addresses {
            limiter.retain_recent();
        }
        if let Some(limiter) = &self.scim {
            limiter.retain_recent();
        }
        if let Some(limiter) = &self.signals {
            limiter.retain_recent();
        }
        if let Some(limiter) = &self.lookups {
            limiter.retain_recent();
        }
        let now = Instant::now();
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, until| *until > now);
    }
}
