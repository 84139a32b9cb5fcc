//! When background tasks have their turns.

use std::future::Future;

use tokio_util::sync::CancellationToken;

/// Whether background tasks work by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pace {
    /// Each at its own times.
    #[default]
    Timed,
    /// All tasks run, but none gets a turn: tests do the work themselves.
    Held,
}

/// The turns of one task, until it is stopped.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub pace: Pace,
    pub stop: CancellationToken,
}

impl Schedule {
    /// Waits for the event that begins the next turn; none when the task must end.
    pub async fn next<T>(&self, beginning: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            begun = beginning, if self.pace == Pace::Timed => Some(begun),
        }
    }

    /// Runs some work, and breaks it off when the task must end.
    pub async fn cut_short(&self, work: impl Future<Output = ()>) {
        self.stop.run_until_cancelled(work).await;
    }
}
