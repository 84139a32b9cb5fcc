//! The background work. Each function is one task, and ends when its schedule does.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, interval_at, sleep, timeout};

use super::schedule::{Pace, Schedule};
use crate::app::{App, SEAL_INTERVAL};
use crate::clock::{DAY, rfc3339};
use crate::decision_log::counter::SignInCounter;
use crate::policy::reload::ReloadTrigger;
use crate::service_manager;
use crate::tls::{ServerTls, expiry};

/// How often the database is asked for other processes' changes, if there is no notification.
const POLL: Duration = Duration::from_millis(500);
/// How often files are checked for changes.
const POLL_FILES: Duration = Duration::from_secs(1);
/// How often replicas hear of each other.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The pause between probes while the database is in doubt.
const PROBE_AGAIN: Duration = Duration::from_secs(1);
/// How often the shadow set's differences are written.
const FLUSH_SHADOW: Duration = Duration::from_secs(2);
/// The minute that `rate_limit.recorded_refusals_per_minute` refers to.
const COUNT_REFUSALS: Duration = Duration::from_secs(60);
/// How often it is written how often tokens were looked at.
const COUNT_TOKEN_USES: Duration = Duration::from_secs(30);
/// How often new sign-ins are counted; pages show numbers that are at most this much older.
const COUNT: Duration = Duration::from_secs(3);
/// How long counting may take when the service stops; the next process continues it.
const LAST_COUNT: Duration = Duration::from_secs(3);
/// How often issuers that nobody asked for a day are looked for, and how long after the start for the first time.
const RECHECK: Duration = Duration::from_secs(600);
const FIRST_RECHECK: Duration = Duration::from_secs(60);
/// How often expired rows are deleted.
const PRUNE: Duration = Duration::from_secs(60);

/// A timer with at least `period` between two ticks, even after a long turn.
fn every(period: Duration) -> Interval {
    let mut timer = interval(period);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer
}

/// Takes over other processes' changes.
pub(super) async fn follow_changes(app: Arc<App>, changes: Arc<Notify>, schedule: Schedule) {
    let mut timer = every(POLL);
    let mut failing = false;
    while schedule.next(tick_or_change(&mut timer, &changes)).await.is_some() {
        let look = async {
            let looked = app.reload().await;
            if let Err(error) = &looked
                && !failing
            {
                tracing::warn!(%error, "cannot poll for changes");
            }
            failing = looked.is_err();
        };
        schedule.cut_short(look).await;
    }
}

async fn tick_or_change(timer: &mut Interval, changes: &Notify) {
    tokio::select! {
        _ = timer.tick() => {}
        () = changes.notified() => {}
    }
}

/// Loads changed policies and schemas of authorization details. This is separate from [`follow_changes`], which must go on even if the policies are on a
/// hanging file system.
pub(super) async fn follow_policies(app: Arc<App>, mut hangup: Option<Signal>, schedule: Schedule) {
    let mut timer = every(POLL_FILES);
    while let Some(trigger) = schedule.next(files_or_hangup(&mut timer, &mut hangup)).await {
        let is_asked = trigger == ReloadTrigger::Now;
        if is_asked {
            service_manager::reloading();
        }
        let reload = async {
            app.follow_policies(trigger).await;
            app.keep_sets().await;
            app.follow_detail_types().await;
            // A stop may cut this short, and must not be told as ready.
            if is_asked {
                service_manager::ready();
            }
        };
        schedule.cut_short(reload).await;
    }
}

/// Takes over a changed shadow set.
pub(super) async fn follow_shadow(app: Arc<App>, mut hangup: Option<Signal>, schedule: Schedule) {
    let mut timer = every(POLL_FILES);
    while let Some(trigger) = schedule.next(files_or_hangup(&mut timer, &mut hangup)).await {
        schedule.cut_short(app.follow_shadow(trigger)).await;
    }
}

/// Takes over a changed certificate of the listeners, and warns each day if it expires soon.
pub(super) async fn follow_certificate(app: Arc<App>, tls: Arc<ServerTls>, schedule: Schedule) {
    let mut timer = every(POLL_FILES);
    let mut warn_at = 0;
    while schedule.next(timer.tick()).await.is_some() {
        let look = async {
            let looking = Arc::clone(&tls);
            match spawn_blocking(move || looking.look()).await {
                Ok(None) => {}
                Ok(Some(Ok(expires))) => {
                    warn_at = 0;
                    tracing::info!(expires_at = rfc3339(expires), "loaded a new certificate");
                }
                Ok(Some(Err(error))) => {
                    tracing::error!(%error, "cannot use the changed certificate; the last good one stays");
                }
                Err(error) => tracing::error!(%error, "cannot look at the certificate"),
            }
        };
        schedule.cut_short(look).await;
        let (now, expires) = (app.clock.now(), tls.expires());
        if now >= warn_at && expires - now < expiry::EXPIRES_SOON {
            warn_at = now + DAY;
            tracing::warn!(
                expires_at = rfc3339(expires),
                "the certificate has expired or soon will; renew it"
            );
        }
    }
}

