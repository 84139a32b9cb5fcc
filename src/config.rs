//! Configuration: defaults < file < environment, validated once; there are no globals.

mod client_document_settings;
mod console;
mod database_url;
mod defaults;
mod denial_error;
mod detail_settings;
mod dns_server;
mod keys;
mod log_stream;
mod private_origin;
mod problem;
mod sources;
mod types;
mod validate;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sources::Sources;
use url::Url;

pub use client_document_settings::{
    ClientDocumentSettings, DocumentOrigin, DocumentUrlFault, NoDocumentOrigin, check_document_url,
};
pub use console::{Console, Oidc, OperatorEntry};
pub(crate) use database_url::check_database_url;
pub use denial_error::DenialError;
pub use detail_settings::DetailSettings;
pub use dns_server::{DnsServer, MAX_DNS_SERVERS};
pub use log_stream::{Destination, LogStream};
use private_origin::excuses;
pub use private_origin::{ConfinedOrigin, PrivateOrigin};
pub use problem::{ConfigError, ConfigErrors};
pub(crate) use types::is_loopback;
pub use types::{ByteSize, ClientIpSource, Duration, Secret, SigningAlg};
pub(crate) use validate::is_encryption_key;

/// Everything the service can be told. Unknown keys are errors.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// This authorization server's issuer identifier (RFC 8414 §2), byte for byte; http only on loopback.
    pub issuer: String,
    /// Where the public endpoints and the admin API listen.
    #[schemars(with = "String")]
    #[serde(deserialize_with = "types::listen_address")]
    pub listen: SocketAddr,
    /// Where `/healthz`, `/readyz` and `/metrics` listen; keep it private.
    #[schemars(with = "String")]
    #[serde(deserialize_with = "types::listen_address")]
    pub management_listen: SocketAddr,
    /// `sqlite://FILE`, or in a build with the `postgres` feature `postgres://USER@HOST/DATABASE`, with libpq's
    /// parameters behind a `?`; a server on another machine needs `sslmode`, best `sslmode=verify-full`.
    pub database_url: String,
    /// A file that holds `database_url`: a PostgreSQL URL may contain a password.
    pub database_url_file: Option<PathBuf>,
    /// The time-outs and the connections of the database.
    pub database: Database,
    /// Directory of `*.cedar` files. A change takes effect within seconds, or at once on SIGHUP. Without it, the
    /// directory `policies` where the command runs if there is one, else the policies in the binary. Name it in
    /// production: a named directory that is missing is an error.
    pub policy_dir: Option<PathBuf>,
    /// The Cedar schema that the policies are validated against. Without it, `schema/countersign.cedarschema` where the
    /// command runs if there is one, else the schema in the binary.
    pub schema_file: Option<PathBuf>,
    /// Where the caller's address is taken from: `ConnectInfo`, or a header that your proxy sets,
    /// such as `RightmostXForwardedFor`.
    pub client_ip_source: ClientIpSource,
    /// The origins of pages whose scripts may send requests to the token endpoint (CORS), such as
    /// `https://app.example.com`. Empty means none. Metadata and keys are open to every page anyway.
    pub cors_origins: Vec<String>,
    /// The `error` of the token endpoint for people who are not entitled: `access_denied`, or `invalid_grant` for
    /// clients that know the codes of RFC 6749 §5.2 only.
    pub denial_error: DenialError,
    /// How long requests are still accepted after SIGTERM while `/readyz` already answers 503, so that a load balancer
    /// notices.
    pub stop_delay: Duration,
    /// The access tokens that the token endpoint issues.
    pub access_token: AccessTokenSettings,
    /// The requests that one token or session may make to the admin API.
    pub admin: AdminSettings,
    /// The types of authorization details (RFC 9396) beside `mcp_tool`.
    pub authorization_details: DetailSettings,
    /// The lifetime, clock difference and size that an assertion may have.
    pub assertion: AssertionSettings,
    /// Clients that are described by a document at the URL that is their id, and not registered.
    pub client_documents: ClientDocumentSettings,
    /// The number of callers' connections, in all and from one address.
    pub connections: ConnectionSettings,
    /// The web console for operators and customers' administrators.
    pub console: Console,
    /// Proofs that tokens are bound by (RFC 9449).
    pub dpop: DpopSettings,
    /// The service's own requests to identity providers.
    pub fetch: Fetch,
    /// Whether clients may ask which issuers are trusted for them.
    pub issuer_lookup: IssuerLookupSettings,
    /// The key sets of identity providers: how long they are kept, and how often they are fetched.
    pub jwks: Jwks,
    /// The encryption of the keys that sign access tokens.
    pub keys: Keys,
    /// Where the decision log is sent.
    pub log_stream: Vec<LogStream>,
    /// The tests of changed policies, and the set on trial.
    pub policy: Policy,
    /// The memory of policy decisions, which spares asking Cedar again for equal facts.
    pub policy_cache: PolicyCache,
    /// The requests that one client or address may make to the token endpoint, and the rows that refusals may write.
    pub rate_limit: RateLimitSettings,
    /// How long the rows of the logs are kept.
    pub retention: Retention,
    /// How fresh the knowledge about revoked tokens must be.
    pub revocation: RevocationSettings,
    /// TLS at `listen` and `console.listen`; without it they speak plain HTTP, for a TLS proxy in front.
    pub tls: Tls,
    /// The files that secrets were read from.
    #[serde(skip)]
    pub secret_files: Vec<PathBuf>,
}

