//! Queues of jobs, and the waiting for their results.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use diesel::result::Error as DieselError;
use tokio::sync::oneshot;

use super::StoreError;
use super::connection::AnyConnection;
use super::job::ReadJob;

/// The most jobs waiting for a thread; a full queue is overload, answered with 503 instead of a longer queue.
const QUEUE: usize = 4096;
/// How long a caller waits while the database is known not to answer.
const SHORT_PATIENCE: Duration = Duration::from_millis(200);

/// A queue with its threads, which end when this is dropped.
pub(super) struct WorkQueue<J> {
    queue: Sender<J>,
    pub patience: Duration,
    state: Arc<QueueState>,
}

/// The state of a queue's threads.
#[derive(Default)]
pub(super) struct QueueState {
    /// Whether a caller has waited in vain since the last completed job.
    pub stalled: AtomicBool,
    /// How many threads have a connection.
    pub connected: Arc<AtomicUsize>,
}

tokio::task_local! {
    /// How long a request may still wait for the database.
    static LEFT: Cell<Duration>;
}

/// Runs the work of one request: all its waits for the database together take at most `patience`.
///
/// This is not an `async fn`, which would hold `work` twice: as its argument, and where it awaits it.
pub(super) fn for_one_request<T>(
    patience: Duration,
    work: impl Future<Output = T>,
) -> impl Future<Output = T> {
    LEFT.scope(Cell::new(patience), work)
}

impl WorkQueue<ReadJob> {
    /// Runs `job` in a transaction that sees one state of the database.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + From<DieselError> + Send + 'static,
    {
        let (answer, done) = oneshot::channel();
        let job: ReadJob = Box::new(move |link| {
            if answer.is_closed() {
                return false;
            }
            let result = link.transaction(AnyConnection::begin_read, job);
            let failed = result.is_err();
            let _ = answer.send(result);
            failed
        });
        self.submit(job)?;
        self.wait(done).await?
    }
}

impl<J> Clone for WorkQueue<J> {
    fn clone(&self) -> Self {
        let Self { queue, patience, state } = self;
        Self { queue: queue.clone(), patience: *patience, state: Arc::clone(state) }
    }
}

impl<J: Send + 'static> WorkQueue<J> {
    /// A queue for jobs that `start` gives to threads.
    pub fn start(
        patience: Duration,
        state: &Arc<QueueState>,
        start: impl FnOnce(Receiver<J>) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let (queue, jobs) = bounded(QUEUE);
        start(jobs)?;
        Ok(Self { queue, patience, state: Arc::clone(state) })
    }

    /// Hands a job over, unless too many wait already.
    pub fn submit(&self, job: J) -> Result<(), StoreError> {
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Overloaded,
            TrySendError::Disconnected(_) => StoreError::Stopped,
        })
    }

    /// Waits for an answer, with a deadline: a server that is gone may go unnoticed for minutes. Only a caller that
    /// has waited the full time may conclude that it does not answer.
    pub async fn wait<T>(&self, done: oneshot::Receiver<T>) -> Result<T, StoreError> {
        let stalled = self.state.stalled.load(Ordering::Relaxed);
        let patience = if stalled { SHORT_PATIENCE.min(self.patience) } else { self.patience };
        let left = LEFT.try_with(Cell::get).unwrap_or(patience);
        let (patience, began) = (patience.min(left.max(SHORT_PATIENCE)), Instant::now());
        let answer = tokio::time::timeout(patience, done).await;
        // Outside such a request there is nothing to count.
        let _ = LEFT.try_with(|left| left.set(left.get().saturating_sub(began.elapsed())));
        match answer {
            Ok(answer) => answer.map_err(|_| StoreError::Stopped),
            Err(_) => {
                if patience == self.patience {
                    self.state.stalled.store(true, Ordering::Relaxed);
                }
                Err(StoreError::Timeout)
            }
        }
    }

    /// Waits until a thread has a connection; false if none has in time.
    pub fn is_connected_before(&self, until: Instant) -> bool {
        while self.state.connected.load(Ordering::Relaxed) == 0 {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }
}
