//! Rules for a configuration beyond its types; every problem names its key and the cause.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use super::problem::{ConfigError, ConfigErrors, invalid};
use super::sources::Sources;
use super::{
    AdminSettings, Config, Console, DEFAULT_POLICY_DIR, Database, DnsServer, Duration, MAX_DNS_SERVERS,
    OperatorEntry, PrivateOrigin, Secret, check_database_url, excuses, is_loopback, log_stream,
};

/// The problems found so far, each with the place where its key was set.
struct Problems<'a> {
    sources: &'a Sources,
    errors: ConfigErrors,
}

impl Problems<'_> {
    fn add(&mut self, error: ConfigError) {
        let key: Vec<String> = error.key().unwrap_or_default().split('.').map(str::to_owned).collect();
        self.errors.add(self.sources.place(&key), error);
    }

    fn note<T>(&mut self, result: Result<T, ConfigError>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    fn note_all(&mut self, errors: Vec<ConfigError>) {
        errors.into_iter().for_each(|error| self.add(error));
    }
}

impl Config {
    /// Checks everything, and reads the secrets from files. `errors` holds the problems found before.
    pub(super) fn validated(mut self, sources: &Sources, errors: ConfigErrors) -> Result<Self, ConfigErrors> {
        let mut found = Problems { sources, errors };
        found.note(check_own_url("issuer", &self.issuer));
        found.note_all(check_console(&self));
        found.note_all(check_console_sign_in(&self));
        found.note_all(check_tls(&self));
        found.note_all(check_durations(&self));
        found.note_all(check_sizes(&self));
        found.note_all(check_private_origins(&self.fetch.private_origins));
        found.note_all(self.client_documents.errors(&self.fetch.private_origins));
        found.note(check_dns_servers(&self.fetch.dns_servers));
        found.note_all(check_cors_origins(&self.cors_origins));
        found.note_all(self.authorization_details.check());
        self.read_secrets(&mut found);
        found.note(check_database_url("database_url", &self.database_url));
        found.note_all(log_stream::check(&self.log_stream));
        found.note_all(self.check_places());
        if let Some(key) = &self.keys.encryption_key {
            found.note(check_encryption_key(key));
        }
        if found.errors.is_empty() { Ok(self) } else { Err(found.errors) }
    }

    /// Checks that two values differ.
    fn check_places(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        if self.listen == self.management_listen {
            let why = "must not be `listen` as well";
            errors.push(invalid("management_listen", self.management_listen, why));
        }
        let policy_dir = self.policy_dir.as_deref().unwrap_or(Path::new(DEFAULT_POLICY_DIR));
        if self.policy.shadow_dir.as_deref() == Some(policy_dir) {
            let why = "must not be `policy_dir` as well";
            errors.push(invalid("policy.shadow_dir", policy_dir.display(), why));
        }
        errors
    }

    /// Whether a secret stands in the configuration file itself.
    fn has_secret_in(&self, sources: &Sources) -> bool {
        let has_password =
            |url: &Url| url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password");
        let oidc = self.console.oidc.as_ref().and_then(|oidc| oidc.client_secret.as_ref());
        [
            ("keys.encryption_key", self.keys.encryption_key.is_some()),
            ("console.oidc.client_secret", oidc.is_some()),
            ("log_stream", self.log_stream.iter().any(|stream| !stream.headers.is_empty())),
            ("database_url", Url::parse(&self.database_url).is_ok_and(|url| has_password(&url))),
        ]
        .into_iter()
        .any(|(key, is_secret)| is_secret && sources.is_in_file(key))
    }

