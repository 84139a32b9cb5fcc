//! When background tasks have their turns.

use std::future::Future;

use tokio_util::sync::CancellationToken;

/// Whether background tasks work by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pace {
    /// Each at its own times.
    #[default]
    Timed,
    /// All run, and none has a turn: tests do themselves what they want to be done.
    Held,
}

/// The turns of one task, until it is stopped.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub pace: Pace,
    pub stop: CancellationToken,
}

impl Schedule {
    /// Waits for what begins the next turn; none when the task must end.
    pub async fn next<T>(&self, beginning: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            begun = beginning, if self.pace == Pace::Timed => Some(begun),
        }
    }

    /// Does some work, which ends unfinished when the task must end.
    pub async fn cut_short(&self, work: impl Future<Output = ()>) {
        self.stop.run_until_cancelled(work).await;
    }
}
