//! Follows policy files that change while the service runs: notices, reads and applies them if they are good.

mod reloader;
mod watch;

pub use reloader::{LastError, PolicyReloader, ReloadTrigger};
pub use watch::{PolicyFiles, ReloadFailure, Watch};
