//! The clients that a Client ID Metadata Document describes. Only documents that the operator allows are fetched, each
//! by one request at a time and not more often than the interval says, whoever asks.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};

use super::cached_document::{AskingRules, FetchOutcome, TooManyWait};
use super::client_document::{DocumentFault, MAX_DOCUMENT, host_of, read};
use super::client_document_origins::{AllowedDocument, LastFault, OriginDocuments};
use super::discovery::check_jwks_uri;
use super::fetch::{FetchError, Fetcher};
use super::key_set::KeySet;
use super::trust::TrustRecord;
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
    /// It was not fetched: enough documents of its origin were, until so many seconds are over.
    #[error("too many documents of its origin were fetched in this minute")]
    NoRoom(u64),
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
    #[error("too many documents of its origin were fetched; there is room in {0} s")]
    NoRoom(i64),
}

/// Where a document is kept, and how many of its like are fetched.
#[derive(Clone)]
struct DocumentPlace {
    document: Arc<AllowedDocument>,
    /// None for one that the configuration lists by its URL.
    origin: Option<Arc<OriginDocuments>>,
}

/// The allowed documents.
#[derive(Clone)]
pub struct ClientDocuments {
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    rules: AskingRules,
    allowed: Arc<HashMap<String, Arc<AllowedDocument>>>,
    origins: Arc<[Arc<OriginDocuments>]>,
    /// Those whose clients may do without credentials.
    public: Arc<HashSet<String>>,
    /// Where changes of keys are recorded; none in commands that only read.
    record: Option<TrustRecord>,
}

impl ClientDocuments {
    /// Those of the configuration, none of them fetched yet.
    pub fn new(
        fetcher: &Fetcher,
        clock: Arc<dyn Clock>,
        config: &Config,
        record: Option<TrustRecord>,
    ) -> Self {
        let settings = &config.client_documents;
        let document = |url: &String| (url.clone(), Arc::new(AllowedDocument::unknown()));
        let of_origin = |origin| Arc::new(OriginDocuments::new(origin));
        Self {
            fetcher: fetcher.for_operators().limited_to(MAX_DOCUMENT),
            clock,
            // An old document is not used: its client may have had to change it.
            rules: AskingRules { min_interval: config.jwks.min_refresh_interval.as_secs(), max_stale: 0 },
            allowed: Arc::new(settings.allowed.iter().map(document).collect()),
            origins: settings.document_origins().map(of_origin).collect(),
            public: Arc::new(settings.public.iter().cloned().collect()),
            record,
        }
    }

    /// Whether an id is that of an allowed document.
    pub fn allows(&self, client_id: &str) -> bool {
        self.allowed.contains_key(client_id) || self.origin_of(client_id).is_some()
    }

    fn origin_of(&self, client_id: &str) -> Option<&Arc<OriginDocuments>> {
        self.origins.iter().find(|origin| origin.allows(client_id))
    }

    fn place_of(&self, client_id: &str) -> Option<DocumentPlace> {
        if let Some(document) = self.allowed.get(client_id).cloned() {
            return Some(DocumentPlace { document, origin: None });
        }
        let origin = self.origin_of(client_id)?;
        let document = origin.place(client_id, &*self.clock);
        Some(DocumentPlace { document, origin: Some(Arc::clone(origin)) })
    }

    /// The host of an allowed document.
    pub fn host_of(&self, client_id: &str) -> Option<String> {
        self.allows(client_id).then(|| host_of(client_id)).flatten()
    }

    /// Whether the operator lets a client do without credentials.
    pub fn may_be_public(&self, client_id: &str) -> bool {
        self.public.contains(client_id)
    }

    /// The client with this id.
    pub async fn find(&self, client_id: &str) -> Result<Arc<RegisteredClient>, NoClient> {
        let place = self.place_of(client_id).ok_or(NoClient::NotAllowed)?;
        let document = Arc::clone(&place.document);
        let fetch = || self.clone().fetch_or_note(client_id.to_owned(), place);
        match document.client.get(&self.clock, self.rules, |_| true, fetch).await {
            Err(TooManyWait) => Err(NoClient::Busy),
            Ok(Some(client)) => Ok(Arc::clone(&client.content)),
            Ok(None) => Err(match &**document.fault.load() {
                LastFault::NoRoom(seconds) => NoClient::NoRoom(seconds.unsigned_abs()),
                LastFault::Unusable(fault) => NoClient::Unusable(fault.clone()),
                LastFault::None => NoClient::Unusable(String::new()),
            }),
        }
    }

    async fn fetch_or_note(self, url: String, place: DocumentPlace) -> FetchOutcome<Arc<RegisteredClient>> {
        let document = &place.document;
        match self.fetch_within_bounds(&url, place.origin.as_deref()).await {
            Ok((client, max_age)) => {
                document.fault.store(Arc::default());
                if let Some(old) = document.client.last() {
                    self.note_keys(&url, old.content.keys.as_ref(), client.keys.as_ref()).await;
                }
                FetchOutcome::Got(Arc::new(client), max_age)
            }
            Err(error) => {
                tracing::warn!(client_id = url, %error, "cannot use a client's metadata document");
                let (fault, asked) = match error {
                    DocumentError::NoRoom(seconds) => (LastFault::NoRoom(seconds), FetchOutcome::NotYet),
                    other => (LastFault::Unusable(other.to_string()), FetchOutcome::Nothing),
                };
                document.fault.store(Arc::new(fault));
                asked
            }
        }
    }

    async fn fetch_within_bounds(
        &self,
        url: &str,
        origin: Option<&OriginDocuments>,
    ) -> Result<(RegisteredClient, i64), DocumentError> {
        origin.map_or(Ok(()), |origin| origin.may_fetch(&*self.clock)).map_err(DocumentError::NoRoom)?;
        self.fetch(url).await
    }

    /// §6.3 of the draft: who took over a document would change its keys. Administrators learn of it; the new ones count.
    async fn note_keys(&self, url: &str, old: Option<&KeySource>, new: Option<&KeySource>) {
        let (old, new) = (named_keys(old), named_keys(new));
        if old == new {
            return;
        }
        tracing::warn!(client_id = url, "a client's metadata document has other keys than before");
        let Some(record) = &self.record else { return };
        if let Err(error) = record.note_client_keys(url, (&old, &new), self.clock.now()).await {
            tracing::warn!(client_id = url, %error, "cannot record the change of a client's keys");
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

/// The keys of a document by their thumbprints (RFC 7638), or where they are: the order and the other members of a set do
/// not matter.
fn named_keys(keys: Option<&KeySource>) -> Value {
    match keys {
        None => Value::Null,
        Some(KeySource::Fetched(uri)) => json!({ "jwks_uri": uri }),
        Some(KeySource::Registered(jwks)) => {
            let set = serde_json::from_str(jwks).ok().and_then(|jwks| KeySet::parse(&jwks).ok());
            json!({ "keys": set.map(|set| set.trusted()) })
        }
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
