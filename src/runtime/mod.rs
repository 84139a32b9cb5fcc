//! The running service: its listeners and background tasks, started and stopped in one place. `serve`, the
//! demonstration and the tests all start it here.

mod background;
mod schedule;
pub mod tasks;

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::Signal;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;
use crate::clock::rfc3339;
use crate::decision_log::counter::SignInCounter;
use crate::decision_log::stream;
use crate::limits::gate::Gate;
use crate::store::{Store, StoreError};
use crate::tls::{ServerTls, TlsError};
use crate::web::{self, server};
pub use schedule::Pace;
use schedule::Schedule;
use tasks::{Stage, Task, TaskEnded, Tasks};

/// How long the tasks of a stage may take to end. This is longer than connections are drained.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the service listens.
pub struct Listeners {
    /// Serves the token endpoint, the metadata and the admin API, and the console where it has no listener of its
    /// own.
    pub public: TcpListener,
    /// Serves `/healthz`, `/readyz` and `/metrics`.
    pub management: TcpListener,
    /// Where the console has a listener of its own.
    pub console: Option<TcpListener>,
}

/// How the service runs.
#[derive(Default)]
pub struct Options {
    /// How often the background tasks run.
    pub pace: Pace,
    /// SIGHUP, once for the policies and once for the shadow set: each reads its files at once.
    pub hangups: Option<[Signal; 2]>,
}

/// Why the service cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The database failed at the start.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A log stream cannot be set up.
    #[error(transparent)]
    LogStream(#[from] stream::StreamStartError),
    /// The certificate of the listeners cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The running service. Dropping it ends everything at once.
pub struct Service {
    stop: CancellationToken,
    tasks: Vec<String>,
    supervisor: AbortOnDropHandle<Result<(), TaskEnded>>,
}

/// Starts listeners and background tasks.
pub fn start(app: &Arc<App>, listeners: Listeners, options: Options) -> Result<Service, RuntimeError> {
    let Options { pace, hangups } = options;
    let mut starting = Starting { app, pace, tasks: Tasks::default() };
    starting.listen(listeners)?;
    starting.follow(hangups)?;
    starting.keep_records();
    starting.count_sign_ins();
    starting.stream_log()?;
    Ok(supervise(app, starting.tasks))
}

/// Runs tasks until [`Service::stop`] is called or an essential one ends, and then stops all of them.
pub fn supervise(app: &Arc<App>, tasks: Tasks) -> Service {
    let (stop, names) = (CancellationToken::new(), tasks.names());
    tracing::debug!(tasks = names.join(" "), "the tasks are started");
    let supervisor = tokio::spawn(run_to_the_end(Arc::clone(app), tasks, stop.clone()));
    Service { stop, tasks: names, supervisor: AbortOnDropHandle::new(supervisor) }
}

impl Service {
    /// The names of the tasks, sorted.
    pub fn tasks(&self) -> &[String] {
        &self.tasks
    }

    /// The token that stops the service: it takes no new requests, answers the open ones, and writes the counts that
    /// it still has.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Waits until the service has stopped. Returns an error if it stopped because an essential task ended.
    pub async fn stopped(self) -> Result<(), TaskEnded> {
        match self.supervisor.await {
            Ok(ended) => ended,
            Err(error) => Err(TaskEnded::of("supervisor", &error)),
        }
    }
}

async fn run_to_the_end(app: Arc<App>, mut tasks: Tasks, stop: CancellationToken) -> Result<(), TaskEnded> {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tasks.failure() => {}
    }
    tracing::info!("stopping");
    app.gate.stop();
    tokio::time::sleep(app.config.stop_delay.std()).await;
    for stage in [Stage::Requests, Stage::Background, Stage::LogStreams] {
        tasks.stop(stage, PATIENCE).await;
    }
    settle(&app.store).await;
    tasks.stop(Stage::Management, PATIENCE).await;
    tracing::info!("stopped");
    tasks.outcome()
}

/// Leaves the database file complete, so that it can be copied after the stop.
async fn settle(store: &Store) {
    match store.settle().await {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!("another process uses the database: its file is not complete without -wal")
        }
        Err(error) => tracing::warn!(%error, "the database file is not complete without -wal"),
    }
}

/// A service whose tasks are being started.
struct Starting<'a> {
    app: &'a Arc<App>,
    pace: Pace,
    tasks: Tasks,
}

