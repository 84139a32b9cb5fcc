//! `countersign migrate`.

use super::{CommandResult, End};
use crate::config::Config;
use crate::store::Store;
use crate::terminal::out::say;

pub(super) fn run(config: &Config) -> CommandResult {
    let applied = Store::migrate(&config.database_url)?;
    match applied.as_slice() {
        [] => say!("The database is up to date."),
        versions => versions.iter().for_each(|version| say!("applied {version}")),
    }
    Ok(End::Fine)
}
