//! A document of another server that is prepared once, used while it is good, and fetched again by one request at a
//! time.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use crate::clock::{Clock, Moment};

/// The most requests that wait for one document. Each of them holds a slot of the gate, and a server that does not
/// answer must not use up all slots.
const MAX_WAITING: usize = 64;

/// Enough requests wait for the document already.
#[derive(Debug)]
pub(super) struct TooManyWait;

/// A document as it was fetched.
pub(super) struct Aged<T> {
    pub content: T,
    fetched: Moment,
    /// How many seconds it is used without asking again.
    max_age: i64,
}

/// The outcome of a fetch.
pub(super) enum FetchOutcome<T> {
    /// A document, and the seconds that it is good for.
    Got(T, i64),
    /// Nothing that can be used.
    Nothing,
    /// The server was not asked after all, so that the next request may ask.
    NotYet,
}

impl<T> From<Option<(T, i64)>> for FetchOutcome<T> {
    fn from(got: Option<(T, i64)>) -> Self {
        got.map_or(Self::Nothing, |(content, max_age)| Self::Got(content, max_age))
    }
}

/// When the server is asked.
#[derive(Clone, Copy)]
pub(super) struct AskingRules {
    /// The seconds between two requests, whatever came of the first.
    pub min_interval: i64,
    /// The seconds for which a document is used beyond its time, while there is no newer one.
    pub max_stale: i64,
}

/// The cache of one document.
pub(super) struct CachedDocument<T> {
    content: ArcSwapOption<Aged<T>>,
    /// The time of the last request; held while asking, so that only one request is under way.
    asked_at: Arc<AsyncMutex<Option<Moment>>>,
    waiting: Semaphore,
}

impl<T: Send + Sync + 'static> CachedDocument<T> {
    pub fn empty() -> Arc<Self> {
        Arc::new(Self {
            content: ArcSwapOption::empty(),
            asked_at: Arc::default(),
            waiting: Semaphore::new(MAX_WAITING),
        })
    }

    /// The document; none if there is none that may be used. It is fetched if it is old or not `enough`, unless somebody
    /// did so within the interval. Only then the fetch is even made: it is large, and seldom needed.
    pub async fn get<F>(
        self: &Arc<Self>,
        clock: &Arc<dyn Clock>,
        rules: AskingRules,
        is_enough: impl Fn(&T) -> bool,
        fetch: impl FnOnce() -> F,
    ) -> Result<Option<Arc<Aged<T>>>, TooManyWait>
    where
        F: Future<Output: Into<FetchOutcome<T>>> + Send + 'static,
    {
        if let Some(found) = self.fresh(&**clock, &is_enough) {
            return Ok(Some(found));
        }
        let usable = || {
            let found = self.content.load_full();
            found.filter(|aged| aged.fetched.age(&**clock) < aged.max_age + rules.max_stale)
        };
        let asked_at = match Arc::clone(&self.asked_at).try_lock_owned() {
            Ok(guard) => guard,
            // While another request is asking, this one waits only if it has nothing to go on with.
            Err(_) => match usable().filter(|aged| is_enough(&aged.content)) {
                Some(found) => return Ok(Some(found)),
                None => {
                    let _waiting = self.waiting.try_acquire().map_err(|_| TooManyWait)?;
                    Arc::clone(&self.asked_at).lock_owned().await
                }
            },
        };
        let was_asked = asked_at.is_some_and(|at| at.age(&**clock) < rules.min_interval);
        if !was_asked && self.fresh(&**clock, &is_enough).is_none() {
            self.ask(clock, asked_at, fetch).await;
        }
        Ok(usable())
    }

    /// The last one, however old it is.
    pub fn last(&self) -> Option<Arc<Aged<T>>> {
        self.content.load_full()
    }

    /// A document that can be used without asking. After the clock was set back, its age is doubtful.
    fn fresh(&self, clock: &dyn Clock, is_enough: &impl Fn(&T) -> bool) -> Option<Arc<Aged<T>>> {
        let is_fresh = |aged: &Arc<Aged<T>>| {
            aged.fetched.age(clock) < aged.max_age && !aged.fetched.is_before_step_back(clock)
        };
        self.content.load_full().filter(|aged| is_fresh(aged) && is_enough(&aged.content))
    }

    /// Asks in a task of its own: a client that hangs up must not cancel what others wait for.
    async fn ask<F>(
        self: &Arc<Self>,
        clock: &Arc<dyn Clock>,
        mut asked_at: tokio::sync::OwnedMutexGuard<Option<Moment>>,
        fetch: impl FnOnce() -> F,
    ) where
        F: Future<Output: Into<FetchOutcome<T>>> + Send + 'static,
    {
        *asked_at = Some(Moment::now(&**clock));
        let (own, clock, fetch) = (Arc::clone(self), Arc::clone(clock), fetch());
        let asking = tokio::spawn(async move {
            match fetch.await.into() {
                FetchOutcome::Got(content, max_age) => {
                    let fetched = Moment::now(&*clock);
                    own.content.store(Some(Arc::new(Aged { content, fetched, max_age })));
                }
                FetchOutcome::Nothing => {}
                FetchOutcome::NotYet => *asked_at = None,
            }
            drop(asked_at);
        });
        if let Err(error) = asking.await {
            tracing::error!(%error, "fetching a document ended early");
        }
    }
}
