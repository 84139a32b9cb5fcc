//! What a configuration must satisfy beyond its types; every problem names its key and the cause.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::{Host, Url};

use super::{Config, Database, Duration, PrivateOrigin, Secret, check_database_url, log_stream};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("there is no configuration file {}", .0.display())]
    NoFile(PathBuf),
    /// The figment error names the key and the file or variable it was read from.
    #[error("{0}")]
    Unreadable(#[from] Box<figment::Error>),
    #[error("`{key}` = `{value}`: {why}")]
    Invalid { key: &'static str, value: String, why: &'static str },
    #[error("`{key}`: cannot read {}: {source}", .path.display())]
    File { key: &'static str, path: PathBuf, source: std::io::Error },
    #[error("`{0}` and `{0}_file` are both set; keep one")]
    Both(&'static str),
}

impl From<figment::Error> for ConfigError {
    fn from(error: figment::Error) -> Self {
        Self::Unreadable(Box::new(error))
    }
}

pub(super) fn invalid(key: &'static str, value: impl ToString, why: &'static str) -> ConfigError {
    ConfigError::Invalid { key, value: value.to_string(), why }
}

impl Config {
    pub(super) fn validated(mut self) -> Result<Self, ConfigError> {
        check_issuer(&self.issuer)?;
        check_durations(&self)?;
        check_sizes(&self)?;
        check_private_origins(&self.fetch.private_origins)?;
        check_database_url("database_url", &self.database_url)?;
        log_stream::check(&self.log_stream)?;
        if self.listen == self.management_listen {
            return Err(invalid("management_listen", self.management_listen, "must not be `listen` as well"));
        }
        if self.policy.shadow_dir.as_ref() == Some(&self.policy_dir) {
            return Err(invalid(
                "policy.shadow_dir",
                self.policy_dir.display(),
                "must not be `policy_dir` as well",
            ));
        }
        self.keys.encryption_key = secret_or_file(
            "keys.encryption_key",
            self.keys.encryption_key.take(),
            self.keys.encryption_key_file.as_deref(),
        )?;
        if let Some(key) = &self.keys.encryption_key {
            check_encryption_key(key)?;
        }
        Ok(self)
    }
}

/// AES-256 takes 32 bytes.
fn check_encryption_key(key: &Secret) -> Result<(), ConfigError> {
    match URL_SAFE_NO_PAD.decode(key.expose()) {
        Ok(bytes) if bytes.len() == 32 => Ok(()),
        _ => Err(invalid("keys.encryption_key", "[redacted]", "must be 32 bytes, base64url without padding")),
    }
}

/// RFC 8414 §2: https, no query, no fragment; plain http is for a demonstration on loopback only (OPS-02).
fn check_issuer(issuer: &str) -> Result<(), ConfigError> {
    let bad = |why| Err(invalid("issuer", issuer, why));
    let Ok(url) = Url::parse(issuer) else { return bad("must be an absolute URL") };
    if url.query().is_some() || url.fragment().is_some() {
        return bad("must have no query and no fragment (RFC 8414 §2)");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("must have no user name or password");
    }
    if issuer.ends_with('/') {
        return bad("must not end with a slash: clients compare it byte for byte");
    }
    if url.as_str().trim_end_matches('/') != issuer {
        return bad("must be written in its normal form: lower-case host, no default port, no dot segments");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        _ => bad("must be https; http is for loopback only"),
    }
}

/// Whether a URL names this machine itself.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn check_durations(config: &Config) -> Result<(), ConfigError> {
    const DAY: i64 = 86_400;
    let rules: [(&'static str, Duration, i64, i64, &'static str); 10] = [
        ("database.timeout", config.database.timeout, 1, 25, "must be between 1s and 25s"),
        ("access_token.lifetime", config.access_token.lifetime, 1, 3600, "must be between 1s and 1h"),
        ("assertion.max_lifetime", config.assertion.max_lifetime, 1, 3600, "must be between 1s and 1h"),
        ("assertion.clock_skew", config.assertion.clock_skew, 0, 60, "must be 60s at the most"),
        ("fetch.timeout", config.fetch.timeout, 1, 60, "must be between 1s and 60s"),
        ("jwks.max_age", config.jwks.max_age, 60, 86_400, "must be between 1m and 24h"),
        ("jwks.min_refresh_interval", config.jwks.min_refresh_interval, 1, 3600, "must be between 1s and 1h"),
        ("jwks.max_stale", config.jwks.max_stale, 0, 86_400, "must be 24h at the most"),
        ("retention.sign_ins", config.retention.sign_ins, DAY, 36_500 * DAY, "must be 1d or more"),
        ("retention.unsent", config.retention.unsent, 0, 36_500 * DAY, "must be 36500d at the most"),
    ];
    for (key, value, least, most, why) in rules {
        if !(least..=most).contains(&value.as_secs()) {
            return Err(invalid(key, value, why));
        }
    }
    Ok(())
}

fn check_sizes(config: &Config) -> Result<(), ConfigError> {
    let Database { writers, readers, .. } = config.database;
    for (key, value) in [("database.writers", writers), ("database.readers", readers)] {
        if !(1..=64).contains(&value) {
            return Err(invalid(key, value, "must be between 1 and 64"));
        }
    }
    let recorded = config.rate_limit.recorded_refusals_per_minute;
    if !(1..=100_000).contains(&recorded) {
        return Err(invalid(
            "rate_limit.recorded_refusals_per_minute",
            recorded,
            "must be between 1 and 100000",
        ));
    }
    let max = config.assertion.max_size;
    if !(1024..=48 * 1024).contains(&max.bytes()) {
        return Err(invalid("assertion.max_size", max, "must be between 1KiB and 48KiB"));
    }
    let max = config.fetch.max_size;
    if !(1024..=16 * 1024 * 1024).contains(&max.bytes()) {
        return Err(invalid("fetch.max_size", max, "must be between 1KiB and 16MiB"));
    }
    Ok(())
}

fn check_private_origins(origins: &[PrivateOrigin]) -> Result<(), ConfigError> {
    for origin in origins {
        if let Some(why) = origin.problem() {
            return Err(invalid("fetch.private_origins", origin.origin(), why));
        }
    }
    Ok(())
}

fn secret_or_file(
    key: &'static str,
    value: Option<Secret>,
    file: Option<&Path>,
) -> Result<Option<Secret>, ConfigError> {
    match (value, file) {
        (Some(_), Some(_)) => Err(ConfigError::Both(key)),
        (value, None) => Ok(value),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File {
                key,
                path: path.to_owned(),
                source,
            })?;
            Ok(Some(Secret::from(text.trim_end().to_owned())))
        }
    }
}
