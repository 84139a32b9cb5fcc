//! The requests of the checks, by the guarded client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Method, Request, header};
use serde_json::Value;
use url::Url;

use crate::clock::UnixSeconds;
use crate::config::{self, Config, Fetch};
use crate::idp::answer_date::answer_date;
use crate::idp::fetch::{FetchError, Fetcher, FetcherError, PeerCertificate};
use crate::resolver::Resolver;

/// The longest that one request may take, in seconds, however long the service itself would wait.
const LONGEST: i64 = 5;

/// An answer, whatever its status.
pub(super) struct HttpReply {
    pub status: u16,
    pub headers: HeaderMap,
    pub json: Option<Value>,
    pub took: Duration,
    /// The other side's time.
    pub date: Option<UnixSeconds>,
    pub certificate: Option<PeerCertificate>,
}

/// A client with the service's rules, which waits no longer than the checks can.
pub(super) fn fetcher(config: &Config) -> Result<Fetcher, FetcherError> {
    let timeout = config::Duration::from_secs(config.fetch.timeout.as_secs().min(LONGEST));
    let fetch = Fetch { timeout, ..config.fetch.clone() };
    Fetcher::new(&fetch, &Resolver::new(&fetch))
}

/// A client for URLs that the operator's configuration names: they may be private.
pub(super) fn for_own_urls<'a>(fetcher: &Fetcher, urls: impl IntoIterator<Item = &'a str>) -> Fetcher {
    let origins = urls.into_iter().filter_map(|url| Url::parse(url).ok());
    fetcher.for_operators().also_for(origins.map(|url| url.origin().ascii_serialization()))
}

/// The URL of a listener as this machine reaches it.
pub(super) fn url_of(listener: SocketAddr) -> String {
    format!("http://{}", reachable(listener))
}

/// The address of a listener as this machine reaches it: one for all addresses is reached on loopback.
pub(super) fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

/// Asks for a URL without credentials.
pub(super) async fn get(fetcher: &Fetcher, url: &str) -> Result<HttpReply, FetchError> {
    let request = Request::builder().method(Method::GET).uri(url).header(header::ACCEPT, "*/*");
    send(fetcher, request.body(Vec::new()).map_err(|_| FetchError::NotAUrl)?).await
}

/// Sends a request as it is.
pub(super) async fn send(fetcher: &Fetcher, request: Request<Vec<u8>>) -> Result<HttpReply, FetchError> {
    let began = Instant::now();
    let answer = fetcher.send(request).await?;
    Ok(HttpReply {
        status: answer.status().as_u16(),
        json: serde_json::from_slice(answer.body()).ok(),
        date: answer_date(answer.headers()),
        certificate: answer.extensions().get().cloned(),
        took: began.elapsed(),
        headers: answer.into_parts().0.headers,
    })
}

impl HttpReply {
    /// A member of the JSON answer, if it is a text.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.json.as_ref()?.get(member)?.as_str()
    }

    /// Whether Countersign itself says that there is nothing at this path.
    pub fn is_our_not_found(&self) -> bool {
        self.status == 404
            && self.headers.contains_key("x-request-id")
            && self.text("error") == Some("not_found")
    }

    pub fn millis(&self) -> u128 {
        self.took.as_millis()
    }
}