    fn read_secrets(&mut self, found: &mut Problems<'_>) {
        let own = found.sources.file().filter(|_| self.has_secret_in(found.sources));
        self.secret_files.extend(own.map(Path::to_owned));
        self.secret_files.extend(self.tls.key_file.clone());
        if let Some(path) = self.database_url_file.take() {
            match found.sources.sets("database_url") {
                true => found.add(ConfigError::Both("database_url")),
                false => {
                    let url = found.note(read_secret("database_url_file", &path));
                    self.secret_files.push(path);
                    self.database_url = url.map_or_else(String::new, |url| url.expose().to_owned());
                }
            }
        }
        match (&self.keys.encryption_key, &self.keys.encryption_key_file) {
            (Some(_), Some(_)) => found.add(ConfigError::Both("keys.encryption_key")),
            (None, Some(path)) => {
                self.keys.encryption_key = found.note(read_secret("keys.encryption_key_file", path));
                self.secret_files.push(path.clone());
            }
            (_, None) => {}
        }
        if let Some(oidc) = &mut self.console.oidc {
            match (&oidc.client_secret, &oidc.client_secret_file) {
                (Some(_), Some(_)) => found.add(ConfigError::Both("console.oidc.client_secret")),
                (None, Some(path)) => {
                    oidc.client_secret = found.note(read_secret("console.oidc.client_secret_file", path));
                    self.secret_files.push(path.clone());
                }
                (None, None) => found.add(invalid(
                    "console.oidc.client_secret",
                    "",
                    "is missing: set it, or `console.oidc.client_secret_file`",
                )),
                (Some(_), None) => {}
            }
        }
        self.read_headers(found);
    }

    fn read_headers(&mut self, found: &mut Problems<'_>) {
        for stream in &mut self.log_stream {
            for (header, path) in std::mem::take(&mut stream.header_files) {
                if let Some(value) = found.note(read_secret("log_stream.header_files", &path)) {
                    stream.headers.insert(header, value);
                }
                self.secret_files.push(path);
            }
        }
    }
}

/// Whether a text is a key for AES-256: 32 bytes in base64url.
pub fn is_encryption_key(key: &Secret) -> bool {
    URL_SAFE_NO_PAD.decode(key.expose()).is_ok_and(|bytes| bytes.len() == 32)
}

fn check_encryption_key(key: &Secret) -> Result<(), ConfigError> {
    match is_encryption_key(key) {
        true => Ok(()),
        false => {
            Err(invalid("keys.encryption_key", "[redacted]", "must be 32 bytes, base64url without padding"))
        }
    }
}

/// RFC 8414 §2: https, no query, no fragment; plain http is for a demonstration on loopback only (OPS-02).
fn check_own_url(key: &str, own: &str) -> Result<(), ConfigError> {
    let bad = |why| Err(invalid(key, own, why));
    let Ok(url) = Url::parse(own) else { return bad("must be an absolute URL") };
    if url.query().is_some() || url.fragment().is_some() {
        return bad("must have no query and no fragment (RFC 8414 §2)");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("must have no user name or password");
    }
    if own.ends_with('/') {
        return bad("must not end with a slash: clients compare it byte for byte");
    }
    if url.as_str().trim_end_matches('/') != own {
        return bad("must be written in its normal form: lower-case host, no default port, no dot segments");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        _ => bad("must be https; http is for loopback only"),
    }
}

/// A separate listener needs a URL of its own.
fn check_console(config: &Config) -> Vec<ConfigError> {
    let Console { listen, public_url, .. } = &config.console;
    let mut errors = Vec::new();
    match (listen, public_url) {
        (Some(listen), None) if !listen.ip().is_loopback() => {
            let why = "needs `console.public_url` as well, the URL that browsers reach it by";
            errors.push(invalid("console.listen", listen, why));
        }
        (None, Some(url)) => {
            let why = "is for a listener of its own: set `console.listen` as well, or remove it";
            errors.push(invalid("console.public_url", url, why));
        }
        (_, Some(url)) => errors.extend(check_own_url("console.public_url", url).err()),
        (_, None) => {}
    }
    if let Some(listen) = listen.filter(|own| [config.listen, config.management_listen].contains(own)) {
        let why = "must not be `listen` or `management_listen` as well";
        errors.push(invalid("console.listen", listen, why));
    }
    errors
}

/// Clients compare the issuer with the URL that they use, so it cannot be plain http where we speak TLS.
fn check_tls(config: &Config) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    match (&config.tls.certificate_file, &config.tls.key_file) {
        (Some(file), None) => {
            let why = "needs `tls.key_file` as well, the certificate's private key";
            errors.push(invalid("tls.certificate_file", file.display(), why));
        }
        (None, Some(file)) => {
            let why = "needs `tls.certificate_file` as well, the key's certificate";
            errors.push(invalid("tls.key_file", file.display(), why));
        }
        (Some(_), Some(_)) if config.issuer.starts_with("http:") => {
            errors.push(invalid("issuer", &config.issuer, "must be https, since `tls` is set"));
        }
        _ => {}
    }
    if config.tls.certificate_file.is_some()
        && let Some(url) = config.console.public_url.as_ref().filter(|url| url.starts_with("http:"))
    {
        errors.push(invalid("console.public_url", url, "must be https, since `tls` is set"));
    }
    errors
}

