//! Policy files that change while the service runs: noticed, read, and taken over when they are good.

mod reloader;
mod watch;

pub use reloader::{LastError, PolicyReloader, ReloadTrigger};
pub use watch::{Failure, PolicyFiles, Watch};
