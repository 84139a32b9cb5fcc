//! Learns at once that another process has changed something. If notifications do not arrive, because the connection
//! broke or goes through a pooler, polling finds the change.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use diesel::QueryResult;
use tokio::sync::Notify;

use super::StoreError;
use super::connection::AnyConnection;
use super::link::ConnectionPlace;
use super::watchdog::{Call, Watchdog};
use crate::config::Database;

/// How often the connection is checked; this sends nothing over the network.
const TICK: Duration = Duration::from_millis(20);
/// How often the server is asked whether it is alive: a frozen or cut-off server is silent too.
const ASK: Duration = Duration::from_secs(5);
/// Between attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// Starts a thread that reports changes until nobody listens any more.
pub(super) fn start(url: &str, config: &Database) -> Result<Arc<Notify>, StoreError> {
    let notify = Arc::new(Notify::new());
    let (wanted, url, config) = (Arc::downgrade(&notify), url.to_owned(), config.clone());
    let run = move |call: &Arc<Call>| {
        let place = ConnectionPlace { url: url.clone(), config: config.clone(), call: Arc::clone(call) };
        while wanted.strong_count() > 0 && !call.is_given_up() {
            match place.open() {
                Ok(connection) => listen(connection, &wanted),
                Err(error) => tracing::debug!(%error, "cannot listen for notifications of changes"),
            }
            thread::sleep(PAUSE);
        }
    };
    Watchdog::start()?.run("store-listener", &Arc::<AtomicUsize>::default(), run)?;
    Ok(notify)
}

/// Listens until the connection breaks, or nobody listens any more.
fn listen(mut connection: AnyConnection, wanted: &Weak<Notify>) {
    let (mut listening, mut asked) = (false, Instant::now());
    loop {
        let news = hear(&mut connection, &mut listening, &mut asked);
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

fn hear(connection: &mut AnyConnection, listening: &mut bool, asked: &mut Instant) -> QueryResult<bool> {
    if asked.elapsed() > ASK {
        *asked = Instant::now();
        connection.time()?;
    }
    connection.has_news(listening)
}
