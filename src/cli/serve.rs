//! `countersign serve`.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior};

use super::{CannotRun, End, Outcome, exposed};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::decision_log::stream;
use crate::limits::connections::raise_descriptor_limit;
use crate::limits::gate::Gate;
use crate::policy::reload::ReloadTrigger;
use crate::store::{Store, connection};
use crate::telemetry;
use crate::web::{self, server};

/// How often it is looked for changes that other processes made, if none is heard of.
const POLL: Duration = Duration::from_millis(500);
/// How often it is looked whether files have changed.
const POLL_FILES: Duration = Duration::from_secs(1);
/// How often replicas hear of each other.
const MEET: Duration = Duration::from_secs(5);
/// The same while the database is in doubt.
const PROBE_AGAIN: Duration = Duration::from_secs(1);
/// How often what the shadow set would have decided otherwise is written down.
const FLUSH: Duration = Duration::from_secs(2);
/// How often what has expired is deleted.
const PRUNE: Duration = Duration::from_secs(60);

/// The signals that the service heeds. Listened to before anything else, so that none of them kills it.
pub(super) struct Signals {
    stop: StopSignals,
    hangup: Signal,
    shadow_hangup: Signal,
}

struct StopSignals(Signal, Signal);

impl Signals {
    /// From now on they are noted.
    pub(super) fn listen() -> std::io::Result<Self> {
        let stop = StopSignals(signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let [hangup, shadow_hangup] = [signal(SignalKind::hangup())?, signal(SignalKind::hangup())?];
        Ok(Self { stop, hangup, shadow_hangup })
    }
}

impl StopSignals {
    async fn recv(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

/// Serves until a signal comes; `migrates` says whether pending migrations are applied to a database file first.
pub(super) async fn run(config: Config, signals: Signals, migrates: bool) -> Outcome {
    let Signals { mut stop, hangup, shadow_hangup } = signals;
    telemetry::init()?;
    raise_descriptor_limit();
    // On a thread of its own: it waits for files and the database, and a signal must end that.
    let starting = spawn_blocking(move || Handle::current().block_on(start(config, migrates)));
    let app = tokio::select! {
        app = starting => app??,
        () = stop.recv() => {
            tracing::info!("stopped before it was ready");
            return Ok(End::Fine);
        }
    };
    let public = listen(app.config.listen, "listen").await?;
    let management = listen(app.config.management_listen, "management_listen").await?;
    tracing::info!(
        issuer = app.config.issuer,
        listen = %app.config.listen,
        management = %app.config.management_listen,
        policies = app.policies().hash,
        "ready"
    );
    let changes = Store::changes(&app.config.database_url, &app.config.database)?;
    follow(&app, hangup, shadow_hangup);
    tokio::spawn(follow_changes(Arc::clone(&app), changes));
    let (stop_streams, streams_stopped) = watch::channel(false);
    let streams = stream::start(&app, &streams_stopped)?;
    answer(&app, public, management, stop).await?;
    flush_shadow(&app).await;
    app.write_refusals().await;
    if let Err(error) = app.leave_replicas().await {
        tracing::warn!(%error, "cannot tell other replicas that this one ends");
    }
    // After the last request, whose row they may still send.
    let _ = stop_streams.send(true);
    streams.join_all().await;
    settle(&app.store).await;
    tracing::info!("stopped");
    Ok(End::Fine)
}

/// Whoever copies the database file of a service that has stopped has all of it.
async fn settle(store: &Store) {
    match store.settle().await {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!("another process uses the database: its file is not complete without -wal")
        }
        Err(error) => tracing::warn!(%error, "the database file is not complete without -wal"),
    }
}

/// Everything that must be in order before there is a service.
async fn start(config: Config, migrates: bool) -> Result<Arc<App>, CannotRun> {
    if migrates && config.database_url.starts_with("sqlite://") {
        if let Some(path) = connection::missing(&config.database_url) {
            tracing::warn!(
                path,
                "there is no database here, and a new one is made; if there was one before, stop the service and put it back"
            );
        }
        for version in Store::migrate(&config.database_url)? {
            tracing::info!(version, "applied a migration");
        }
    }
    exposed::warn(&config);
    let app = App::start(config, Arc::new(SystemClock)).await.map_err(super::policy::cannot_start)?;
    for warning in &app.policies().warnings {
        tracing::warn!(warning, "policy");
    }
    warm_up(&app)?;
    Ok(app)
}

/// Answers requests until a signal comes, and to the end those that are under way then. A second signal ends the
/// process at once.
async fn answer(
    app: &Arc<App>,
    public: TcpListener,
    management: TcpListener,
    mut stop: StopSignals,
) -> Result<(), CannotRun> {
    let (stopping, stopped) = oneshot::channel();
    let wait = async {
        // An error means that the sender is gone, which is a stop as well.
        let _ = stopped.await;
    };
    let router = web::management_router(Arc::clone(app));
    // To the very end: it is asked whether the process is stopping.
    let private = server::serve(management, router, Arc::new(Gate::private()), std::future::pending());
    let private = tokio::spawn(private);
    let router = web::router(Arc::clone(app));
    let served = tokio::spawn(server::serve(public, router, Arc::clone(&app.gate), wait));
    stop.recv().await;
    tracing::info!("stopping");
    app.gate.stop();
    tokio::spawn(async move {
        stop.recv().await;
        tracing::warn!("ended at once, since a second signal came");
        telemetry::flush();
        std::process::exit(1);
    });
    tokio::time::sleep(app.config.stop_delay.std()).await;
    let _ = stopping.send(());
    served.await?;
    private.abort();
    Ok(())
}

/// The first signature seeds the random generator, which takes tens of milliseconds.
fn warm_up(app: &App) -> Result<(), CannotRun> {
    let signer = app.signer();
    let key = signer.active(app.clock.now()).ok_or("there is no signing key")?;
    key.sign(&serde_json::json!({}))?;
    Ok(())
}

async fn listen(address: std::net::SocketAddr, key: &str) -> Result<TcpListener, CannotRun> {
    TcpListener::bind(address).await.map_err(|e| CannotRun::from(format!("`{key}` = {address}: {e}")))
}

/// Everything that goes on beside the requests.
fn follow(app: &Arc<App>, hangup: Signal, shadow_hangup: Signal) {
    tokio::spawn(probe(Arc::clone(app)));
    tokio::spawn(follow_policies(Arc::clone(app), hangup));
    if app.shadow.is_some() {
        tokio::spawn(follow_shadow(Arc::clone(app), shadow_hangup));
        tokio::spawn(record_shadow(Arc::clone(app)));
    }
    tokio::spawn(Arc::clone(app).record_refusals());
    tokio::spawn(prune(Arc::clone(app)));
}

/// Takes over other processes' changes, for as long as the service runs.
async fn follow_changes(app: Arc<App>, changes: Arc<Notify>) {
    let mut timer = tokio::time::interval(POLL);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = changes.notified() => {}
        }
        let looked = app.reload().await;
        if let Err(error) = &looked
            && !failing
        {
            tracing::warn!(%error, "cannot look for changes");
        }
        failing = looked.is_err();
    }
}

