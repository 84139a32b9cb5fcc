//! Named tasks that run as long as the service does: stops them in order, and notices if one ends by itself.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// When a task is stopped: one stage after another, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The public listener.
    Requests,
    /// The work beside the requests.
    Background,
    /// The log streams, which may still send the rows written by earlier stages.
    LogStreams,
    /// The private listener, which reports until the very end that the process is stopping.
    Management,
}

/// A task that is to run until it is stopped.
#[derive(Debug, Clone)]
pub struct Task {
    /// The name in the log when the task fails.
    pub name: String,
    /// Whether it is stopped early or late when the service ends.
    pub stage: Stage,
    /// Whether the service must stop if this task ends.
    pub is_essential: bool,
}

/// An essential task ended although nobody stopped it.
#[derive(Debug, thiserror::Error)]
#[error("the service stopped because its task `{name}` {how}")]
pub struct TaskEnded {
    name: String,
    how: &'static str,
}

impl TaskEnded {
    pub(super) fn of(name: &str, error: &JoinError) -> Self {
        Self { name: name.to_owned(), how: if error.is_panic() { "panicked" } else { "was aborted" } }
    }
}

/// The running tasks. Dropping this ends them at once.
#[derive(Default)]
pub struct Tasks {
    set: JoinSet<()>,
    running: HashMap<Id, Running>,
    failed: Option<TaskEnded>,
}

struct Running {
    task: Task,
    stop: CancellationToken,
    handle: AbortHandle,
}

impl Tasks {
    /// Starts a task. `work` gets the token that asks it to stop.
    pub fn spawn<F>(&mut self, task: Task, work: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let handle = self.set.spawn(work(stop.clone()));
        self.running.insert(handle.id(), Running { task, stop, handle });
    }

    /// The names of the tasks that run, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.running.values().map(|running| running.task.name.clone()).collect();
        names.sort();
        names
    }

    /// Waits until an essential task ends by itself. Every task that ends by itself is logged.
    pub async fn failure(&mut self) {
        while self.failed.is_none() {
            if !self.next_ended().await {
                pending::<()>().await;
            }
        }
    }

    /// Stops the tasks of a stage and waits for them. Those that do not end in time are aborted.
    pub async fn stop(&mut self, stage: Stage, in_time: Duration) {
        for running in self.running.values().filter(|running| running.task.stage == stage) {
            running.stop.cancel();
        }
        let deadline = Instant::now() + in_time;
        while self.running.values().any(|running| running.task.stage == stage) {
            if timeout_at(deadline, self.next_ended()).await.is_err() {
                self.abort(stage);
            }
        }
    }

    fn abort(&mut self, stage: Stage) {
        for (_, Running { task, handle, .. }) in
            self.running.extract_if(|_, running| running.task.stage == stage)
        {
            tracing::warn!(task = task.name, "a task did not end in time");
            handle.abort();
        }
    }

    /// An error if an essential task ended by itself.
    pub fn outcome(self) -> Result<(), TaskEnded> {
        self.failed.map_or(Ok(()), Err)
    }

    /// Waits for a task to end; false if there are none.
    async fn next_ended(&mut self) -> bool {
        let Some(ended) = self.set.join_next_with_id().await else { return false };
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        // One that was aborted is not there any more.
        let Some(Running { task, stop, .. }) = self.running.remove(&id) else { return true };
        let ended = match ended {
            Ok(_) if stop.is_cancelled() => return true,
            Ok(_) => TaskEnded { name: task.name, how: "ended by itself" },
            Err(error) => TaskEnded::of(&task.name, &error),
        };
        tracing::error!(task = ended.name, essential = task.is_essential, "a task {}", ended.how);
        if task.is_essential {
            self.failed.get_or_insert(ended);
        }
        true
    }
}
