//! `countersign openapi`.

use super::{CommandResult, End};
use crate::terminal::out;
use crate::web::api;

pub(super) fn run() -> CommandResult {
    out::json(api::description(None))?;
    Ok(End::Fine)
}
