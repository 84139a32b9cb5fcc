//! The system's settings for host names: `/etc/hosts`, and the servers and options in `/etc/resolv.conf`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use resolv_conf::Config;

use crate::config::{DnsServer, MAX_DNS_SERVERS};

/// The number of cached answers, each at most 64 KiB.
const MAX_CACHED: u64 = 512;
/// The longest time that addresses are cached, whatever their time to live says.
const LONGEST_KEPT: Duration = Duration::from_secs(3600);
/// The longest time that a missing name is cached: somebody may just be adding it.
const LONGEST_ABSENT: Duration = Duration::from_secs(30);

/// The files with the system's configuration of host names, and how often to check them for changes.
#[derive(Debug, Clone)]
pub struct Files {
    /// The file that names the DNS servers, `/etc/resolv.conf` on most systems.
    pub resolv_conf: PathBuf,
    /// The file of fixed names, `/etc/hosts` on most systems. It goes before DNS.
    pub hosts: PathBuf,
    /// The least time between two looks for a change.
    pub look_every: Duration,
}

impl Default for Files {
    fn default() -> Self {
        let look_every = Duration::from_secs(60);
        Self { resolv_conf: "/etc/resolv.conf".into(), hosts: "/etc/hosts".into(), look_every }
    }
}

/// The contents of the files, or the errors of reading them.
#[derive(PartialEq, Eq)]
pub(super) struct FileTexts {
    resolv_conf: Result<Vec<u8>, io::ErrorKind>,
    hosts: Result<Vec<u8>, io::ErrorKind>,
}

impl FileTexts {
    /// Reads both; they are small and local.
    pub(super) fn read(files: &Files) -> Self {
        let read = |path| std::fs::read(path).map_err(|error| error.kind());
        Self { resolv_conf: read(&files.resolv_conf), hosts: read(&files.hosts) }
    }
}

/// The names from `/etc/hosts`, and the resolver for the others.
pub(super) struct HostNames {
    hosts: Hosts,
    dns: Option<TokioResolver>,
}

impl HostNames {
    /// Uses whatever can be read. If no server is configured, it asks the one on this machine, as the C libraries do.
    pub(super) fn new(files: &Files, texts: &FileTexts, servers: &[DnsServer], deadline: Duration) -> Self {
        let config = match &texts.resolv_conf {
            Ok(text) => Config::parse_with_errors(text).0,
            Err(_) => Config::new(),
        };
        let mut addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address()).collect();
        if addresses.is_empty() {
            addresses = config.nameservers.iter().map(|ip| SocketAddr::new(ip.into(), 53)).collect();
        }
        if addresses.is_empty() {
            let why =
                texts.resolv_conf.as_ref().err().map_or_else(|| "it names none".into(), |e| e.to_string());
            tracing::warn!(
                file = %files.resolv_conf.display(), why,
                "the system names no DNS server: one on this machine (127.0.0.1) is asked for host names; \
                 set fetch.dns_servers if there is none"
            );
            addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 53)));
        }
        let dns = dns(&config, &addresses, deadline);
        let dns = dns.inspect_err(|error| tracing::error!(%error, "cannot set up the look-up of host names"));
        Self { hosts: hosts(files, texts), dns: dns.ok() }
    }

    /// The addresses of a name in `/etc/hosts`. DNS is not asked about such a name at all.
    pub(super) fn of_hosts_file(&self, name: &Name) -> Vec<IpAddr> {
        let of = |kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let found = [RecordType::A, RecordType::AAAA].into_iter().filter_map(of);
        found
            .flat_map(|found| found.answers().iter().filter_map(|r| r.data.ip_addr()).collect::<Vec<_>>())
            .collect()
    }

    /// The DNS resolver, for names that are not in the file.
    pub(super) fn dns(&self) -> Option<&TokioResolver> {
        self.dns.as_ref()
    }
}

fn hosts(files: &Files, texts: &FileTexts) -> Hosts {
    let mut hosts = Hosts::default();
    let read = match &texts.hosts {
        Ok(text) => hosts.read_hosts_conf(String::from_utf8_lossy(text).as_bytes()),
        Err(io::ErrorKind::NotFound) => Ok(()),
        Err(kind) => Err((*kind).into()),
    };
    if let Err(error) = read {
        tracing::warn!(file = %files.hosts.display(), %error, "cannot read the names of this machine's own file");
    }
    hosts
}

/// The library's resolver with the system's options, within our limits.
fn dns(config: &Config, servers: &[SocketAddr], deadline: Duration) -> Result<TokioResolver, NetError> {
    let name = |text: &String| Name::from_str_relaxed(text).ok();
    let search: Vec<Name> = config.get_last_search_or_domain().filter_map(name).collect();
    // Without a search list, the domain of this machine's own name is searched.
    let domain = if search.is_empty() { config.get_system_domain().as_ref().and_then(name) } else { None };
    let servers = servers.iter().take(MAX_DNS_SERVERS).map(|address| name_server(*address)).collect();
    let asked = ResolverConfig::from_parts(domain, search, servers);
    let mut builder = TokioResolver::builder_with_config(asked, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.ndots = config.ndots as usize;
    // Two rounds end before the deadline, so a third server gets its turn. If only IPv6 questions go unanswered, the
    // IPv4 answer is still used.
    options.timeout = Duration::from_secs(config.timeout.max(1).into()).min(deadline * 2 / 5);
    options.attempts = 1;
    options.edns0 = config.edns0;
    // The order in which addresses are tried: more networks have a working IPv4.
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    if config.no_aaaa {
        options.ip_strategy = LookupIpStrategy::Ipv4Only;
    }
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = MAX_CACHED;
    options.positive_max_ttl = Some(LONGEST_KEPT);
    options.negative_max_ttl = Some(LONGEST_ABSENT);
    builder.build()
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].into_iter().map(|mut connection| {
        connection.port = address.port();
        connection
    });
    // If a server says that a name does not exist, that is final, as in the C libraries.
    NameServerConfig::new(address.ip(), true, connections.collect())
}
