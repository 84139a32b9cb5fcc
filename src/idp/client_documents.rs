//! The clients that a Client ID Metadata Document describes. Only documents that the operator allows are fetched, each
//! by one request at a time and not more often than the interval says, whoever asks.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, StatusCode};

use super::cached_document::{AskingRules, CachedDocument, TooManyWait};
use super::client_document::{DocumentFault, MAX_DOCUMENT, read};
use super::discovery::check_jwks_uri;
use super::fetch::{FetchError, Fetcher};
use crate::clock::Clock;
use crate::config::Config;
use crate::model::client::{KeySource, RegisteredClient};

/// A document is good for as long as its server says, within these bounds, in seconds.
const SHORTEST: i64 = 60;
const LONGEST: i64 = 24 * 3600;
/// Where the server does not say.
const USUAL: i64 = 300;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    /// The operator does not allow this document; nothing was fetched.
    #[error("no client has this id")]
    NotAllowed,
    /// The document cannot be fetched, or does not hold to the rules. The text says what came of the last fetch.
    #[error("{0}")]
    Unusable(String),
    /// It is being fetched, and enough requests wait for it already.
    #[error("too many requests wait for the client's document")]
    Busy,
}

/// Why a document was not taken over.
#[derive(Debug, thiserror::Error)]
enum DocumentError {
    #[error("the URL of the document {0}")]
    Fetch(#[from] FetchError),
    #[error("the document's jwks_uri {0}")]
    JwksUri(FetchError),
    #[error(transparent)]
    Fault(#[from] DocumentFault),
}

/// One allowed document.
struct AllowedDocument {
    client: Arc<CachedDocument<Arc<RegisteredClient>>>,
    /// What was wrong when it was last fetched; empty if nothing was.
    fault: ArcSwap<String>,
    /// Whether its client may do without credentials.
    may_be_public: bool,
}

/// The allowed documents.
#[derive(Clone)]
pub struct ClientDocuments {
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    rules: AskingRules,
    allowed: Arc<HashMap<String, Arc<AllowedDocument>>>,
}

impl ClientDocuments {
    /// Those of the configuration, none of them fetched yet.
    pub fn new(fetcher: &Fetcher, clock: Arc<dyn Clock>, config: &Config) -> Self {
        let settings = &config.client_documents;
        let document = |url: &String| {
            let may_be_public = settings.public.contains(url);
            let (client, fault) = (CachedDocument::empty(), ArcSwap::default());
            (url.clone(), Arc::new(AllowedDocument { client, fault, may_be_public }))
        };
        Self {
            fetcher: fetcher.for_operators().limited_to(MAX_DOCUMENT),
            clock,
            // An old document is not used: its client may have had to change it.
            rules: AskingRules { min_interval: config.jwks.min_refresh_interval.as_secs(), max_stale: 0 },
            allowed: Arc::new(settings.allowed.iter().map(document).collect()),
        }
    }

    /// Whether an id is that of an allowed document.
    pub fn allows(&self, client_id: &str) -> bool {
        self.allowed.contains_key(client_id)
    }

    /// Whether the operator lets a client do without credentials.
    pub fn may_be_public(&self, client_id: &str) -> bool {
        self.allowed.get(client_id).is_some_and(|document| document.may_be_public)
    }

    /// The client with this id.
    pub async fn find(&self, client_id: &str) -> Result<Arc<RegisteredClient>, NoClient> {
        let allowed = self.allowed.get(client_id).ok_or(NoClient::NotAllowed)?;
        let fetch = self.clone().fetch_or_note(client_id.to_owned(), Arc::clone(allowed));
        match allowed.client.get(&self.clock, self.rules, |_| true, fetch).await {
            Err(TooManyWait) => Err(NoClient::Busy),
            Ok(Some(client)) => Ok(Arc::clone(&client.content)),
            Ok(None) => Err(NoClient::Unusable(String::clone(&allowed.fault.load()))),
        }
    }

    async fn fetch_or_note(
        self,
        url: String,
        allowed: Arc<AllowedDocument>,
    ) -> Option<(Arc<RegisteredClient>, i64)> {
        match self.fetch(&url).await {
            Ok((client, max_age)) => {
                allowed.fault.store(Arc::default());
                if allowed.client.last().is_some_and(|old| old.content.keys != client.keys) {
                    tracing::warn!(
                        client_id = url,
                        "a client's metadata document has other keys than before"
                    );
                }
                Some((Arc::new(client), max_age))
            }
            Err(error) => {
                tracing::warn!(client_id = url, %error, "cannot use a client's metadata document");
                allowed.fault.store(Arc::new(error.to_string()));
                None
            }
        }
    }

    /// §4 of the draft: status 200, JSON, no redirects.
    async fn fetch(&self, url: &str) -> Result<(RegisteredClient, i64), DocumentError> {
        let request = Request::get(url).header(ACCEPT, "application/json").body(Vec::new());
        let answer = self.fetcher.send(request.map_err(|_| FetchError::NotAUrl)?).await?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status().as_u16()).into());
        }
        if !is_json(answer.headers()) {
            return Err(FetchError::NotJson.into());
        }
        let client = read(url, answer.body())?;
        if let Some(KeySource::Fetched(uri)) = &client.keys {
            self.fetcher.check_url(uri).map_err(DocumentError::JwksUri)?;
            check_jwks_uri(&self.fetcher, url, uri).map_err(DocumentError::JwksUri)?;
        }
        Ok((client, max_age(answer.headers()).unwrap_or(USUAL).clamp(SHORTEST, LONGEST)))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.starts_with("application/") && essence.ends_with("+json")
}

/// The seconds for which the server lets it be kept (RFC 9111 §5.2.2).
fn max_age(headers: &HeaderMap) -> Option<i64> {
    let directives = headers.get(CACHE_CONTROL)?.to_str().ok()?.to_ascii_lowercase();
    let mut directives = directives.split(',').map(str::trim);
    if directives.clone().any(|directive| directive == "no-store" || directive == "no-cache") {
        return Some(0);
    }
    directives.find_map(|directive| directive.strip_prefix("max-age=")?.trim_matches('"').parse().ok())
}
