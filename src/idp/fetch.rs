//! The guarded HTTP client. It checks every URL and every resolved address, connects to the checked address, follows
//! no redirects, has a deadline and a size limit, accepts only JSON, and ignores proxies from the environment.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use reqwest::tls::TlsInfo;
use reqwest::{Certificate, Client, ClientBuilder, Method, Request, Response, redirect};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::{Host, Url};

use super::address::is_public;
use super::answer_date::answer_date;
pub use super::fetch_error::FetchError;
use super::fetch_error::{NoPublicAddress, why};
use crate::clock::UnixSeconds;
use crate::config::{Fetch, PrivateOrigin};
use crate::resolver::Resolver;

/// The most fetches at once for teamspaces' administrators, all together. It is half the number of look-ups at once,
/// so that names which DNS does not answer leave the other half to sign-ins.
const FOR_ADMINISTRATORS: usize = 16;

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client: {0}")]
pub struct FetcherError(String);

/// A fetched document.
#[derive(Debug)]
pub struct Fetched {
    /// The document.
    pub json: Value,
    /// `max-age` of the answer's Cache-Control, in seconds.
    pub max_age: Option<i64>,
    /// The other side's time when it answered, if it said so.
    pub date: Option<UnixSeconds>,
}

/// The certificate that the other side of a TLS connection showed, in DER. It is an extension of an answer.
#[derive(Debug, Clone)]
pub struct PeerCertificate(pub Vec<u8>);

/// Asks other servers: only at public addresses, unless [`Fetcher::on_behalf_of`] or [`Fetcher::for_operators`] allows
/// more.
#[derive(Clone)]
pub struct Fetcher {
    /// Resolves names to public addresses only.
    public: Client,
    /// For the origins that the operator excused.
    private: Client,
    /// Every origin that the operator exempts, for any teamspace.
    excused: Arc<[PrivateOrigin]>,
    /// The exempt origins that this fetcher may ask.
    private_origins: Arc<HashSet<String>>,
    administrators: Arc<Semaphore>,
    /// The slots for fetches, if they are limited.
    places: Option<Arc<Semaphore>>,
    timeout: Duration,
    max_size: usize,
}

impl Fetcher {
    /// A fetcher with the operator's limits, extra roots and exempt origins.
    pub fn new(config: &Fetch, resolver: &Resolver) -> Result<Self, FetcherError> {
        let client = |builder: ClientBuilder| builder.build().map_err(|e| FetcherError(e.to_string()));
        Ok(Self {
            public: client(guarded(config)?.dns_resolver(Arc::new(PublicOnly(resolver.clone()))))?,
            private: client(guarded(config)?.dns_resolver(Arc::new(resolver.clone())))?,
            excused: config.private_origins.clone().into(),
            private_origins: Arc::default(),
            administrators: Arc::new(Semaphore::new(FOR_ADMINISTRATORS)),
            places: None,
            timeout: config.timeout.std(),
            max_size: config.max_size.bytes(),
        })
    }

    /// A fetcher with the private origins that are exempt for a teamspace.
    pub fn on_behalf_of(&self, teamspace: &str) -> Self {
        self.excusing(|excused| excused.is_for(teamspace))
    }

    /// A fetcher with the private origins that are exempt for every teamspace.
    pub fn for_operators(&self) -> Self {
        self.excusing(|excused| matches!(excused, PrivateOrigin::ForAll(_)))
    }

    fn excusing(&self, is_excused: impl Fn(&&PrivateOrigin) -> bool) -> Self {
        let its = self.excused.iter().filter(is_excused);
        let private_origins = its.map(|excused| excused.origin().to_owned()).collect();
        Self { private_origins: Arc::new(private_origins), ..self.clone() }
    }

    /// A fetcher that may ask further private origins: those of the operator's own URLs.
    pub fn also_for(&self, origins: impl IntoIterator<Item = String>) -> Self {
        let mut private_origins = HashSet::clone(&self.private_origins);
        private_origins.extend(origins);
        Self { private_origins: Arc::new(private_origins), ..self.clone() }
    }

    /// A fetcher that takes no answer over a size, in bytes.
    pub fn limited_to(&self, max_size: usize) -> Self {
        Self { max_size: self.max_size.min(max_size), ..self.clone() }
    }

    /// A fetcher for requests of teamspaces' administrators: few run at once, and the others wait within their
    /// deadline.
    pub fn for_administrators(&self) -> Self {
        Self { places: Some(Arc::clone(&self.administrators)), ..self.clone() }
    }

    /// Whether an origin is exempt from https and from the public-address rule.
    pub fn is_private_origin(&self, url: &Url) -> bool {
        self.private_origins.contains(&url.origin().ascii_serialization())
    }

