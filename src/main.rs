//! The `countersign` command.

use std::process::ExitCode;

/// An exchange makes some hundred small allocations, on two threads: the system's allocator takes an eighth of
/// its time for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    countersign::cli::run()
}