/// Waits until files must be read: only if they changed, or at once on SIGHUP.
async fn files_or_hangup(timer: &mut Interval, hangup: &mut Option<Signal>) -> ReloadTrigger {
    let asked = async {
        match hangup {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = timer.tick() => ReloadTrigger::IfChanged,
        _ = asked => ReloadTrigger::Now,
    }
}

/// Writes the shadow set's differences, including the last ones when the service stops.
pub(super) async fn record_shadow(app: Arc<App>, schedule: Schedule) {
    let mut timer = every(FLUSH_SHADOW);
    while schedule.next(timer.tick()).await.is_some() {
        flush_shadow(&app).await;
    }
    flush_shadow(&app).await;
}

async fn flush_shadow(app: &App) {
    let Some(shadow) = &app.shadow else { return };
    if let Err(error) = shadow.flush(&app.store).await {
        tracing::warn!(%error, "cannot write the shadow set's differences");
    }
}

/// Writes the number of refusals without a row of their own, including the last ones when the service stops.
pub(super) async fn record_refusals(app: Arc<App>, schedule: Schedule) {
    let mut timer = every(COUNT_REFUSALS);
    while schedule.next(timer.tick()).await.is_some() {
        flush_refusals(&app).await;
    }
    flush_refusals(&app).await;
}

async fn flush_refusals(app: &App) {
    if let Err(error) = app.flush_refusals().await {
        tracing::warn!(%error, "cannot write the number of refused requests");
    }
}

/// Writes how often tokens were looked at, including the last times when the service stops.
pub(super) async fn record_token_uses(app: Arc<App>, schedule: Schedule) {
    let mut timer = every(COUNT_TOKEN_USES);
    while schedule.next(timer.tick()).await.is_some() {
        flush_token_uses(&app).await;
    }
    flush_token_uses(&app).await;
}

async fn flush_token_uses(app: &App) {
    if let Err(error) = app.token_uses.flush(&app.store).await {
        tracing::warn!(%error, "cannot write how often tokens were looked at");
    }
}

/// Counts sign-ins, including the last ones when the service stops.
pub(super) async fn count_sign_ins(mut counter: SignInCounter, schedule: Schedule) {
    let mut timer = every(COUNT);
    while schedule.next(timer.tick()).await.is_some() {
        schedule.cut_short(catch_up(&mut counter)).await;
    }
    if timeout(LAST_COUNT, catch_up(&mut counter)).await.is_err() {
        tracing::debug!("the next process will count the last sign-ins");
    }
    if let Err(error) = counter.release().await {
        tracing::debug!(%error, "the lease of the counter was not given back");
    }
}

async fn catch_up(counter: &mut SignInCounter) {
    if let Err(error) = counter.catch_up().await {
        tracing::warn!(%error, "cannot count sign-ins; the numbers in the console are old");
    }
}

/// Announces this replica to the others and takes note of them, which also shows whether the database can be read and
/// written. It runs at once after a failed sign-in, and often while anything fails. When the service stops, the others
/// are told.
pub(super) async fn heartbeat(app: Arc<App>, schedule: Schedule) {
    let mut pause = Duration::ZERO;
    while schedule.next(until_probe(&app, pause)).await.is_some() {
        app.probe().await;
        pause = HEARTBEAT;
    }
    if let Err(error) = app.leave_replicas().await {
        tracing::warn!(%error, "cannot tell other replicas that this one is stopping");
    }
}

async fn until_probe(app: &App, pause: Duration) {
    sleep(pause.min(PROBE_AGAIN)).await;
    if app.readiness.is_doubtful() || app.store.failures().is_failing() {
        return;
    }
    tokio::select! {
        () = sleep(pause.saturating_sub(PROBE_AGAIN)) => {}
        () = app.store.failures().happened() => {}
    }
}

/// Seals both logs, including the last rows when the service stops.
pub(super) async fn seal(app: Arc<App>, schedule: Schedule) {
    let period = Duration::from_secs(SEAL_INTERVAL);
    let mut timer = every(period);
    while schedule.next(timer.tick()).await.is_some() {
        seal_logs(&app).await;
    }
    if schedule.pace == Pace::Timed {
        seal_logs(&app).await;
    }
}

async fn seal_logs(app: &App) {
    if let Err(error) = app.seal_logs().await {
        tracing::warn!(%error, "cannot seal the logs");
    }
}

/// Deletes what has expired.
pub(super) async fn prune(app: Arc<App>, schedule: Schedule) {
    // Not before the clocks were compared.
    let mut timer = interval_at(Instant::now() + HEARTBEAT, PRUNE);
    while schedule.next(timer.tick()).await.is_some() {
        let prune = async {
            if let Err(error) = app.prune().await {
                tracing::warn!(%error, "cannot delete expired rows");
            }
        };
        schedule.cut_short(prune).await;
    }
}

/// Asks issuers that no sign-in needs.
pub(super) async fn recheck_issuers(app: Arc<App>, schedule: Schedule) {
    let mut timer = interval_at(Instant::now() + FIRST_RECHECK, RECHECK);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while schedule.next(timer.tick()).await.is_some() {
        let recheck = async {
            if let Err(error) = app.recheck_issuers().await {
                tracing::warn!(%error, "cannot look for issuers that were not asked for a day");
            }
        };
        schedule.cut_short(recheck).await;
    }
}
