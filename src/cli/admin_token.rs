//! `countersign admin-token`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::noun::{Confirmation, Field, OutputFormat, cell, or, table};
use super::{CommandResult, End, now};
use crate::admin::tokens::{self, NewToken};
use crate::clock::rfc3339;
use crate::config::{Config, Duration};
use crate::store::Store;
use crate::store::admin_tokens::{self, AdminToken};
use crate::store::snapshot::Snapshot;
use crate::terminal::out::{self, complain};
use crate::terminal::{escaped, for_json};

const FIELDS: &[Field] = &[
    Field::column("id", |token| cell(token, "id")),
    Field::column("name", |token| cell(token, "name")),
    Field::column("teamspace", |token| match token.get("teamspace_id") {
        Some(Value::String(_)) => or(token, "teamspace", "a deleted one"),
        _ => "all (operator)".to_owned(),
    }),
    Field::column("created at", |token| cell(token, "created_at")),
    Field::column("expires at", |token| or(token, "expires_at", "never")),
];

/// Tokens are made on the machine that has the database, by these commands only: no token can make another one.
#[derive(Debug, Args)]
pub(super) struct AdminTokenCommand {
    /// A table for people, or JSON.
    #[arg(long, global = true, value_enum, default_value = "table")]
    format: OutputFormat,
    #[command(subcommand)]
    verb: AdminTokenVerb,
}

#[derive(Debug, Subcommand)]
enum AdminTokenVerb {
    /// Make a token and print it. It cannot be shown again.
    #[command(after_help = "Example: TOKEN=$(countersign admin-token create --name ci --expires 30d)")]
    Create {
        /// Purpose; shown in the audit log.
        #[arg(long)]
        name: String,
        /// Limit it to one teamspace [default: an operator's token, for everything].
        #[arg(long, short, value_name = "SLUG")]
        teamspace: Option<String>,
        /// How long it is valid, such as 12h or 30d [default: until it is deleted].
        #[arg(long, value_name = "DURATION")]
        expires: Option<Duration>,
    },
    /// List the tokens, without themselves.
    #[command(after_help = "Example: countersign admin-token list")]
    List,
    /// Delete a token; the next request with it is refused.
    #[command(
        after_help = "Example: countersign admin-token delete 0b0f6f6e-4b0f-4f2e-8f3e-2f3a5f0c1d2e --yes"
    )]
    Delete {
        /// The id that `list` shows.
        id: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

impl AdminTokenCommand {
    pub(super) async fn run(self, config: Config) -> CommandResult {
        let store = Store::open(&config.database_url, &config.database)?;
        let done = match self.verb {
            AdminTokenVerb::Create { name, teamspace, expires } => {
                let lifetime = expires.map(|life| life.as_secs());
                create(&store, NewToken { name, teamspace, lifetime }, self.format).await
            }
            AdminTokenVerb::List => list(&store, self.format).await,
            AdminTokenVerb::Delete { id, confirmation } => delete(&store, id, &confirmation).await,
        };
        store.close().await;
        done
    }
}

async fn delete(store: &Store, id: String, confirmation: &Confirmation) -> CommandResult {
    if !confirmation.given(&format!("Delete admin token {id}"))? {
        complain!("Nothing was deleted.");
        return Ok(End::Finding);
    }
    tokens::delete(store, id, now()).await?;
    Ok(End::Fine)
}

async fn create(store: &Store, new: NewToken, format: OutputFormat) -> CommandResult {
    let (token, row) = tokens::create(store, new, now()).await?;
    let snapshot = store.read(Snapshot::load).await?;
    let text = match format {
        OutputFormat::Table => token,
        OutputFormat::Json => {
            let mut shown = view(&row, &snapshot);
            shown.as_object_mut().map(|members| members.insert("token".to_owned(), token.into()));
            escaped(&format!("{shown:#}"), for_json)
        }
    };
    out::whole(&text).map_err(|error| {
        format!(
            "the token could not be printed ({error}); delete it: countersign admin-token delete --yes {}",
            row.id
        )
    })?;
    Ok(End::Fine)
}

async fn list(store: &Store, format: OutputFormat) -> CommandResult {
    let snapshot = store.read(Snapshot::load).await?;
    let all = store.read(admin_tokens::all).await?;
    let all: Vec<Value> = all.iter().map(|token| view(token, &snapshot)).collect();
    match format {
        OutputFormat::Json => out::json(json!({ "items": all }))?,
        OutputFormat::Table if all.is_empty() => complain!("There are no admin tokens."),
        OutputFormat::Table => out::text(table(&all, FIELDS)),
    }
    Ok(End::Fine)
}

fn view(token: &AdminToken, snapshot: &Snapshot) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "teamspace_id": token.teamspace_id,
        "teamspace": token.teamspace_id.as_ref().and_then(|id| snapshot.slug_of(id)),
        "created_at": rfc3339(token.created_at),
        "expires_at": token.expires_at.map(rfc3339),
    })
}
