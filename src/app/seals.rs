//! Seals both logs shortly after their rows were written, so that sign-ins do no extra work. Of several processes, the
//! first to come seals; the others see that and wait.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Mutex;

use super::App;
use crate::clock::UnixSeconds;
use crate::config::Config;
use crate::model::log::Log;
use crate::store::StoreError;
use crate::store::log_seals::key::SealKey;
use crate::store::log_seals::{Seal, append};
use crate::store::log_streams::CommitWatermark;

/// How often logs are sealed, in seconds.
pub const INTERVAL: u64 = 30;

/// This process's knowledge of the chains.
pub struct Seals {
    /// None where no encryption key is configured.
    pub key: Option<SealKey>,
    logs: [LogSeals; 2],
}

struct LogSeals {
    log: Log,
    state: Mutex<SealState>,
    /// The last id that a seal covers.
    sealed_to: AtomicI64,
}

#[derive(Default)]
struct SealState {
    watermark: CommitWatermark,
    /// The end of the chain at the last look.
    head: Option<Seal>,
    /// The last seal that this process made.
    own: i64,
}

impl Seals {
    /// Nothing is known yet.
    pub fn new(config: &Config) -> Self {
        let state = |log| LogSeals { log, state: Mutex::default(), sealed_to: AtomicI64::new(0) };
        Self { key: config.keys.encryption_key.as_ref().map(SealKey::of), logs: Log::ALL.map(state) }
    }

    /// The last sealed id of each log, as far as this process knows.
    pub(super) fn sealed(&self) -> impl Iterator<Item = (Log, i64)> {
        self.logs.iter().map(|log| (log.log, log.sealed_to.load(Ordering::Relaxed)))
    }
}

impl SealState {
    /// Notes the end of the chain. If the chain got shorter or is another one, this process did not do that.
    fn see(&mut self, log: Log, head: Option<&Seal>) {
        if let Some(known) = &self.head {
            let (number, digest) = head.map_or((0, ""), |seal| (seal.number, &seal.digest));
            if number < known.number || (number == known.number && digest != known.digest) {
                let (log, known, found) = (log.as_str(), known.number, number);
                tracing::error!(
                    log,
                    known,
                    found,
                    "seals of a log are gone or others; unless the database was restored or failed over, somebody \
                     changed them: run `countersign audit verify`"
                );
            }
        }
        self.head = head.cloned();
    }

    /// Whether another process has sealed a moment ago.
    fn is_served(&self, now: UnixSeconds) -> bool {
        let interval = 0..i64::try_from(INTERVAL).unwrap_or(i64::MAX);
        self.head
            .as_ref()
            .is_some_and(|seal| seal.number > self.own && interval.contains(&(now - seal.sealed_at)))
    }
}

impl App {
    /// Seals what was written since.
    pub async fn seal_logs(&self) -> Result<(), StoreError> {
        for log in &self.seals.logs {
            self.seal_log(log).await?;
        }
        Ok(())
    }

    async fn seal_log(&self, LogSeals { log, state, sealed_to }: &LogSeals) -> Result<(), StoreError> {
        let log = *log;
        let mut state = state.lock().await;
        let mut ends = self.store.list(move |c| append::look(c, log)).await?;
        state.see(log, ends.newest.as_ref());
        state.watermark.see(ends.view.clone());
        let (settled, now) = (state.watermark.settled(), self.clock.now());
        let mut is_more = !state.is_served(now);
        let before = state.head.as_ref().map_or(0, |seal| seal.number);
        while is_more {
            let (at, key) = (ends.clone(), self.seals.key.clone());
            let next =
                self.store.list(move |c| append::next(c, log, (&at, settled), key.as_ref(), now)).await?;
            let Some(last) = next.seals.last().cloned() else { break };
            let to = ends.newest.take();
            let append = move |c: &mut _| append::append(c, &next.seals, to.as_ref());
            if !self.store.write::<_, StoreError, _>(append).await? {
                break;
            }
            (state.own, state.head, ends.newest) = (last.number, Some(last.clone()), Some(last));
            is_more = next.is_more;
        }
        if let Some(head) = &state.head {
            sealed_to.store(head.last_id, Ordering::Relaxed);
            if head.number > before {
                let (log, seal, last_id, digest) = (log.as_str(), head.number, head.last_id, &head.digest);
                tracing::info!(log, seal, last_id, digest, "sealed");
            }
        }
        Ok(())
    }
}
