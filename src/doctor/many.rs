//! Checks of many things: some at once, and not all of them when there are thousands.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::line::Lines;

/// The most things of one kind that are asked.
pub(super) const MOST: usize = 64;
/// The most of them at once.
const AT_ONCE: usize = 32;

/// Runs a check of each thing, at most [`MOST`] of them, and says how many were left out.
pub(super) async fn each<T, F>(things: Vec<T>, noun: &str, lines: &Lines, check: impl Fn(T) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let all = things.len();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for check in things.into_iter().take(MOST).map(check) {
        let places = Arc::clone(&places);
        running.spawn(async move {
            let _place = places.acquire_owned().await;
            check.await;
        });
    }
    if all > MOST {
        lines.warn(
            "limit",
            format!("Only the first {MOST} of {all} {noun} were asked."),
            "Ask others one by one: an identity provider with `countersign provider check`, a resource with `curl -i`.",
        );
    }
    while running.join_next().await.is_some() {}
}
