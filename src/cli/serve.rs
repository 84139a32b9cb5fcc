//! `countersign serve`.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;

use super::{CommandError, CommandResult, End};
use crate::admin::database::{self, DatabaseEvent};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::doctor::exposed;
use crate::limits::connections::raise_descriptor_limit;
use crate::policy::PolicyPlace;
use crate::runtime::{self, Listeners, Options, Pace, Service};
use crate::service_manager;
use crate::signing::JwtType;
use crate::store::{Store, connection};
use crate::telemetry;

/// The signals that the service handles. They are caught before anything else, so that none of them kills it.
pub(super) struct Signals {
    stop: StopSignals,
    hangups: [Signal; 2],
}

/// The signals that stop a command which runs until then.
pub(super) struct StopSignals(Signal, Signal);

impl Signals {
    /// From now on they are noted.
    pub(super) fn listen() -> std::io::Result<Self> {
        let stop = StopSignals::listen()?;
        let hangups = [signal(SignalKind::hangup())?, signal(SignalKind::hangup())?];
        Ok(Self { stop, hangups })
    }
}

impl StopSignals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self(signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
    }

    pub(super) async fn recv(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

/// Serves until a signal comes. `migrates` says whether pending migrations are applied to a database file first.
pub(super) async fn run(config: Config, signals: Signals, migrates: bool) -> CommandResult {
    let Signals { mut stop, hangups } = signals;
    telemetry::init()?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        policies = %PolicyPlace::of_policies(&config),
        schema = %PolicyPlace::of_schema(&config),
        "starting"
    );
    raise_descriptor_limit();
    // This runs on a separate thread: it waits for files and the database, and a signal must be able to end that.
    let starting = spawn_blocking(move || Handle::current().block_on(start(config, migrates)));
    let app = tokio::select! {
        app = starting => app??,
        () = stop.recv() => {
            tracing::info!("stopped before it was ready");
            return Ok(End::Fine);
        }
    };
    let listeners = Listeners {
        public: listen(app.config.listen, "listen").await?,
        management: listen(app.config.management_listen, "management_listen").await?,
        console: match app.config.console.listen.filter(|_| app.config.console.enabled) {
            Some(address) => Some(listen(address, "console.listen").await?),
            None => None,
        },
    };
    let service = runtime::start(&app, listeners, Options { pace: Pace::Timed, hangups: Some(hangups) })?;
    tracing::info!(
        issuer = app.config.issuer,
        listen = %app.config.listen,
        management = %app.config.management_listen,
        policies = app.policies().hash,
        "ready"
    );
    service_manager::ready();
    tokio::spawn(service_manager::feed_watchdog());
    if let Err(CommandError(error)) = super::console::invite(&app).await {
        // The service works without it, and `countersign console token` makes one later.
        tracing::warn!(error, "cannot make a set-up token for the console");
    }
    until_stopped(service, stop).await
}

/// Runs the service until a signal has stopped it. A second signal ends the process at once.
async fn until_stopped(service: Service, mut signals: StopSignals) -> CommandResult {
    let stop = service.stop().clone();
    let two_signals = async {
        signals.recv().await;
        service_manager::stopping();
        stop.cancel();
        signals.recv().await;
    };
    tokio::select! {
        stopped = service.stopped() => Ok(stopped.map(|()| End::Fine)?),
        () = two_signals => {
            tracing::warn!("ended at once after a second signal");
            telemetry::flush();
            std::process::exit(1);
        }
    }
}

/// Does everything that must succeed before the service can start.
async fn start(config: Config, migrates: bool) -> Result<Arc<App>, CommandError> {
    let mut applied = Vec::new();
    if migrates && config.database_url.starts_with("sqlite://") {
        if let Some(path) = connection::missing(&config.database_url) {
            tracing::warn!(
                path,
                "there is no database here, so a new one is created; if there was one before, stop the service and put it back"
            );
        }
        applied = Store::migrate(&config.database_url)?;
        applied.iter().for_each(|version| tracing::info!(version, "applied a migration"));
    }
    exposed::warn(&config);
    let app = App::start(config, Arc::new(SystemClock)).await.map_err(super::policy::cannot_start)?;
    database::record(&app.store, DatabaseEvent::Migrated(applied), app.clock.now()).await?;
    for warning in &app.policies().warnings {
        tracing::warn!(warning, "policy");
    }
    warm_up(&app)?;
    Ok(app)
}

/// The first signature seeds the random generator, which takes tens of milliseconds.
fn warm_up(app: &App) -> Result<(), CommandError> {
    let signer = app.signer();
    let key = signer.active(app.clock.now()).ok_or("there is no signing key")?;
    key.sign(JwtType::AccessToken, &serde_json::json!({}))?;
    Ok(())
}

async fn listen(address: std::net::SocketAddr, key: &str) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address).await.map_err(|e| CommandError::from(format!("`{key}` = {address}: {e}")))
}
