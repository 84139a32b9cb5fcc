//! Revocations read from the database for those who follow them, one read for all who ask for the same.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::clock::UnixSeconds;
use crate::limits::Limited;
use crate::limits::places::{Places, RequestPlace};
use crate::store::revocations::{NewRevocations, RevocationCursor, page};
use crate::store::{Store, StoreError};

/// The most rows in a page.
const PAGE: usize = 2000;
/// The most requests of one resource at once: pages are read one after the other, and nobody may hold up the others.
const AT_ONCE_OF_RESOURCE: usize = 64;

/// Some revocations after a cursor.
#[derive(Debug)]
pub struct RevocationPage {
    /// The cursor; none for the beginning.
    after: Option<RevocationCursor>,
    /// What came after it.
    pub read: NewRevocations,
}

/// Reads pages, and counts who asks for them.
#[derive(Debug, Default)]
pub struct RevocationPages {
    /// The last page. Most followers ask for what comes after the same cursor, and at the same moment.
    last: Mutex<Option<Arc<RevocationPage>>>,
    followers: Arc<Places>,
}

impl RevocationPage {
    /// Whether more rows may come after it without a new revocation.
    pub fn is_full(&self) -> bool {
        self.read.items.len() >= PAGE
    }
}

impl RevocationPages {
    /// Reads a page after a cursor, which for none and for an unknown one begins at a time. `known_to` is the position up
    /// to which this process knows revocations. One page is read at a time.
    pub async fn read(
        &self,
        store: &Store,
        after: Option<RevocationCursor>,
        since: UnixSeconds,
        known_to: RevocationCursor,
    ) -> Result<Arc<RevocationPage>, StoreError> {
        let mut last = self.last.lock().await;
        let is_same = |last: &&Arc<RevocationPage>| {
            last.after == after && (last.is_full() || last.read.cursor == known_to)
        };
        if let Some(last) = last.as_ref().filter(is_same) {
            return Ok(Arc::clone(last));
        }
        let read = store.list(move |connection| page(connection, after, since, PAGE)).await?;
        let page = Arc::new(RevocationPage { after, read });
        *last = Some(Arc::clone(&page));
        Ok(page)
    }

    /// Takes a place for a request of a resource.
    pub fn enter(&self, resource_id: &str) -> Result<RequestPlace, Limited> {
        self.followers.take(resource_id, AT_ONCE_OF_RESOURCE)
    }

    /// How many requests are under way; most of them wait for a revocation.
    pub fn followers(&self) -> usize {
        self.followers.taken()
    }
}
