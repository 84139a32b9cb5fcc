//! `countersign admin-token`.

use clap::Subcommand;

use super::{CommandResult, End, now};
use crate::admin::tokens::{self, NewToken};
use crate::clock::rfc3339;
use crate::config::{Config, Duration};
use crate::store::Store;
use crate::store::admin_tokens::{self, AdminToken};
use crate::store::snapshot::Snapshot;
use crate::terminal::out::{self, say};

#[derive(Debug, Subcommand)]
pub(super) enum AdminTokenCommand {
    /// Make a token and print it. It cannot be shown again.
    #[command(after_help = "Example: TOKEN=$(countersign admin-token create --name ci --expires 30d)")]
    Create {
        /// Purpose; shown in the audit log.
        #[arg(long)]
        name: String,
        /// Limit it to one teamspace [default: an operator's token, for everything].
        #[arg(long, value_name = "SLUG")]
        teamspace: Option<String>,
        /// How long it is valid, such as 12h or 30d [default: until it is deleted].
        #[arg(long, value_name = "DURATION")]
        expires: Option<Duration>,
    },
    /// List the tokens: id, name, scope and expiry.
    List,
    /// Delete a token; the next request with it is refused.
    Delete {
        /// The id that `list` shows.
        id: String,
    },
}

impl AdminTokenCommand {
    pub(super) async fn run(self, config: Config) -> CommandResult {
        let store = Store::open(&config.database_url, &config.database)?;
        let done = match self {
            Self::Create { name, teamspace, expires } => create(&store, name, teamspace, expires).await,
            Self::List => list(&store).await,
            Self::Delete { id } => delete(&store, id).await,
        };
        store.close().await;
        done
    }
}

async fn delete(store: &Store, id: String) -> CommandResult {
    tokens::delete(store, id, now()).await?;
    Ok(End::Fine)
}

async fn create(
    store: &Store,
    name: String,
    teamspace: Option<String>,
    expires: Option<Duration>,
) -> CommandResult {
    let new = NewToken { name, teamspace, lifetime: expires.map(|life| life.as_secs()) };
    let (token, AdminToken { id, .. }) = tokens::create(store, new, now()).await?;
    match out::whole(&token) {
        Ok(()) => Ok(End::Fine),
        Err(error) => {
            Err(format!("the token could not be printed ({error}); delete it: admin-token delete {id}")
                .into())
        }
    }
}

async fn list(store: &Store) -> CommandResult {
    let snapshot = store.read(Snapshot::load).await?;
    for token in store.read(admin_tokens::all).await? {
        let slug = |id: &String| snapshot.slug_of(id).unwrap_or_else(|| "a deleted teamspace".to_owned());
        let scope = token.teamspace_id.as_ref().map_or_else(|| "operator".to_owned(), slug);
        let until = token.expires_at.map_or_else(|| "no expiry".to_owned(), rfc3339);
        say!("{}\t{}\t{scope}\t{until}", token.id, token.name);
    }
    Ok(End::Fine)
}
