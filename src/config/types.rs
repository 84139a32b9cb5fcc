//! Configuration values written by people: durations, sizes, algorithms, secrets.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

/// A duration in whole seconds, written as `1h`, `10m`, `30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(i64);

impl Duration {
    /// A duration of so many seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Its length in seconds.
    pub const fn as_secs(self) -> i64 {
        self.0
    }

    /// The length for timers; negative durations cannot be parsed.
    pub fn std(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.0.unsigned_abs())
    }
}

impl std::str::FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The library treats days as calendar days; here a day is 24 hours.
        if let Some(days) = text.strip_suffix('d').and_then(|days| days.trim().parse::<u32>().ok()) {
            return Ok(Self(i64::from(days) * 86_400));
        }
        let parsed: jiff::SignedDuration = text
            .parse()
            .map_err(|_| format!("`{text}` is no duration; write for example 30s, 10m, 1h or 30d"))?;
        if parsed.is_negative() || parsed.subsec_nanos() != 0 {
            return Err(format!("`{text}` must be a whole number of seconds, 0 or more"));
        }
        Ok(Self(parsed.as_secs()))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            s if s > 0 && s % 86_400 == 0 => write!(f, "{}d", s / 86_400),
            s if s > 0 && s % 3600 == 0 => write!(f, "{}h", s / 3600),
            s if s > 0 && s % 60 == 0 => write!(f, "{}m", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match WrittenValue::deserialize(deserializer)? {
            WrittenValue::Text(text) => text.parse().map_err(D::Error::custom),
            WrittenValue::Number(n) => Err(D::Error::custom(match i64::try_from(n) {
                Ok(n) if Self(n).to_string() != format!("{n}s") => {
                    format!("has no unit; write it as {} or {n}s", Self(n))
                }
                _ => format!("has no unit; write it as {n}s"),
            })),
        }
    }
}

/// A value that is a text or a number.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text such as \"10m\" or a number")]
enum WrittenValue {
    Number(usize),
    Text(String),
}

/// Reads an address to listen on. A host name is refused: it could mean several addresses, or change.
pub(super) fn listen_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let why = match WrittenValue::deserialize(deserializer)? {
        WrittenValue::Number(port) => format!("must be an address and a port, such as 127.0.0.1:{port}"),
        WrittenValue::Text(text) => match (text.parse(), text.rsplit_once(':')) {
            (Ok(address), _) => return Ok(address),
            (Err(_), Some((host, port))) if port.parse::<u16>().is_ok() && !host.contains([':', '/']) => {
                let here = if host.is_empty() || host == "*" { "0.0.0.0" } else { "127.0.0.1" };
                format!("must be an IP address and a port; write it as {here}:{port}")
            }
            (Err(_), _) => {
                "must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned()
            }
        },
    };
    Err(D::Error::custom(why))
}

/// The address of a listener that may be left out.
pub(super) fn optional_listen_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    #[derive(Deserialize)]
    struct Address(#[serde(deserialize_with = "listen_address")] SocketAddr);
    Ok(Option::<Address>::deserialize(deserializer)?.map(|Address(address)| address))
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["30s", "10m", "1h"] })
    }
}

/// A number of bytes, written as `16KiB`, `1MiB` or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(usize);

impl ByteSize {
    /// So many KiB.
    pub const fn kib(n: usize) -> Self {
        Self(n * 1024)
    }

    /// Its size in bytes.
    pub const fn bytes(self) -> usize {
        self.0
    }
}

impl std::str::FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = match text.get(digits.len()..).map(str::trim) {
            Some("" | "B") => Some(1usize),
            Some("KiB") => Some(1024),
            Some("MiB") => Some(1024 * 1024),
            _ => None,
        };
        digits
            .parse()
            .ok()
            .zip(unit)
            .and_then(|(n, unit): (usize, usize)| n.checked_mul(unit))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no size; write for example 16KiB"))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n > 0 && n % 1024 == 0 => write!(f, "{}KiB", n / 1024),
            n => write!(f, "{n}B"),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match WrittenValue::deserialize(deserializer)? {
            WrittenValue::Number(n) => Ok(Self(n)),
            WrittenValue::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "examples": ["16KiB"] })
    }
}

/// Where the caller's address is taken from: the connection, or a header that a proxy sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClientIpSource {
    /// The address of the TCP connection: for a service without a proxy before it.
    ConnectInfo,
    /// The last address in `X-Forwarded-For`, which the nearest proxy added.
    RightmostXForwardedFor,
    /// The last `for` in `Forwarded` (RFC 7239 §4), which the nearest proxy added.
    RightmostForwarded,
    /// `X-Real-Ip`, as nginx sets it.
    XRealIp,
    /// `True-Client-Ip`, as Akamai and Cloudflare Enterprise set it.
    TrueClientIp,
    /// `CF-Connecting-IP`, as Cloudflare sets it.
    CfConnectingIp,
    /// `CloudFront-Viewer-Address`, as Amazon CloudFront sets it, with a port.
    CloudFrontViewerAddress,
    /// `Fly-Client-IP`, as Fly.io sets it.
    FlyClientIp,
    /// `X-Envoy-External-Address`, as Envoy sets it.
    XEnvoyExternalAddress,
}

/// The algorithm of our own access tokens (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SigningAlg {
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519. Not every resource server can verify it.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// About ten times the CPU of ES256 for each token.
    #[serde(rename = "RS256")]
    Rs256,
}

impl SigningAlg {
    /// The JWS `alg` value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }
}

/// A secret that prints as `[redacted]`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value.into())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
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
