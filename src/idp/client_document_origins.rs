//! The Client ID Metadata Documents of whole origins, of which a caller picks the URL: so both the memory for them and the
//! fetches are bounded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use url::Url;

use super::cached_document::CachedDocument;
use crate::clock::{Clock, Moment};
use crate::config::{DocumentOrigin, check_document_url};
use crate::model::client::RegisteredClient;

/// The most documents that are kept of one entry of the configuration.
const MAX_KEPT: usize = 256;
/// The most fetches of one entry of the configuration in a minute.
const MAX_FETCHES: u32 = 60;
const MINUTE: i64 = 60;

/// One allowed document.
pub(super) struct AllowedDocument {
    pub client: Arc<CachedDocument<Arc<RegisteredClient>>>,
    /// The fault of the last fetch.
    pub fault: ArcSwap<LastFault>,
}

/// Why a document could not be taken the last time.
#[derive(Debug, Default)]
pub(super) enum LastFault {
    /// It was good, or nobody has asked for it.
    #[default]
    None,
    /// It was not fetched, since enough others were. In so many seconds there is room again.
    NoRoom(i64),
    /// It cannot be fetched, or does not hold to the rules.
    Unusable(String),
}

impl AllowedDocument {
    /// Not fetched yet.
    pub fn unknown() -> Self {
        Self { client: CachedDocument::empty(), fault: ArcSwap::default() }
    }

    /// Whether it could ever be used.
    pub fn was_good(&self) -> bool {
        self.client.last().is_some()
    }
}

/// An entry of the configuration with its documents.
pub(super) struct OriginDocuments {
    origin: DocumentOrigin,
    kept: Mutex<HashMap<String, Kept>>,
    fetches: Mutex<Fetches>,
}

struct Kept {
    document: Arc<AllowedDocument>,
    /// The time of its last use.
    used: Moment,
}

/// The fetches of the current minute, which begins with the first of them.
#[derive(Default)]
struct Fetches {
    began: Option<Moment>,
    count: u32,
}

impl OriginDocuments {
    /// None of its documents is fetched yet.
    pub fn new(origin: DocumentOrigin) -> Self {
        Self { origin, kept: Mutex::default(), fetches: Mutex::default() }
    }

    /// Whether an id is the URL of a document at this origin.
    pub fn allows(&self, client_id: &str) -> bool {
        check_document_url(client_id).is_ok_and(|url: Url| self.origin.includes(&url))
    }

    /// The place for a document. Where all places are taken, one whose document was never good goes first, then the one
    /// that was used longest ago: whoever makes up URLs does not push good documents out.
    pub fn place(&self, client_id: &str, clock: &dyn Clock) -> Arc<AllowedDocument> {
        let used = Moment::now(clock);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get_mut(client_id) {
            known.used = used;
            return Arc::clone(&known.document);
        }
        if kept.len() >= MAX_KEPT {
            let least = kept.iter().min_by_key(|(_, known)| (known.document.was_good(), known.used.ticks()));
            if let Some(least) = least.map(|(url, _)| url.clone()) {
                kept.remove(&least);
            }
        }
        let document = Arc::new(AllowedDocument::unknown());
        kept.insert(client_id.to_owned(), Kept { document: Arc::clone(&document), used });
        document
    }

    /// Counts a fetch. If there were enough in this minute, says how many seconds are left of it.
    pub fn may_fetch(&self, clock: &dyn Clock) -> Result<(), i64> {
        let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        if fetches.began.is_none_or(|began| began.age(clock) >= MINUTE) {
            *fetches = Fetches { began: Some(Moment::now(clock)), count: 0 };
        }
        if fetches.count >= MAX_FETCHES {
            let passed = fetches.began.map_or(0, |began| began.age(clock));
            return Err((MINUTE - passed).max(1));
        }
        fetches.count += 1;
        Ok(())
    }
}
