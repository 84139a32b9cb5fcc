//! `countersign migrate`.

use super::{CommandResult, End, now};
use crate::admin::database::{self, DatabaseEvent};
use crate::config::Config;
use crate::store::Store;
use crate::terminal::out::say;

pub(super) async fn run(config: Config) -> CommandResult {
    let applied = Store::migrate(&config.database_url)?;
    match applied.as_slice() {
        [] => say!("The database is up to date."),
        versions => versions.iter().for_each(|version| say!("applied {version}")),
    }
    if !applied.is_empty() {
        let store = Store::open(&config.database_url, &config.database)?;
        let recorded = database::record(&store, DatabaseEvent::Migrated(applied), now()).await;
        store.close().await;
        recorded?;
    }
    Ok(End::Fine)
}
