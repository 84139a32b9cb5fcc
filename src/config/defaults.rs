//! The value of each key that is not set.

use std::net::SocketAddr;

use super::{
    AccessTokenSettings, AdminSettings, AssertionSettings, ByteSize, ClientDocumentSettings, ClientIpSource,
    Config, ConnectionSettings, Console, Database, DenialError, DetailSettings, DpopSettings, Duration,
    Fetch, IssuerLookupSettings, Jwks, Keys, Policy, PolicyCache, RateLimitSettings, Retention,
    RevocationSettings, SigningAlg, Tls,
};

impl Default for Config {
    fn default() -> Self {
        Self {
            issuer: "http://127.0.0.1:8080".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            management_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            database_url: "sqlite://countersign.db".into(),
            database_url_file: None,
            database: Database::default(),
            policy_dir: None,
            schema_file: None,
            client_ip_source: ClientIpSource::ConnectInfo,
            cors_origins: Vec::new(),
            denial_error: DenialError::default(),
            stop_delay: Duration::from_secs(0),
            access_token: AccessTokenSettings::default(),
            admin: AdminSettings::default(),
            authorization_details: DetailSettings::default(),
            assertion: AssertionSettings::default(),
            client_documents: ClientDocumentSettings::default(),
            connections: ConnectionSettings::default(),
            console: Console::default(),
            dpop: DpopSettings::default(),
            fetch: Fetch::default(),
            issuer_lookup: IssuerLookupSettings::default(),
            jwks: Jwks::default(),
            keys: Keys::default(),
            log_stream: Vec::new(),
            policy: Policy::default(),
            policy_cache: PolicyCache::default(),
            rate_limit: RateLimitSettings::default(),
            retention: Retention::default(),
            revocation: RevocationSettings::default(),
            tls: Tls::default(),
            secret_files: Vec::new(),
        }
    }
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self { max: 10_000, per_address: 0 }
    }
}

impl Default for Database {
    fn default() -> Self {
        let max_connection_age = Duration::from_secs(1800);
        Self { timeout: Duration::from_secs(5), writers: 2, readers: 2, max_connection_age }
    }
}

impl Default for AccessTokenSettings {
    fn default() -> Self {
        Self { lifetime: Duration::from_secs(3600), signing_alg: SigningAlg::Es256 }
    }
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            requests_per_minute: 600,
            changes_per_minute: 120,
            requests_at_once: 8,
            operator_requests_per_minute: 12_000,
            operator_requests_at_once: 32,
        }
    }
}

impl Default for AssertionSettings {
    fn default() -> Self {
        Self {
            max_lifetime: Duration::from_secs(600),
            clock_skew: Duration::from_secs(30),
            max_size: ByteSize::kib(16),
        }
    }
}

impl Default for Fetch {
    fn default() -> Self {
        Self {
            private_origins: Vec::new(),
            ca_file: None,
            dns_servers: Vec::new(),
            timeout: Duration::from_secs(5),
            max_size: ByteSize::kib(256),
        }
    }
}

impl Default for Jwks {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(600),
            min_refresh_interval: Duration::from_secs(30),
            max_stale: Duration::from_secs(3600),
        }
    }
}

impl Default for IssuerLookupSettings {
    fn default() -> Self {
        Self { enabled: false, requests_per_client_per_minute: 60 }
    }
}

impl Default for PolicyCache {
    fn default() -> Self {
        Self { enabled: true, recheck_one_in: 1000 }
    }
}

impl Default for RateLimitSettings {
    fn default() -> Self {
        Self {
            failed_authentications_per_minute: 60,
            exchanges_per_subject_per_minute: 60,
            requests_per_address_per_second: 0,
            recorded_refusals_per_minute: 60,
            signals_per_teamspace_per_minute: 600,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: i64 = 24 * 3600;
        Self {
            sign_ins: Duration::from_secs(90 * DAY),
            audit: Duration::from_secs(400 * DAY),
            unsent: Duration::from_secs(7 * DAY),
        }
    }
}

impl Default for RevocationSettings {
    fn default() -> Self {
        Self { max_staleness: Duration::from_secs(5) }
    }
}
