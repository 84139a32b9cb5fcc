//! Limits open connections. One too many is closed at once, so that descriptors are left for the database, files and
//! outbound requests.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::budget_of;
use crate::config;

/// Descriptors that are not for connections: for the database, log streams, fetches and host look-ups (see
/// [`crate::resolver`]), and some spare ones.
const RESERVE: usize = 512;

/// Raises the limit on open files to the most that this process may have, and returns it. If the system does not allow
/// that, the limit stays.
pub fn raise_descriptor_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    descriptor_limit()
}

/// How many files this process may have open; none when there is no limit.
pub fn descriptor_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// The connections of a listener.
pub struct Connections {
    most: usize,
    /// 0 when there is no limit.
    per_address: usize,
    open: AtomicUsize,
    refused: AtomicU64,
    /// Counted only where that is limited.
    of_address: Mutex<HashMap<IpAddr, usize>>,
}

impl Connections {
    /// The configured limit, or less if the limit on open files is too low.
    pub fn new(config: &config::ConnectionSettings) -> Self {
        let files = descriptor_limit().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let room = files - RESERVE.min(files / 2);
        Self::with_limits(config.max.min(room), config.per_address)
    }

    /// So many connections, and so many of one address.
    pub fn with_limits(most: usize, per_address: usize) -> Self {
        Self {
            most,
            per_address,
            open: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            of_address: Mutex::default(),
        }
    }

    /// Takes a slot for a connection from this address, if one is free; it is released when dropped.
    pub fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<ConnectionSlot> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let mut place = ConnectionSlot { connections: Arc::clone(self), address: None };
        if self.per_address > 0 {
            let address = budget_of(peer.to_canonical());
            let mut of_address = self.of_address();
            let count = of_address.entry(address).or_default();
            if *count >= self.per_address {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            *count += 1;
            place.address = Some(address);
        }
        Some(place)
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How many may be open.
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many were closed at once.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Nothing panics while it is locked.
    fn of_address(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.of_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place.
pub struct ConnectionSlot {
    connections: Arc<Connections>,
    address: Option<IpAddr>,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
        let Some(address) = self.address else { return };
        let mut of_address = self.connections.of_address();
        if let Some(count) = of_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                of_address.remove(&address);
            }
        }
    }
}
