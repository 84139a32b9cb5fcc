//! TLS of our own listeners. The certificate and its key come from two files, which are read again when they change.

pub(crate) mod expiry;
mod pair;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio_rustls::rustls::ServerConfig;

use crate::clock::UnixSeconds;
use crate::config;
pub use pair::TlsError;
use pair::{Contents, TlsFiles};

/// The certificate in force, and a watch on the files that it was read from.
pub struct ServerTls {
    files: TlsFiles,
    current: ArcSwap<InForce>,
    watch: Mutex<ContentsWatch>,
    is_current: AtomicBool,
    failed_handshakes: AtomicU64,
}

struct InForce {
    config: Arc<ServerConfig>,
    expires: UnixSeconds,
}

/// The contents of both files, as they were at the last polls.
struct ContentsWatch {
    /// The contents that were tried last, whether they could be used or not.
    tried: Contents,
    /// Contents that differed at the last poll, and may still be changing.
    unsettled: Option<Contents>,
}

impl ServerTls {
    /// Reads the configured files for the first time; none where no TLS is configured.
    pub fn of(settings: &config::Tls) -> Result<Option<Arc<Self>>, TlsError> {
        let Some(files) = TlsFiles::of(settings) else { return Ok(None) };
        let read = files.read();
        let tried = Contents::of(&read);
        let (config, expires) = files.use_pair(&read?)?;
        Ok(Some(Arc::new(Self {
            files,
            current: ArcSwap::from_pointee(InForce { config, expires }),
            watch: Mutex::new(ContentsWatch { tried, unsettled: None }),
            is_current: AtomicBool::new(true),
            failed_handshakes: AtomicU64::new(0),
        })))
    }

    /// Reads the files, and uses them if they have changed since they were last tried and two polls in a row agree:
    /// the certificate and its key are rarely replaced at the same moment. Returns when the new certificate expires, or
    /// why the one before stays in force.
    pub fn look(&self) -> Option<Result<UnixSeconds, TlsError>> {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.files.read();
        let seen = Contents::of(&read);
        if seen == watch.tried {
            watch.unsettled = None;
            return None;
        }
        if watch.unsettled.as_ref() != Some(&seen) {
            watch.unsettled = Some(seen);
            return None;
        }
        *watch = ContentsWatch { tried: seen, unsettled: None };
        let usable = read.and_then(|pair| self.files.use_pair(&pair));
        self.is_current.store(usable.is_ok(), Ordering::Relaxed);
        Some(usable.map(|(config, expires)| {
            self.current.store(Arc::new(InForce { config, expires }));
            expires
        }))
    }

    /// The settings for a new connection.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().config)
    }

    /// When the certificate in force expires.
    pub fn expires(&self) -> UnixSeconds {
        self.current.load().expires
    }

    /// Whether the files could be used when they last changed.
    pub fn is_current(&self) -> bool {
        self.is_current.load(Ordering::Relaxed)
    }

    /// Counts a connection that did not come as far as a request.
    pub fn count_failed_handshake(&self) {
        self.failed_handshakes.fetch_add(1, Ordering::Relaxed);
    }

    /// How many of them there were.
    pub fn failed_handshakes(&self) -> u64 {
        self.failed_handshakes.load(Ordering::Relaxed)
    }
}
