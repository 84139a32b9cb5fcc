//! Logging: readable text on a terminal, JSON lines elsewhere. `RUST_LOG` sets the level.

mod writer;

use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use writer::LogWriter;

/// The process's log. There is one for the whole process, like the subscriber that writes to it.
static LOG: OnceLock<LogWriter> = OnceLock::new();

/// How long the end of the process waits for the last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Starts logging to standard error. Logging never waits for the reader. A second call does nothing.
pub fn init() -> io::Result<()> {
    if LOG.get().is_some() {
        return Ok(());
    }
    let log = LogWriter::start(&io::stderr())?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = log.clone();
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(move || lines.clone())
        .with_target(false)
        // Internal errors would be printed with `eprintln!`, which waits and panics.
        .log_internal_errors(false);
    let started = match io::stderr().is_terminal() {
        true => builder.finish().try_init(),
        // There are no spans.
        false => {
            let json = builder.json().flatten_event(true).with_current_span(false).with_span_list(false);
            json.finish().try_init()
        }
    };
    match started {
        Ok(()) => {
            let _ = LOG.set(log);
            std::panic::set_hook(Box::new(log_panic));
        }
        Err(error) => tracing::debug!(%error, "logging has been started already"),
    }
    Ok(())
}

/// Logs a panic. The standard library's hook writes to standard error itself, and waits for the reader.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let text = panic.payload_as_str().unwrap_or_default();
    tracing::error!(place, panic = text, "a thread panicked");
}

/// Writes a text to the log unchanged. Returns whether there is a log, that is, whether logging has started.
pub fn put(text: &str) -> bool {
    let log = LOG.get();
    if let Some(log) = log {
        log.put(text.as_bytes());
    }
    log.is_some()
}

/// Waits briefly for the log to be written: nobody may be reading it.
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.flush(LAST_LINES);
    }
}

/// How many log lines could not be written.
pub fn dropped_lines() -> u64 {
    LOG.get().map_or(0, LogWriter::dropped)
}
