//! The ports of the demonstration.

use std::io::{self, ErrorKind};

use tokio::net::TcpListener;

/// How many ports it takes.
pub const PORTS: u16 = 6;

/// The ports that it listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoPorts {
    /// Free ones.
    Free,
    /// This one and those after it.
    From(u16),
}

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Somebody listens on it.
    #[error(
        "port {0} is taken. The demonstration takes {PORTS} ports, one after another: choose others with --port NUMBER, or \
         free ones with --port 0"
    )]
    Taken(u16),
    /// Any other failure.
    #[error("cannot listen on port {0} of 127.0.0.1: {1}")]
    Failed(u16, io::Error),
}

/// Gives listeners, one port after another.
pub(super) struct PortGiver {
    ports: DemoPorts,
    given: u16,
}

impl PortGiver {
    pub(super) fn new(ports: DemoPorts) -> Self {
        Self { ports, given: 0 }
    }

    /// A listener on the next port, and its origin.
    pub(super) async fn listen(&mut self) -> Result<(TcpListener, String), PortError> {
        let port = match self.ports {
            DemoPorts::Free => 0,
            DemoPorts::From(first) => first.saturating_add(self.given),
        };
        self.given += 1;
        let failed = |error: io::Error| match error.kind() {
            ErrorKind::AddrInUse => PortError::Taken(port),
            _ => PortError::Failed(port, error),
        };
        let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok((listener, format!("http://{address}")))
    }
}