/// Access tokens that we issue.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessTokenSettings {
    /// At most one hour; clients such as Claude Code renew within the last five minutes.
    pub lifetime: Duration,
    /// Algorithm of new signing keys. A key that exists keeps its own: `key rotate` makes one of this algorithm.
    pub signing_alg: SigningAlg,
}

/// DPoP proofs, at the token endpoint and at forward-auth.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DpopSettings {
    /// Whether a proof needs a nonce of ours, so that none can be made long in advance. A client that has none gets it
    /// with a refusal, and sends its request again.
    pub require_nonce: bool,
}

/// How much of the admin API one token may use. Beyond it: 429 with `Retry-After`; 0 switches a rate off.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdminSettings {
    /// Requests of a teamspace's token.
    pub requests_per_minute: u32,
    /// Changes by a teamspace's token: all requests but GET.
    pub changes_per_minute: u32,
    /// Requests of a teamspace's token under way at once.
    pub requests_at_once: usize,
    /// Requests of an operator's token.
    pub operator_requests_per_minute: u32,
    /// Requests of an operator's token under way at once.
    pub operator_requests_at_once: usize,
}

/// Assertions that we accept.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AssertionSettings {
    /// Longest accepted lifetime of an ID-JAG, counted from `iat` and also from now.
    pub max_lifetime: Duration,
    /// Tolerated difference between the identity provider's clock and ours; at most 60 s.
    pub clock_skew: Duration,
    /// Longest accepted assertion in bytes.
    pub max_size: ByteSize,
}

/// Connections to the public listener.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionSettings {
    /// Most connections open at once; fewer if the limit on open files is too low.
    pub max: usize,
    /// Most connections from one address (from one /64 with IPv6). 0 means no limit: behind a proxy, all come from one
    /// address.
    pub per_address: usize,
}

/// How the database is used.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// How long PostgreSQL may take to answer: to connect, to run a statement, and to finish a whole write before the
    /// caller gets 503.
    pub timeout: Duration,
    /// Connections to PostgreSQL for writing; few are faster than many, since each writes many sign-ins at once.
    pub writers: usize,
    /// Connections that read.
    pub readers: usize,
    /// The age at which an idle connection to PostgreSQL is replaced.
    pub max_connection_age: Duration,
}

/// Requests to the outside, for issuer metadata and keys.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fetch {
    /// Exact origins exempt from https and from the public-address rule, for every teamspace or for named ones.
    pub private_origins: Vec<PrivateOrigin>,
    /// Extra roots, PEM.
    pub ca_file: Option<PathBuf>,
    /// DNS servers for every host name, including log streams': `10.0.0.2`, `10.0.0.2:5353`, `[2001:db8::2]:5353`; at
    /// most three. Empty means the system's servers, from `/etc/resolv.conf`.
    pub dns_servers: Vec<DnsServer>,
    /// Deadline for one whole fetch; looking up the host name may take four fifths of it.
    pub timeout: Duration,
    /// Longest accepted body.
    pub max_size: ByteSize,
}

/// The question of a client whether an assertion of an issuer would be accepted from it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IssuerLookupSettings {
    /// Whether the endpoint is there. A client that may ask can find out which companies you serve, name by name.
    pub enabled: bool,
    /// The questions of a client in a minute.
    pub requests_per_client_per_minute: u32,
}

