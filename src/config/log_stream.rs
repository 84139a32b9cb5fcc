//! Where the decision log is sent.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use reqwest::header::{HeaderName, HeaderValue};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use super::Secret;
use super::problem::{ConfigError, invalid};
use super::types::is_loopback;

/// A receiver of every row of the decision log.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogStream {
    /// Name in logs, in metrics and in the database, which stores the stream's progress under it: lower-case letters,
    /// digits, `-` and `_`. A new name starts with the oldest row that is kept.
    pub name: String,
    /// `file:///PATH`, `syslog+udp://HOST:PORT`, `syslog+tcp://HOST:PORT`, `syslog+unix:///PATH`, or
    /// `otlp+https://HOST:PORT/v1/logs` (`otlp+http://…`).
    pub to: Destination,
    /// Whether `email` is sent.
    #[serde(default)]
    pub email: bool,
    /// Whether the facts of each decision are sent, including the email: needs `email = true`.
    #[serde(default)]
    pub facts: bool,
    /// OTLP only: HTTP headers with secret values, such as `authorization`.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// OTLP only: headers whose values are read from files.
    #[serde(default)]
    pub header_files: BTreeMap<String, PathBuf>,
}

/// The receiver of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A file of JSON lines.
    File(PathBuf),
    /// Syslog in datagrams, `host:port`.
    SyslogUdp(String),
    /// Syslog over TCP, `host:port`.
    SyslogTcp(String),
    /// Syslog in datagrams to a socket of this machine.
    SyslogUnix(PathBuf),
    /// OTLP over HTTP, with the whole URL.
    Otlp(Url),
}

impl FromStr for Destination {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or("must be a URL")?;
        match scheme {
            "file" => path(rest).map(Self::File),
            "syslog+unix" => path(rest).map(Self::SyslogUnix),
            "syslog+udp" => authority(text).map(Self::SyslogUdp),
            "syslog+tcp" => authority(text).map(Self::SyslogTcp),
            "otlp+http" | "otlp+https" => plain_url(text.trim_start_matches("otlp+")).map(Self::Otlp),
            _ => Err("must begin with file, syslog+udp, syslog+tcp, syslog+unix, otlp+http or otlp+https"),
        }
    }
}

/// The path as it is written, without any decoding.
fn path(text: &str) -> Result<PathBuf, &'static str> {
    match text.starts_with('/') && !text.ends_with('/') {
        true => Ok(text.into()),
        false => Err("must name an absolute path, after three slashes"),
    }
}

fn authority(text: &str) -> Result<String, &'static str> {
    let url = plain_url(text)?;
    match (url.host_str(), url.port(), url.path()) {
        (Some(host), Some(port), "" | "/") if !host.is_empty() => Ok(format!("{host}:{port}")),
        _ => Err("must name a host and a port, and nothing else"),
    }
}

/// A URL without a secret in it, since it is shown and logged.
fn plain_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be a URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must have no user name or password; OTLP takes `headers`");
    }
    match url.query().is_none() && url.fragment().is_none() {
        true => Ok(url),
        false => Err("must have no query and no fragment"),
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file://{}", path.display()),
            Self::SyslogUdp(authority) => write!(f, "syslog+udp://{authority}"),
            Self::SyslogTcp(authority) => write!(f, "syslog+tcp://{authority}"),
            Self::SyslogUnix(path) => write!(f, "syslog+unix://{}", path.display()),
            Self::Otlp(url) => write!(f, "otlp+{url}"),
        }
    }
}

impl Serialize for Destination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Destination {
    fn schema_name() -> Cow<'static, str> {
        "Destination".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = "^(file:///|syslog\\+(udp|tcp)://|syslog\\+unix:///|otlp\\+https?://)";
        let examples = ["file:///var/log/countersign/sign-ins.jsonl", "syslog+tcp://logs.example.com:601"];
        json_schema!({ "type": "string", "pattern": pattern, "examples": examples })
    }
}

/// Rules for log streams beyond their types.
pub(super) fn check(streams: &[LogStream]) -> Vec<ConfigError> {
    let mut names = HashSet::new();
    let mut errors = Vec::new();
    for (index, stream) in streams.iter().enumerate() {
        let name = &stream.name;
        let key = |key: &str| format!("log_stream.{index}.{key}");
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
            let why = "must be 1 to 64 lower-case letters, digits, `-` and `_`";
            errors.push(invalid(&key("name"), name, why));
        }
        if !names.insert(name) {
            errors.push(invalid(&key("name"), name, "must be the name of one stream only"));
        }
        if stream.facts && !stream.email {
            let why = "needs `email = true`, since facts hold the email";
            errors.push(invalid(&key("facts"), format!("true (of {name})"), why));
        }
        errors.extend(check_headers(stream, &key("headers")));
    }
    errors
}

fn check_headers(stream: &LogStream, key: &str) -> Vec<ConfigError> {
    let wrong = stream.headers.iter().filter_map(|(name, value)| {
        let why = match &stream.to {
            // OPS-02: no secret leaves this machine in clear text.
            Destination::Otlp(url) if url.scheme() != "https" && !is_loopback(url) => {
                "needs otlp+https; http is for loopback only"
            }
            Destination::Otlp(_) => match (HeaderName::from_str(name), HeaderValue::from_str(value.expose()))
            {
                (Ok(_), Ok(_)) => return None,
                _ => "is no HTTP header",
            },
            _ => "is for OTLP only",
        };
        Some(invalid(key, format!("{name} (of {})", stream.name), why))
    });
    wrong.collect()
}