    /// Checks a URL by itself, before anything is resolved.
    pub fn check_url(&self, text: &str) -> Result<Url, FetchError> {
        let url = Url::parse(text).map_err(|_| FetchError::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Credentials);
        }
        if self.is_private_origin(&url) {
            return Ok(url);
        }
        if url.scheme() != "https" {
            return Err(FetchError::NotHttps);
        }
        if url.port().is_some() {
            return Err(FetchError::Port);
        }
        // An IP address in the URL is never resolved, so the resolver would not see it.
        match url.host() {
            Some(Host::Ipv4(ip)) if !is_public(IpAddr::V4(ip)) => Err(FetchError::PrivateAddress),
            Some(Host::Ipv6(ip)) if !is_public(IpAddr::V6(ip)) => Err(FetchError::PrivateAddress),
            _ => Ok(url),
        }
    }

    /// Fetches a JSON document, within one deadline for everything.
    pub async fn get(&self, url: &str) -> Result<Fetched, FetchError> {
        let url = self.check_url(url)?;
        let client = self.client_for(&url);
        match tokio::time::timeout(self.timeout, self.get_from(client, url)).await {
            Ok(result) => result,
            Err(_) => Err(FetchError::Timeout),
        }
    }

    /// Sends a request as it is, within one deadline for all of it. Every status is an answer, but for redirects.
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, FetchError> {
        let request = Request::try_from(request).map_err(|_| FetchError::NotAUrl)?;
        let url = self.check_url(request.url().as_str())?;
        let client = self.client_for(&url);
        match tokio::time::timeout(self.timeout, self.send_by(client, request)).await {
            Ok(result) => result,
            Err(_) => Err(FetchError::Timeout),
        }
    }

    fn client_for(&self, url: &Url) -> &Client {
        if self.is_private_origin(url) { &self.private } else { &self.public }
    }

    async fn send_by(
        &self,
        client: &Client,
        request: Request,
    ) -> Result<http::Response<Vec<u8>>, FetchError> {
        let _place = self.place().await?;
        let mut response = self.answer(client, request).await?;
        let mut answer = http::Response::new(Vec::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        let shown = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
        if let Some(certificate) = shown {
            answer.extensions_mut().insert(PeerCertificate(certificate.to_owned()));
        }
        *answer.body_mut() = self.body_of(&mut response).await?;
        Ok(answer)
    }

    async fn place(&self) -> Result<Option<SemaphorePermit<'_>>, FetchError> {
        match &self.places {
            Some(places) => places.acquire().await.map(Some).map_err(|_| FetchError::Timeout),
            None => Ok(None),
        }
    }

    /// The beginning of an answer, which leads nowhere else.
    async fn answer(&self, client: &Client, request: Request) -> Result<Response, FetchError> {
        let response = client.execute(request).await.map_err(|e| why(&e))?;
        if response.status().is_redirection() { Err(FetchError::Redirect) } else { Ok(response) }
    }

    async fn body_of(&self, response: &mut Response) -> Result<Vec<u8>, FetchError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| why(&e))? {
            if body.len() + chunk.len() > self.max_size {
                return Err(FetchError::TooLarge(self.max_size));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn get_from(&self, client: &Client, url: Url) -> Result<Fetched, FetchError> {
        let _place = self.place().await?;
        let mut request = Request::new(Method::GET, url);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut response = self.answer(client, request).await?;
        let status = response.status();
        if status != reqwest::StatusCode::OK {
            return Err(FetchError::Status(status.as_u16()));
        }
        if !is_json(&response) {
            return Err(FetchError::NotJson);
        }
        let (max_age, date) = (max_age(&response), answer_date(response.headers()));
        let body = self.body_of(&mut response).await?;
        // Some servers begin with a byte order mark, which RFC 8259 §8.1 allows readers to ignore.
        let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&body);
        let json = serde_json::from_slice(text).map_err(|_| FetchError::NotJson)?;
        Ok(Fetched { json, max_age, date })
    }
}

fn guarded(config: &Fetch) -> Result<ClientBuilder, FetcherError> {
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .tls_info(true)
        .connect_timeout(config.timeout.std())
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &config.ca_file {
        let fail = |e: &dyn std::fmt::Display| FetcherError(format!("{}: {e}", path.display()));
        let pem = std::fs::read(path).map_err(|e| fail(&e))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|e| fail(&e))?;
        if certificates.is_empty() {
            return Err(fail(&"holds no certificate; expected PEM"));
        }
        builder = certificates.into_iter().fold(builder, ClientBuilder::add_root_certificate);
    }
    Ok(builder)
}

fn is_json(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("application/"))
            && essence.to_ascii_lowercase().ends_with("+json")
}

fn max_age(response: &Response) -> Option<i64> {
    let header = response.headers().get(CACHE_CONTROL)?.to_str().ok()?;
    // Directive names are case-insensitive, and a number may be in quotes (RFC 9111 §5.2).
    header.split(',').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        let is_max_age = name.trim().eq_ignore_ascii_case("max-age");
        is_max_age.then(|| value.trim().trim_matches('"').parse().ok())?
    })
}

/// Gives the connector only checked addresses, so that a second look-up with another answer (DNS rebinding) is
/// impossible.
struct PublicOnly(Resolver);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let all = self.0.resolve(name);
        Box::pin(async move {
            let found: Vec<_> = all.await?.collect();
            // One private address among public ones suggests an attack: refuse them all.
            if found.is_empty() || !found.iter().all(|address| is_public(address.ip())) {
                return Err(NoPublicAddress.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
