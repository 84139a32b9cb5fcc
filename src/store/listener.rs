//! Hearing at once that another process has changed something. Whoever hears nothing, since the connection
//! broke or goes through a pooler that delivers no notifications, finds out by looking.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

use super::StoreError;
use super::connection::{AnyConnection, open};
use crate::config::Database;

/// How often the connection is asked: nothing goes over the network for it.
const TICK: Duration = Duration::from_millis(20);
/// Between attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// Starts a thread that notifies of changes until nobody wants to know any more.
pub(super) fn start(url: &str, config: &Database) -> Result<Arc<Notify>, StoreError> {
    let notify = Arc::new(Notify::new());
    let (wanted, url, config) = (Arc::downgrade(&notify), url.to_owned(), config.clone());
    let run = move || {
        while wanted.strong_count() > 0 {
            match open(&url, &config) {
                Ok(connection) => listen(connection, &wanted),
                Err(error) => tracing::debug!(%error, "cannot listen for changes"),
            }
            thread::sleep(PAUSE);
        }
    };
    let started = thread::Builder::new().name("store-listener".into()).spawn(run);
    started.map_err(|e| StoreError::Open(format!("cannot start a thread: {e}")))?;
    Ok(notify)
}

/// Until the connection breaks, or nobody wants to know any more.
fn listen(mut connection: AnyConnection, wanted: &Weak<Notify>) {
    let mut listening = false;
    loop {
        let news = connection.has_news(&mut listening);
        let Some(notify) = wanted.upgrade() else { return };
        match news {
            Ok(true) => notify.notify_one(),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "the connection that listens for changes broke");
                return;
            }
        }
        thread::sleep(TICK);
    }
}