/// Hears of other replicas and lets them hear of this one, which shows whether the database can be read and written,
/// for as long as the service runs. It is looked at once when a sign-in has failed, and often while anything fails.
async fn probe(app: Arc<App>) {
    loop {
        app.probe().await;
        tokio::time::sleep(PROBE_AGAIN).await;
        if app.readiness.is_doubtful() || app.store.failures().is_failing() {
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(MEET.saturating_sub(PROBE_AGAIN)) => {}
            () = app.store.failures().happened() => {}
        }
    }
}

/// Takes over changed policies, for as long as the service runs. It is not a part of [`follow_changes`], which must
/// go on when the policies are on a file system that hangs.
async fn follow_policies(app: Arc<App>, mut hangup: Signal) {
    let mut timer = poll_files();
    loop {
        let look = tokio::select! {
            _ = timer.tick() => ReloadTrigger::IfChanged,
            _ = hangup.recv() => ReloadTrigger::Now,
        };
        app.follow_policies(look).await;
        app.keep_sets().await;
    }
}

/// The same for the shadow set.
async fn follow_shadow(app: Arc<App>, mut hangup: Signal) {
    let mut timer = poll_files();
    loop {
        let look = tokio::select! {
            _ = timer.tick() => ReloadTrigger::IfChanged,
            _ = hangup.recv() => ReloadTrigger::Now,
        };
        app.follow_shadow(look).await;
    }
}

/// Writes down what the shadow set would have decided otherwise, for as long as the service runs.
async fn record_shadow(app: Arc<App>) {
    let mut timer = tokio::time::interval(FLUSH);
    loop {
        timer.tick().await;
        flush_shadow(&app).await;
    }
}

/// Two looks are never nearer to each other than this, also after a long one: what is being written has the time
/// between them to show itself.
fn poll_files() -> tokio::time::Interval {
    let mut timer = tokio::time::interval(POLL_FILES);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer
}

async fn flush_shadow(app: &App) {
    let Some(shadow) = &app.shadow else { return };
    if let Err(error) = shadow.flush(&app.store).await {
        tracing::warn!(%error, "cannot write down what the shadow set decided");
    }
}

/// Deletes what has expired, for as long as the service runs.
async fn prune(app: Arc<App>) {
    // Not before the clocks were compared.
    let mut timer = tokio::time::interval_at(Instant::now() + MEET, PRUNE);
    loop {
        timer.tick().await;
        if let Err(error) = app.prune().await {
            tracing::warn!(%error, "cannot delete what has expired");
        }
    }
}
