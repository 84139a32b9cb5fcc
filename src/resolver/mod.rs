//! Turns host names into addresses for every connection that this service opens. Look-ups are tasks, not threads: a
//! limited number run at once, and each ends at its deadline whatever DNS does.

mod names;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::Name;
use reqwest::dns::{Addrs, Resolve, Resolving};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

pub use names::Files;
use names::{FileTexts, HostNames};

use crate::config::{DnsServer, Fetch};

/// Look-ups at once. One without an answer holds up to twelve sockets: two servers, two kinds of addresses, three
/// attempts.
const AT_ONCE: usize = 32;

/// Why a host name has no usable address. The text repeats nothing that DNS answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The text cannot be a host name, or the port is not a number.
    #[error("it is not a host name")]
    NotAName,
    /// The name does not exist, or has neither an IPv4 nor an IPv6 address.
    #[error("the name has no address")]
    NoAddress,
    /// No server answered within this deadline.
    #[error("no answer from DNS within {0:?}")]
    NoAnswer(Duration),
    /// As many look-ups as are allowed are under way.
    #[error("too many other names are being looked up")]
    Busy,
    /// Every server answered with an error, or none could be set up.
    #[error("the DNS servers fail or cannot be reached")]
    Failed,
}

impl LookupError {
    /// Returns the look-up error that caused another error, if there is one.
    pub fn behind(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(*found);
            }
            cause = error.source();
        }
        None
    }
}

/// Looks up host names, for the whole process.
#[derive(Clone)]
pub struct Resolver(Arc<Shared>);

struct Shared {
    files: Files,
    servers: Vec<DnsServer>,
    deadline: Duration,
    places: Semaphore,
    known: Mutex<CachedNames>,
    unanswered: AtomicU64,
}

/// The system's configuration as last read.
struct CachedNames {
    looked_at: Instant,
    texts: FileTexts,
    names: Arc<HostNames>,
}

impl Resolver {
    /// A resolver that follows the system's configuration, or asks the configured servers.
    pub fn new(config: &Fetch) -> Self {
        Self::reading(Files::default(), config)
    }

    /// A resolver that reads the system's configuration from other files.
    pub fn reading(files: Files, config: &Fetch) -> Self {
        // The rest of the fetch's time is for reporting that DNS is at fault.
        let deadline = config.timeout.std() * 4 / 5;
        let texts = FileTexts::read(&files);
        let names = Arc::new(HostNames::new(&files, &texts, &config.dns_servers, deadline));
        Self(Arc::new(Shared {
            files,
            servers: config.dns_servers.clone(),
            deadline,
            places: Semaphore::new(AT_ONCE),
            known: Mutex::new(CachedNames { looked_at: Instant::now(), texts, names }),
            unanswered: AtomicU64::default(),
        }))
    }

    /// How many look-ups DNS did not answer in time.
    pub fn unanswered(&self) -> u64 {
        self.0.unanswered.load(Ordering::Relaxed)
    }

    /// All addresses of a host, at least one.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        let found = self.find(host).await;
        if let Err(error) = found {
            if let LookupError::NoAnswer(_) = error {
                self.0.unanswered.fetch_add(1, Ordering::Relaxed);
            }
            tracing::info!(host, %error, "cannot look up a host name");
        }
        found
    }

    /// All addresses behind `host:port`, at least one.
    pub async fn socket_addresses(&self, authority: &str) -> Result<Vec<SocketAddr>, LookupError> {
        if let Ok(address) = authority.parse() {
            return Ok(vec![address]);
        }
        let (host, port) = authority.rsplit_once(':').ok_or(LookupError::NotAName)?;
        let port = port.parse().map_err(|_| LookupError::NotAName)?;
        let found = self.addresses(host).await?;
        Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    async fn find(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        let until = Instant::now() + self.0.deadline;
        let name = Name::from_str_relaxed(host).map_err(|_| LookupError::NotAName)?;
        let names = self.names();
        let of_hosts_file = names.of_hosts_file(&name);
        if !of_hosts_file.is_empty() {
            return Ok(of_hosts_file);
        }
        let place = timeout_at(until, self.0.places.acquire()).await;
        let Ok(Ok(_place)) = place else { return Err(LookupError::Busy) };
        // A slot that comes free at the deadline is useless, so it is passed on without asking anybody.
        if Instant::now() >= until {
            return Err(LookupError::Busy);
        }
        let dns = names.dns().ok_or(LookupError::Failed)?;
        let found: Vec<IpAddr> = match timeout_at(until, dns.lookup_ip(name)).await {
            Err(_) | Ok(Err(NetError::Timeout)) => return Err(LookupError::NoAnswer(self.0.deadline)),
            Ok(Err(error)) if error.is_no_records_found() => return Err(LookupError::NoAddress),
            Ok(Err(error)) => {
                tracing::warn!(host, %error, "DNS fails");
                return Err(LookupError::Failed);
            }
            Ok(Ok(found)) => found.iter().collect(),
        };
        if found.is_empty() { Err(LookupError::NoAddress) } else { Ok(found) }
    }

    /// The names from the system's files, at most a little out of date.
    fn names(&self) -> Arc<HostNames> {
        let Shared { files, servers, deadline, .. } = &*self.0;
        // Nothing panics while it is locked.
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.looked_at.elapsed() >= files.look_every {
            known.looked_at = Instant::now();
            let texts = FileTexts::read(files);
            if texts != known.texts {
                tracing::info!("loaded the system's changed configuration of host names");
                known.names = Arc::new(HostNames::new(files, &texts, servers, *deadline));
                known.texts = texts;
            }
        }
        Arc::clone(&known.names)
    }
}

/// For HTTP clients: returns every address, public or not.
impl Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let found = resolver.addresses(name.as_str()).await?;
            // The client puts the URL's port in.
            Ok(Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}
