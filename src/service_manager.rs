//! Tells systemd how the service is, if systemd started it: the protocol of sd_notify(3).

use sd_notify::NotifyState;
use tokio::time::sleep;

/// It listens, or has read its policies again.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// It reads its policies again, as it was told to. [`ready`] must follow.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "cannot read the monotonic clock"),
    }
}

/// It was told to stop.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Shows again and again that threads do their work, if systemd asks for that (`WatchdogSec`).
pub(crate) async fn feed_watchdog() {
    let Some(patience) = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero()) else { return };
    loop {
        tell(&[NotifyState::Watchdog]);
        sleep(patience / 2).await;
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot tell systemd how the service is");
    }
}