impl Starting<'_> {
    fn listen(&mut self, listeners: Listeners) -> Result<(), TlsError> {
        let Listeners { public, management, console } = listeners;
        let tls = ServerTls::of(&self.app.config.tls)?;
        let (router, gate) = (web::router(Arc::clone(self.app)), Arc::clone(&self.app.gate));
        let own_tls = tls.clone();
        self.spawn(essential("public_listener", Stage::Requests), |schedule| async move {
            server::serve_with(own_tls, public, router, gate, schedule.stop.cancelled()).await;
        });
        if let (Some(listener), Some(router)) = (console, web::console_router(Arc::clone(self.app))) {
            let (gate, own_tls) = (Arc::new(Gate::console(&self.app.config)), tls.clone());
            self.spawn(essential("console_listener", Stage::Requests), |schedule| async move {
                server::serve_with(own_tls, listener, router, gate, schedule.stop.cancelled()).await;
            });
        }
        if let Some(tls) = tls {
            let app = Arc::clone(self.app);
            tracing::info!(expires_at = rfc3339(tls.expires()), "loaded the certificate");
            // Nothing else sets it.
            let _ = app.tls.set(Arc::clone(&tls));
            self.spawn(optional("certificate", Stage::Background), |schedule| {
                background::follow_certificate(app, tls, schedule)
            });
        }
        let router = web::management_router(Arc::clone(self.app));
        self.spawn(essential("management_listener", Stage::Management), |schedule| async move {
            let served = server::serve(management, router, Arc::new(Gate::private()), pending());
            schedule.cut_short(served).await;
        });
        Ok(())
    }

    /// The tasks that bring changes of configuration and policies into force.
    fn follow(&mut self, hangups: Option<[Signal; 2]>) -> Result<(), StoreError> {
        let (app, config) = (self.app, &self.app.config);
        let [policies, shadow] = hangups.map_or([None, None], |hangups| hangups.map(Some));
        let changes = match self.pace {
            Pace::Timed => Store::changes(&config.database_url, &config.database)?,
            Pace::Held => Arc::<Notify>::default(),
        };
        self.background("configuration", |schedule| {
            background::follow_changes(Arc::clone(app), changes, schedule)
        });
        self.background("policies", |schedule| {
            background::follow_policies(Arc::clone(app), policies, schedule)
        });
        self.background("heartbeat", |schedule| background::heartbeat(Arc::clone(app), schedule));
        if app.shadow.is_some() {
            self.spawn(optional("shadow_policies", Stage::Background), |schedule| {
                background::follow_shadow(Arc::clone(app), shadow, schedule)
            });
        }
        Ok(())
    }

    /// The tasks that write records and delete old ones.
    fn keep_records(&mut self) {
        let app = self.app;
        // This also frees the memory that callers' requests have left behind.
        self.background("retention", |schedule| background::prune(Arc::clone(app), schedule));
        self.spawn(optional("log_seals", Stage::LogStreams), |schedule| {
            background::seal(Arc::clone(app), schedule)
        });
        self.spawn(optional("issuer_metadata", Stage::Background), |schedule| {
            background::recheck_issuers(Arc::clone(app), schedule)
        });
        self.spawn(optional("token_uses", Stage::Background), |schedule| {
            background::record_token_uses(Arc::clone(app), schedule)
        });
        self.spawn(optional("counted_refusals", Stage::Background), |schedule| {
            background::record_refusals(Arc::clone(app), schedule)
        });
        if app.shadow.is_some() {
            self.spawn(optional("shadow_differences", Stage::Background), |schedule| {
                background::record_shadow(Arc::clone(app), schedule)
            });
        }
    }

    /// This stops after every task that writes log rows, so that the last rows are counted too.
    fn count_sign_ins(&mut self) {
        let counter = SignInCounter::new(self.app);
        self.spawn(optional("sign_in_counts", Stage::LogStreams), |schedule| {
            background::count_sign_ins(counter, schedule)
        });
    }

    fn stream_log(&mut self) -> Result<(), stream::StreamStartError> {
        for stream in stream::all(self.app)? {
            let task = optional(&format!("log_stream:{}", stream.name()), Stage::LogStreams);
            self.spawn(task, |schedule| async move {
                if schedule.next(async {}).await.is_some() {
                    stream.run(schedule.stop).await;
                }
            });
        }
        Ok(())
    }

    /// Starts an essential task: without it, the service would decide by outdated data.
    fn background<F>(&mut self, name: &str, work: impl FnOnce(Schedule) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn(essential(name, Stage::Background), work);
    }

    fn spawn<F>(&mut self, task: Task, work: impl FnOnce(Schedule) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let pace = self.pace;
        self.tasks.spawn(task, |stop| work(Schedule { pace, stop }));
    }
}

fn essential(name: &str, stage: Stage) -> Task {
    Task { name: name.to_owned(), stage, is_essential: true }
}

/// A task that sign-ins do not depend on.
fn optional(name: &str, stage: Stage) -> Task {
    Task { name: name.to_owned(), stage, is_essential: false }
}
