//! Sends the decision log to those who keep it for years. For each configured receiver, a task reads the rows after
//! the last one it sent, sends them, and then stores its position. Sign-ins do no extra work. Rows that were sent but
//! not noted are sent again (at least once); receivers recognize repeats by `request_id`.

mod file;
mod otlp;
mod record;
mod syslog;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::{Destination, LogStream};
use crate::decision_log::reader::LogReader;
use crate::metrics::StreamMetrics;
use crate::resolver::LookupError;
use crate::store::StoreError;
use crate::store::log_streams::{self, Unsent};
use file::JsonLines;
use otlp::Otlp;
use record::Record;
use syslog::Syslog;

/// How soon a new row is sent.
const POLL: Duration = Duration::from_secs(1);
/// The number of rows that are sent and noted together. Each failure halves it: they may have been too many for the
/// receiver.
const BATCH: i64 = 500;
/// Deadline for one batch; shorter than the least remaining lease when it begins.
const SEND: Duration = Duration::from_secs(10);
/// The longest time between two attempts, unless the receiver asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest time that a receiver may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);
/// How long a batch under way may take when the service stops.
const GRACE: Duration = Duration::from_secs(3);
/// Why a receiver did not accept rows. No text from the receiver is repeated.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The file or socket failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The stream's path leads to a directory or a device.
    #[error("the path is not a regular file")]
    NotAFile,
    /// The receiver's host name has no address.
    #[error("the receiver's host cannot be looked up: {0}")]
    Lookup(#[from] LookupError),
    /// No confirmation within the stream's deadline: the rows are sent again.
    #[error("the receiver did not confirm in time")]
    Timeout,
    /// The connection failed, in this way; a constant text.
    #[error("the receiver cannot be reached: {0}")]
    Unreachable(&'static str),
    /// The receiver refused the rows.
    #[error("the receiver answered with status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// How long it asks us to wait; none where it does not say.
        retry_after: Option<Duration>,
    },
}

/// Why a batch has to be sent again.
#[derive(Debug, thiserror::Error)]
enum StreamError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Why streams cannot begin.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the log stream `{name}`: {why}")]
pub struct StreamStartError {
    name: String,
    why: String,
}

/// Returns the configured streams. They send nothing before [`Stream::run`].
pub fn all(app: &Arc<App>) -> Result<Vec<Stream>, StreamStartError> {
    let holder = uuid::Uuid::new_v4().to_string();
    let stream = |config: &LogStream| {
        Ok(Stream {
            receiver: Receiver::new(config, app)?,
            metrics: app.metrics.of_stream(&config.name),
            app: Arc::clone(app),
            config: config.clone(),
            reader: LogReader::new(&config.name, &holder),
            failures: 0,
        })
    };
    app.config.log_stream.iter().map(stream).collect()
}

/// The destination of the rows.
enum Receiver {
    File(JsonLines),
    Syslog(Syslog),
    Otlp(Otlp),
}

impl Receiver {
    fn new(stream: &LogStream, app: &App) -> Result<Self, StreamStartError> {
        let fail = |why| StreamStartError { name: stream.name.clone(), why };
        Ok(match &stream.to {
            Destination::File(path) => Self::File(JsonLines::new(path.clone())),
            Destination::Otlp(url) => Self::Otlp(Otlp::new(url.clone(), stream, app).map_err(fail)?),
            to => Self::Syslog(Syslog::new(to.clone(), &app.config.issuer, app.resolver.clone())),
        })
    }

    /// Sends rows in order. `Ok` means that the receiver has them, as far as that can be known.
    async fn send(&self, records: &[Record]) -> Result<(), SendError> {
        match self {
            Self::File(file) => file.append(records).await,
            Self::Syslog(syslog) => syslog.send(records).await,
            Self::Otlp(otlp) => otlp.export(records).await,
        }
    }
}

/// One stream in this process.
pub struct Stream {
    app: Arc<App>,
    config: LogStream,
    receiver: Receiver,
    metrics: StreamMetrics,
    reader: LogReader,
    /// The number of failed attempts in a row.
    failures: u32,
}

impl Stream {
    /// The name in the configuration.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Sends rows until it is stopped, and then ends within a few seconds.
    pub async fn run(mut self, stop: CancellationToken) {
        let stopped_for_long = async {
            stop.cancelled().await;
            sleep(GRACE).await;
        };
        let mut stopped_for_long = std::pin::pin!(stopped_for_long);
        loop {
            let pause = tokio::select! {
                pause = self.turn() => pause,
                () = &mut stopped_for_long => break,
            };
            if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                break;
            }
        }
        if let Ok(Err(error)) = timeout(GRACE, self.reader.release(&self.app.store)).await {
            tracing::debug!(%error, "the lease of a log stream was not given back");
        }
    }

    /// Sends a batch, and returns how long to wait before the next one.
    async fn turn(&mut self) -> Duration {
        match self.send_batch().await {
            Ok(is_more) => {
                if std::mem::take(&mut self.failures) > 0 {
                    tracing::info!(stream = self.config.name, "the log stream goes on");
                }
                if is_more { Duration::ZERO } else { POLL }
            }
            Err(error) => {
                self.failures += 1;
                self.metrics.failed.inc();
                let pause = pause(&error, self.failures);
                tracing::warn!(stream = self.config.name, %error, again_in = ?pause, "the log stream waits");
                pause
            }
        }
    }

    /// Sends the first unsent rows. Returns whether there may be more.
    async fn send_batch(&mut self) -> Result<bool, StreamError> {
        let (name, settled) = (self.config.name.clone(), self.reader.settled());
        let limit = (BATCH >> self.failures.min(8)).max(1);
        let unsent = self.app.store.read(move |c| log_streams::unsent(c, &name, settled, limit)).await?;
        let Unsent { position, oldest, rows, view } = unsent;
        self.reader.see(view);
        let now = self.app.clock.now();
        self.metrics.behind.set(oldest.map_or(0, |at| (now - at).max(0)));
        let Some(to) = rows.last().map(|row| row.id) else { return Ok(false) };
        if !self.reader.hold(&self.app.store, &*self.app.clock, &position).await? {
            return Ok(false);
        }
        let snapshot = self.app.snapshot();
        let records: Vec<Record> = rows.iter().map(|row| Record::new(row, &self.config, &snapshot)).collect();
        let count = records.len();
        timeout(SEND, self.receiver.send(&records)).await.map_err(|_| SendError::Timeout)??;
        self.metrics.sent.inc_by(count as u64);
        let (name, from, lease) =
            (self.config.name.clone(), position.last_id, self.reader.lease(&*self.app.clock));
        let advance = move |c: &mut _| log_streams::advance(c, &name, (from, to), &lease);
        // Another process sent the same rows meanwhile and has noted its own position.
        Ok(self.app.store.write(advance).await? && count as i64 == limit)
    }
}

/// How long to wait after this many failures. Even a final refusal such as 401 is retried: an expired secret must not
/// lose the log.
fn pause(error: &StreamError, failures: u32) -> Duration {
    match error {
        StreamError::Send(SendError::Status { retry_after: Some(asked), .. }) => {
            (*asked).clamp(POLL, LONGEST_RETRY_AFTER)
        }
        _ => LONGEST_PAUSE.min(POLL * 2u32.saturating_pow(failures.saturating_sub(1).min(6))),
    }
}
