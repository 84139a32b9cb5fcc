//! Logs: readable at a terminal, JSON lines elsewhere; `RUST_LOG` chooses how much.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging to standard error. A second call does nothing.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let started = match std::io::stderr().is_terminal() {
        true => builder.finish().try_init(),
        // There are no spans.
        false => {
            let json = builder.json().flatten_event(true).with_current_span(false).with_span_list(false);
            json.finish().try_init()
        }
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging has been started already");
    }
}