/// OpenID Connect Discovery 1.0 §3: an issuer has no query and no fragment. Whether it can be reached shows at the first
/// sign-in.
fn check_console_sign_in(config: &Config) -> Vec<ConfigError> {
    let Console { oidc, operators, groups_claim, .. } = &config.console;
    let wrong = operators.iter().filter(|entry| OperatorEntry::parse(entry).is_none());
    let why = "must be an address such as ops@example.com, or group:NAME";
    let mut errors: Vec<ConfigError> = wrong.map(|entry| invalid("console.operators", entry, why)).collect();
    if groups_claim.is_empty() {
        errors.push(invalid("console.groups_claim", groups_claim, "must be the name of a claim"));
    }
    let Some(oidc) = oidc else {
        if !operators.is_empty() {
            let why = "has no use without `console.oidc`, by which operators sign in";
            errors.push(invalid("console.operators", operators.join(", "), why));
        }
        return errors;
    };
    let issuer = Url::parse(&oidc.issuer);
    if !issuer.is_ok_and(|url| {
        matches!(url.scheme(), "https" | "http") && url.query().is_none() && url.fragment().is_none()
    }) {
        let why = "must be the provider's issuer, a URL such as https://login.example.com";
        errors.push(invalid("console.oidc.issuer", &oidc.issuer, why));
    }
    if oidc.issuer.starts_with("http://") && !excuses(&config.fetch.private_origins, &oidc.issuer) {
        let why =
            "must be https; one in your own network can be http if `fetch.private_origins` lists its origin";
        errors.push(invalid("console.oidc.issuer", &oidc.issuer, why));
    }
    if oidc.client_id.trim().is_empty() {
        errors.push(invalid("console.oidc.client_id", &oidc.client_id, "must not be empty"));
    }
    let is_scope = |scope: &&String| !scope.is_empty() && scope.bytes().all(|b| b.is_ascii_graphic());
    if let Some(scope) = oidc.scopes.iter().find(|scope| !is_scope(scope)) {
        errors.push(invalid("console.oidc.scopes", scope, "must be one scope without spaces"));
    }
    errors
}

fn check_durations(config: &Config) -> Vec<ConfigError> {
    const DAY: i64 = 86_400;
    let rules: [(&'static str, Duration, i64, i64, &'static str); 15] = [
        ("stop_delay", config.stop_delay, 0, 300, "must be 5m at the most"),
        ("database.timeout", config.database.timeout, 1, 25, "must be between 1s and 25s"),
        (
            "database.max_connection_age",
            config.database.max_connection_age,
            1,
            86_400,
            "must be between 1s and 24h",
        ),
        ("access_token.lifetime", config.access_token.lifetime, 1, 3600, "must be between 1s and 1h"),
        ("assertion.max_lifetime", config.assertion.max_lifetime, 1, 3600, "must be between 1s and 1h"),
        ("assertion.clock_skew", config.assertion.clock_skew, 0, 60, "must be 60s at the most"),
        ("console.idle_timeout", config.console.idle_timeout, 60, DAY, "must be between 1m and 24h"),
        (
            "console.session_lifetime",
            config.console.session_lifetime,
            300,
            7 * DAY,
            "must be between 5m and 7d",
        ),
        ("fetch.timeout", config.fetch.timeout, 1, 60, "must be between 1s and 60s"),
        ("jwks.max_age", config.jwks.max_age, 60, 86_400, "must be between 1m and 24h"),
        ("jwks.min_refresh_interval", config.jwks.min_refresh_interval, 1, 3600, "must be between 1s and 1h"),
        ("jwks.max_stale", config.jwks.max_stale, 0, 86_400, "must be 24h at the most"),
        ("retention.sign_ins", config.retention.sign_ins, DAY, 36_500 * DAY, "must be 1d or more"),
        ("revocation.max_staleness", config.revocation.max_staleness, 2, 300, "must be between 2s and 5m"),
        ("retention.unsent", config.retention.unsent, 0, 36_500 * DAY, "must be 36500d at the most"),
    ];
    let wrong =
        rules.into_iter().filter(|(_, value, least, most, _)| !(*least..=*most).contains(&value.as_secs()));
    let mut errors: Vec<ConfigError> =
        wrong.map(|(key, value, _, _, why)| invalid(key, value, why)).collect();
    let audit = config.retention.audit;
    if audit.as_secs() != 0 && !(DAY..=36_500 * DAY).contains(&audit.as_secs()) {
        errors.push(invalid("retention.audit", audit, "must be 1d or more, or 0s to keep everything"));
    }
    errors
}

