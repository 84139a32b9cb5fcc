//! Why a fetch failed, and which setting may allow what failed.

use std::net::IpAddr;

use url::{Host, Url};

use super::address::is_public;
use crate::resolver::LookupError;

/// The words for a certificate that is not trusted.
const UNTRUSTED: &str = "its certificate has expired, is for another name, or has an unknown root";

/// Why a fetch failed. The text never repeats what the other side answered.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The text cannot be parsed as a URL.
    #[error("is no URL")]
    NotAUrl,
    /// Another scheme, and not an origin that `fetch.private_origins` excuses.
    #[error("must be https")]
    NotHttps,
    /// Another port, and not an origin that `fetch.private_origins` excuses.
    #[error("must not name a port other than 443")]
    Port,
    /// User name or password in the URL.
    #[error("must not contain a user name or password")]
    Credentials,
    /// The host has an address on loopback, in a private network, or otherwise not on the internet.
    #[error("resolves to an address that is not public")]
    PrivateAddress,
    /// The host name has no address.
    #[error("is at a host that cannot be looked up: {0}")]
    Lookup(#[from] LookupError),
    /// No connection, or one that broke, in this way; a constant text.
    #[error("cannot be reached: {0}")]
    Unreachable(&'static str),
    /// No whole answer within `fetch.timeout`.
    #[error("did not answer in time")]
    Timeout,
    /// Any of the four before.
    #[error("cannot be reached at a public address")]
    NotReached,
    /// Another HTTP status than 200.
    #[error("answered with status {0}")]
    Status(u16),
    /// A redirect (3xx): the URL that is configured must be the right one.
    #[error("redirects to another place, which is not followed")]
    Redirect,
    /// The body is no JSON.
    #[error("did not answer with JSON")]
    NotJson,
    /// The body is longer than `fetch.max_size`, in bytes.
    #[error("answered with more than {0} bytes")]
    TooLarge(usize),
}

impl FetchError {
    /// The error without anything that shows which names exist behind the firewall.
    pub fn confined(self) -> Self {
        match self {
            Self::PrivateAddress | Self::Lookup(_) | Self::Unreachable(_) | Self::Timeout => Self::NotReached,
            other => other,
        }
    }

    /// The setting that may allow what a URL needs, in a sentence; none where no setting does.
    pub fn remedy(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        let is_exempt_if_listed = match self {
            Self::Port | Self::PrivateAddress | Self::NotReached => true,
            Self::NotHttps => url.scheme() == "http" && is_local(&url),
            _ => false,
        };
        if is_exempt_if_listed {
            let origin = url.origin().ascii_serialization();
            return Some(format!(
                "If it is in your own network, an operator must list {origin} in the setting `fetch.private_origins`."
            ));
        }
        let text = match self {
            Self::Unreachable(why) if *why == UNTRUSTED => {
                "If its certificate is of your own authority, an operator must name the root in the setting `fetch.ca_file`."
            }
            Self::Timeout => "The setting `fetch.timeout` can give it more time.",
            Self::TooLarge(_) => "The setting `fetch.max_size` can allow more.",
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// Whether there was an answer, but not a usable document.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Redirect | Self::NotJson | Self::TooLarge(_))
    }
}

/// Whether a host is plainly not on the internet: a private address, or a name that no public DNS has.
fn is_local(url: &Url) -> bool {
    const LOCAL: [&str; 5] = ["localhost", "local", "internal", "lan", "arpa"];
    match url.host() {
        Some(Host::Ipv4(ip)) => !is_public(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => !is_public(IpAddr::V6(ip)),
        Some(Host::Domain(name)) => match name.trim_end_matches('.').rsplit_once('.') {
            Some((_, last)) => LOCAL.contains(&last),
            None => true,
        },
        None => false,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no public address")]
pub(super) struct NoPublicAddress;

/// A constant text for the failure: the library's own text would repeat the URL and the addresses.
pub(super) fn why(error: &reqwest::Error) -> FetchError {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(inner) = source {
        if inner.downcast_ref::<NoPublicAddress>().is_some() {
            return FetchError::PrivateAddress;
        }
        source = inner.source();
    }
    if let Some(lookup) = LookupError::behind(error) {
        FetchError::Lookup(lookup)
    } else if error.is_timeout() {
        FetchError::Timeout
    } else if error.is_connect() && chain_says(error, "certificate") {
        FetchError::Unreachable(UNTRUSTED)
    } else if error.is_connect() {
        FetchError::Unreachable("no connection (name, network or certificate)")
    } else {
        FetchError::Unreachable("the connection broke")
    }
}

/// Whether a cause of an error has a word in its text. The error's own text has the URL in it, which may be anything.
fn chain_says(error: &reqwest::Error, word: &str) -> bool {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |error| error.source()).any(|error| error.to_string().contains(word))
}
