//! `countersign admin-token`.

use clap::Subcommand;

use super::{End, Outcome, serve::now};
use crate::config::{Config, Duration};
use crate::random::{digest, secret};
use crate::store::admin_tokens::{self, AdminToken};
use crate::store::snapshot::Snapshot;
use crate::store::{Store, StoreError};

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
}

impl Command {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let Self::Create { name, teamspace, expires } = self;
        if name.trim().is_empty() || name.len() > 200 {
            return Err("--name must have 1 to 200 characters".into());
        }
        let store = Store::open(&config.database_url)?;
        let teamspace_id = match teamspace {
            None => None,
            Some(slug) => {
                let snapshot = store.read(Snapshot::load).await?;
                let tenancy = snapshot.tenancy(&slug).ok_or(format!("there is no teamspace {slug}"))?;
                Some(tenancy.teamspace.id.clone())
            }
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
        store.write(move |c| Ok::<_, StoreError>(admin_tokens::insert(c, &row)?)).await?;
        println!("{token}");
        Ok(End::Fine)
    }
}
