//! Threads that use the database, and one that watches them. A frozen server whose machine still runs keeps
//! connections open and answers nothing: libpq then waits for ever, and nothing can wake it. Such a thread is
//! abandoned after our own deadline, and another one with a new connection takes its place.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(feature = "postgres")]
use diesel::connection::{Instrumentation, InstrumentationEvent, get_default_instrumentation};

use super::StoreError;

/// How often the watcher looks for late calls.
const TICK: Duration = Duration::from_millis(100);
/// The most abandoned threads that still wait. They end when the server ends or goes on.
const MOST_GIVEN_UP: usize = 64;

/// The state of a thread that uses the database.
pub(super) struct Call {
    doing: Mutex<Doing>,
    /// How many threads of the queue have a connection.
    connected: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Doing {
    /// The time by which the call under way must return.
    until: Option<Instant>,
    is_connected: bool,
    given_up: bool,
}

impl Call {
    fn new(connected: Arc<AtomicUsize>) -> Self {
        Self { doing: Mutex::default(), connected }
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn begin(&self, limit: Duration) {
        self.doing().until = Some(Instant::now() + limit);
    }

    pub fn end(&self) {
        self.doing().until = None;
    }

    /// Whether another thread has replaced this one, which must end.
    pub fn is_given_up(&self) -> bool {
        self.doing().given_up
    }

    pub fn set_connected(&self, connected: bool) {
        let mut doing = self.doing();
        if !doing.given_up && doing.is_connected != connected {
            doing.is_connected = connected;
            match connected {
                true => self.connected.fetch_add(1, Ordering::Relaxed),
                false => self.connected.fetch_sub(1, Ordering::Relaxed),
            };
        }
    }

    /// Gives it up if it is late.
    fn give_up(&self, now: Instant) -> bool {
        let mut doing = self.doing();
        if doing.until.is_none_or(|until| until >= now) {
            return false;
        }
        if std::mem::take(&mut doing.is_connected) {
            self.connected.fetch_sub(1, Ordering::Relaxed);
        }
        doing.given_up = true;
        true
    }
}

/// Limits each statement of a connection to a time.
#[cfg(feature = "postgres")]
pub(super) struct EachStatement {
    call: Arc<Call>,
    limit: Duration,
    /// Whoever else looks at each statement, since a connection has room for one.
    other: Option<Box<dyn Instrumentation>>,
}

#[cfg(feature = "postgres")]
impl EachStatement {
    pub fn new(call: &Arc<Call>, limit: Duration) -> Self {
        Self { call: Arc::clone(call), limit, other: get_default_instrumentation() }
    }
}

#[cfg(feature = "postgres")]
impl Instrumentation for EachStatement {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { .. } => self.call.begin(self.limit),
            InstrumentationEvent::FinishQuery { .. } => self.call.end(),
            _ => {}
        }
        if let Some(other) = &mut self.other {
            other.on_connection_event(event);
        }
    }
}

/// The work of a thread, until it is done or abandoned.
type Work = Arc<dyn Fn(&Arc<Call>) + Send + Sync>;

/// A thread, with the means to start a replacement.
struct Watched {
    name: String,
    call: Arc<Call>,
    work: Work,
    /// False if it is abandoned and no replacement could be started yet.
    runs: bool,
}

#[derive(Default)]
pub(super) struct Watchdog {
    watched: Mutex<Vec<Watched>>,
    given_up: Arc<AtomicUsize>,
}

impl Watchdog {
    /// Starts the watching thread, which runs until the last watched thread has ended.
    pub fn start() -> Result<Arc<Self>, StoreError> {
        let this = Arc::<Self>::default();
        let weak = Arc::downgrade(&this);
        spawn("store-watchdog", move || watch(&weak))?;
        Ok(this)
    }

    /// Starts a thread. While it has a connection, it counts in `connected`.
    pub fn run(
        self: &Arc<Self>,
        name: &str,
        connected: &Arc<AtomicUsize>,
        work: impl Fn(&Arc<Call>) + Send + Sync + 'static,
    ) -> Result<(), StoreError> {
        let call = Arc::new(Call::new(Arc::clone(connected)));
        let mut watched = Watched { name: name.to_owned(), call, work: Arc::new(work), runs: false };
        // A thread that ends at once must find the list that it is removed from.
        let mut all = self.watched();
        self.start_thread(&mut watched)?;
        all.push(watched);
        Ok(())
    }

    fn watched(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_thread(self: &Arc<Self>, watched: &mut Watched) -> Result<(), StoreError> {
        let (this, call, work) = (Arc::clone(self), Arc::clone(&watched.call), Arc::clone(&watched.work));
        spawn(&watched.name, move || {
            work(&call);
            call.end();
            call.set_connected(false);
            if call.is_given_up() {
                this.given_up.fetch_sub(1, Ordering::Relaxed);
            }
            this.watched().retain(|watched| !Arc::ptr_eq(&watched.call, &call));
        })?;
        watched.runs = true;
        Ok(())
    }

    /// Replaces late threads.
    fn look(self: &Arc<Self>) {
        let now = Instant::now();
        for watched in self.watched().iter_mut() {
            if watched.runs
                && self.given_up.load(Ordering::Relaxed) < MOST_GIVEN_UP
                && watched.call.give_up(now)
            {
                self.given_up.fetch_add(1, Ordering::Relaxed);
                tracing::error!(
                    thread = watched.name,
                    "the database did not answer in time; the connection is abandoned"
                );
                watched.call = Arc::new(Call::new(Arc::clone(&watched.call.connected)));
                watched.runs = false;
            }
            if !watched.runs
                && let Err(error) = self.start_thread(watched)
            {
                tracing::error!(%error, "cannot start a thread for another connection; trying again");
            }
        }
    }
}

fn watch(watchdog: &Weak<Watchdog>) {
    while let Some(watchdog) = watchdog.upgrade() {
        watchdog.look();
        drop(watchdog);
        thread::sleep(TICK);
    }
}

/// Runs `work` on a separate thread, which is abandoned if it takes too long.
pub(super) fn in_time<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (answer, done) = crossbeam_channel::bounded(1);
    spawn("store-once", move || drop(answer.send(work())))?;
    done.recv_timeout(limit).unwrap_or(Err(StoreError::Timeout))
}

pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    let started = thread::Builder::new().name(name.into()).spawn(run);
    started.map(drop).map_err(|e| StoreError::Open(format!("cannot start a thread: {e}")))
}