fn check_sizes(config: &Config) -> Vec<ConfigError> {
    let Database { writers, readers, .. } = config.database;
    let mut errors = Vec::new();
    for (key, value) in [("database.writers", writers), ("database.readers", readers)] {
        if !(1..=64).contains(&value) {
            errors.push(invalid(key, value, "must be between 1 and 64"));
        }
    }
    let AdminSettings { requests_at_once, operator_requests_at_once, .. } = config.admin;
    for (key, value) in [
        ("admin.requests_at_once", requests_at_once),
        ("admin.operator_requests_at_once", operator_requests_at_once),
    ] {
        if !(1..=1024).contains(&value) {
            errors.push(invalid(key, value, "must be between 1 and 1024"));
        }
    }
    let recorded = config.rate_limit.recorded_refusals_per_minute;
    if !(1..=100_000).contains(&recorded) {
        let why = "must be between 1 and 100000";
        errors.push(invalid("rate_limit.recorded_refusals_per_minute", recorded, why));
    }
    let lookups = config.issuer_lookup.requests_per_client_per_minute;
    if !(1..=6000).contains(&lookups) {
        let why = "must be between 1 and 6000";
        errors.push(invalid("issuer_lookup.requests_per_client_per_minute", lookups, why));
    }
    let most = config.connections.max;
    if !(1..=1_000_000).contains(&most) {
        errors.push(invalid("connections.max", most, "must be between 1 and 1000000"));
    }
    let max = config.assertion.max_size;
    if !(1024..=48 * 1024).contains(&max.bytes()) {
        errors.push(invalid("assertion.max_size", max, "must be between 1KiB and 48KiB"));
    }
    let max = config.fetch.max_size;
    if !(1024..=16 * 1024 * 1024).contains(&max.bytes()) {
        errors.push(invalid("fetch.max_size", max, "must be between 1KiB and 16MiB"));
    }
    errors
}

fn check_private_origins(origins: &[PrivateOrigin]) -> Vec<ConfigError> {
    let wrong = origins.iter().filter_map(|excused| Some((excused.origin(), excused.problem()?)));
    wrong.map(|(origin, why)| invalid("fetch.private_origins", origin, why)).collect()
}

/// Browsers send an origin in its normal form (RFC 6454 §6.1), and it is compared byte for byte.
fn check_cors_origins(origins: &[String]) -> Vec<ConfigError> {
    let is_origin = |text: &str| {
        Url::parse(text).is_ok_and(|url| {
            let is_secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
            is_secure && url.origin().ascii_serialization() == text
        })
    };
    let why = "must be an origin such as https://app.example.com, without a path or a slash at the end, in lower case \
               and without a default port; http is for loopback only";
    let wrong = origins.iter().filter(|origin| !is_origin(origin));
    wrong.map(|origin| invalid("cors_origins", origin, why)).collect()
}

/// As many as the resolver asks.
fn check_dns_servers(servers: &[DnsServer]) -> Result<(), ConfigError> {
    match servers.len() > MAX_DNS_SERVERS {
        true => Err(invalid("fetch.dns_servers", servers.len(), "must be three servers at the most")),
        false => Ok(()),
    }
}

/// A secret from a file, without the line end that editors add.
fn read_secret(key: &str, path: &Path) -> Result<Secret, ConfigError> {
    let failed = |source| ConfigError::File { key: key.to_owned(), path: PathBuf::from(path), source };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    Ok(Secret::from(text.trim_end().to_owned()))
}