/// How long an issuer's keys are used.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Jwks {
    /// Keys are fetched again after this time, or sooner if the answer's `max-age` says so.
    pub max_age: Duration,
    /// One refresh for an unknown kid per issuer and interval, whatever its result.
    pub min_refresh_interval: Duration,
    /// How much longer the last keys are used while the issuer cannot be reached, also after a restart.
    pub max_stale: Duration,
}

/// How our own signing keys are kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// 32 bytes, base64url; when given, private signing keys are encrypted at rest (AES-256-GCM).
    pub encryption_key: Option<Secret>,
    /// A file that holds the key.
    pub encryption_key_file: Option<PathBuf>,
}

/// How changed policies come into force.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Whether changed policies must pass their own tests (`tests/*.toml`) before they come into force.
    pub test_on_reload: bool,
    /// A second directory of policies, which decide nothing: the service records where they would have decided
    /// differently.
    pub shadow_dir: Option<PathBuf>,
}

/// Policy decisions are remembered for facts that the policies cannot tell apart.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyCache {
    /// Whether decisions are remembered; otherwise each is made anew.
    pub enabled: bool,
    /// One in this many remembered decisions is made again and compared; 0 means never. If the two differ, the new
    /// decision takes effect and `countersign_policy_cache_differences_total` rises.
    pub recheck_one_in: u32,
}

/// Beyond a limit: 429 with `Retry-After`; 0 switches a limit off. The number of rows that refusals write is always
/// bounded.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimitSettings {
    /// Per client id and address; clients that are not registered share one budget per address.
    pub failed_authentications_per_minute: u32,
    /// Per client and verified subject.
    pub exchanges_per_subject_per_minute: u32,
    /// Off by default: most deployments stand behind a proxy.
    pub requests_per_address_per_second: u32,
    /// Rows of the decision log for refusals of each client, issuer and reason, and for each address of callers who
    /// have not authenticated (ten times as many for all addresses together). Further refusals are counted in one more
    /// row a minute.
    pub recorded_refusals_per_minute: u32,
    /// Signed events of a teamspace's identity providers that end people's sessions. Unsigned ones do not count: nobody
    /// else can use up the number.
    pub signals_per_teamspace_per_minute: u32,
}

/// How long records are kept.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// How long rows of the decision log are kept; older ones are deleted in the background.
    pub sign_ins: Duration,
    /// How long rows of the audit log are kept; `0s` keeps them for ever.
    pub audit: Duration,
    /// How much longer rows are kept that a configured log stream has not sent yet.
    pub unsent: Duration,
}

/// The limit on how old the knowledge about revoked tokens may be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RevocationSettings {
    /// After how long without an answer of the database nobody can tell any more which tokens are revoked: from then on,
    /// introspection and forward-auth answer 503 instead of vouching for a token.
    pub max_staleness: Duration,
}

/// The certificate of our own listeners. Both files are read again when they change.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// The certificate in PEM, then the intermediate ones.
    pub certificate_file: Option<PathBuf>,
    /// Its private key in PEM, without a password.
    pub key_file: Option<PathBuf>,
}

/// Where the keys of a configuration were set.
pub struct KeyPlaces(Sources);

impl KeyPlaces {
    /// The file and line, or the variable; none where the default is in force.
    pub fn of(&self, key: &str) -> Option<String> {
        let key: Vec<String> = key.split('.').map(str::to_owned).collect();
        Some(self.0.place(&key)?.to_string())
    }
}

/// The file that is read when none is named, if it exists.
pub const DEFAULT_FILE: &str = "countersign.toml";
/// The directory of policies that is read when none is named, if it exists.
pub const DEFAULT_POLICY_DIR: &str = "policies";
/// The schema that is read when none is named, if it exists.
pub const DEFAULT_SCHEMA_FILE: &str = crate::shipped::SCHEMA_FILE;

impl Config {
    /// Reads and validates the configuration. `file` must exist if it is named.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        Ok(Self::load_with_places(file)?.0)
    }

    /// Reads and validates the configuration, and tells where each key was set.
    pub fn load_with_places(file: Option<&Path>) -> Result<(Self, KeyPlaces), ConfigErrors> {
        let mut sources = Sources::read(file)?;
        let (config, errors) = sources.extract();
        Ok((config.validated(&sources, errors)?, KeyPlaces(sources)))
    }

    /// The path of the issuer, empty when it has none.
    pub fn issuer_path(&self) -> String {
        Url::parse(&self.issuer).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
    }

    /// The JSON Schema of this configuration, for editors.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}
