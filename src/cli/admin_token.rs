//! `countersign admin-token`.

use clap::Subcommand;

use super::{CannotRun, End, Outcome, now};
use crate::clock::rfc3339;
use crate::config::{Config, Duration};
use crate::random::{digest, secret};
use crate::store::admin_events::{self, NewAdminEvent};
use crate::store::admin_tokens::{self, AdminToken};
use crate::store::snapshot::Snapshot;
use crate::store::{AnyConnection, Store, StoreError};
use crate::terminal::out::{self, say};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token and print it: the only time it can be seen.
    #[command(after_help = "Example: TOKEN=$(countersign admin-token create --name ci --expires 30d)")]
    Create {
        /// What it is for; shown in the audit log.
        #[arg(long)]
        name: String,
        /// Limit it to one teamspace [default: an operator's token, for everything].
        #[arg(long, value_name = "SLUG")]
        teamspace: Option<String>,
        /// How long it is valid, such as 12h or 30d [default: until it is deleted].
        #[arg(long, value_name = "DURATION")]
        expires: Option<Duration>,
    },
    /// List the tokens: id, name, whose it is, until when.
    List,
    /// Delete a token; the next request with it is refused.
    Delete {
        /// The id that `list` shows.
        id: String,
    },
}

impl Command {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let store = Store::open(&config.database_url, &config.database)?;
        let done = match self {
            Self::Create { name, teamspace, expires } => create(&store, name, teamspace, expires).await,
            Self::List => list(&store).await,
            Self::Delete { id } => delete(&store, id).await,
        };
        store.close();
        done
    }
}

async fn delete(store: &Store, id: String) -> Outcome {
    if !store.read(admin_tokens::all).await?.iter().any(|token| token.id == id) {
        return Err("there is no such token".into());
    }
    let event = NewAdminEvent::of_command(now(), "admin_token.delete", &id, None);
    let delete = move |c: &mut AnyConnection| {
        admin_events::append(c, &event)?;
        Ok::<_, StoreError>(admin_tokens::delete(c, &id)?)
    };
    store.write(delete).await?;
    Ok(End::Fine)
}

async fn create(
    store: &Store,
    name: String,
    teamspace: Option<String>,
    expires: Option<Duration>,
) -> Outcome {
    if name.trim().is_empty() || name.len() > 200 {
        return Err("--name must have 1 to 200 characters".into());
    }
    let teamspace_id = match teamspace {
        None => None,
        Some(slug) => Some(teamspace_of(store, &slug).await?),
    };
    let token = format!("cst_{}", secret()?);
    let row = AdminToken {
        id: uuid::Uuid::new_v4().to_string(),
        name,
        token_digest: digest(&token),
        teamspace_id,
        created_at: now(),
        expires_at: expires.map(|life| now() + life.as_secs()),
    };
    let id = row.id.clone();
    insert(store, row).await?;
    match out::whole(&token) {
        Ok(()) => Ok(End::Fine),
        Err(error) => {
            Err(format!("the token could not be printed ({error}); delete it: admin-token delete {id}")
                .into())
        }
    }
}

/// The id of a teamspace.
async fn teamspace_of(store: &Store, slug: &str) -> Result<String, CannotRun> {
    let snapshot = store.read(Snapshot::load).await?;
    let tenancy = snapshot.tenancy(slug).ok_or(format!("there is no teamspace {slug}"))?;
    Ok(tenancy.teamspace.id.clone())
}

/// With its row of the audit log.
async fn insert(store: &Store, row: AdminToken) -> Result<(), StoreError> {
    let event =
        NewAdminEvent::of_command(row.created_at, "admin_token.create", &row.id, row.teamspace_id.clone());
    let insert = move |c: &mut AnyConnection| {
        admin_events::append(c, &event)?;
        Ok::<_, StoreError>(admin_tokens::insert(c, &row)?)
    };
    store.write(insert).await
}

async fn list(store: &Store) -> Outcome {
    let snapshot = store.read(Snapshot::load).await?;
    for token in store.read(admin_tokens::all).await? {
        let slug = |id: &String| snapshot.slug_of(id).unwrap_or_else(|| "a deleted teamspace".to_owned());
        let scope = token.teamspace_id.as_ref().map_or_else(|| "operator".to_owned(), slug);
        let until = token.expires_at.map_or_else(|| "no expiry".to_owned(), rfc3339);
        say!("{}\t{}\t{scope}\t{until}", token.id, token.name);
    }
    Ok(End::Fine)
}
