//! `countersign key`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::noun::{Confirmation, Field, OutputFormat, cell, read_input, record, table};
use super::{CommandResult, End, now};
use crate::admin::keys;
use crate::clock::rfc3339;
use crate::config::{Config, Secret, is_encryption_key};
use crate::model::signing_key::{Turn, turns};
use crate::store::signing_keys::StoredKey;
use crate::store::{Store, signing_keys};
use crate::terminal::out::{self, complain};

const FIELDS: &[Field] = &[
    Field::column("kid", |key| cell(key, "kid")),
    Field::column("alg", |key| cell(key, "alg")),
    Field::column("state", |key| match cell(key, "state").as_str() {
        "next" => format!("signs from {}", cell(key, "signs_from")),
        "past" => "verifies only".to_owned(),
        state => state.to_owned(),
    }),
    Field::column("created at", |key| cell(key, "created_at")),
];

/// Keys are the service's own, and the admin API does not reach them: these commands work on the database.
#[derive(Debug, Args)]
pub(super) struct KeyCommand {
    /// A table for people, or JSON.
    #[arg(long, global = true, value_enum, default_value = "table")]
    format: OutputFormat,
    #[command(subcommand)]
    verb: KeyVerb,
}

#[derive(Debug, Subcommand)]
enum KeyVerb {
    /// List the published keys, latest first.
    #[command(after_help = "Example: countersign key list")]
    List,
    /// Make a new key. It is published at once and signs after ten minutes, when verifiers that cache the key set have
    /// fetched it again. The old key stays published until its last token has expired.
    #[command(
        after_help = "Examples:\n  countersign key rotate\n  countersign key rotate --now   after a leak"
    )]
    Rotate {
        /// Sign with it at once. Verifiers that do not know it yet refuse tokens for a while.
        #[arg(long)]
        now: bool,
    },
    /// Encrypt the stored keys with `keys.encryption_key` of the configuration: those that another key encrypts, and
    /// plain ones.
    #[command(
        after_help = "Examples:\n  countersign key reencrypt --old-key-file /etc/countersign/encryption-key.old\n  \
        countersign key reencrypt   the keys are in plain text\n\
        Running services go on with the keys that they have in memory. Restart them with the new encryption key."
    )]
    Reencrypt {
        /// A file that holds the encryption key of before.
        #[arg(long, value_name = "FILE")]
        old_key_file: Option<PathBuf>,
    },
    /// Withdraw a key that has leaked, after `rotate --now`. Its tokens stop working once verifiers have fetched the
    /// key set again.
    #[command(visible_alias = "remove", after_help = "Example: countersign key delete 3Jx7w0kq --yes")]
    Delete {
        /// The id that `list` shows. It is random base64url and may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

impl KeyCommand {
    pub(super) async fn run(self, config: Config) -> CommandResult {
        let store = Store::open(&config.database_url, &config.database)?;
        let done = match self.verb {
            KeyVerb::List => list(&store, self.format).await,
            KeyVerb::Rotate { now: at_once } => rotate(&store, &config, (at_once, self.format)).await,
            KeyVerb::Reencrypt { old_key_file } => reencrypt(&store, &config, old_key_file.as_deref()).await,
            KeyVerb::Delete { kid, confirmation } => delete(&store, kid, &confirmation).await,
        };
        store.close().await;
        done
    }
}

async fn list(store: &Store, format: OutputFormat) -> CommandResult {
    let keys = store.read(signing_keys::all).await?;
    let keys: Vec<Value> = turns(&keys, now()).map(|(key, turn)| view(key, turn)).collect();
    match format {
        OutputFormat::Json => out::json(json!({ "items": keys }))?,
        OutputFormat::Table if keys.is_empty() => complain!("There are no keys; the first start makes one."),
        OutputFormat::Table => out::text(table(&keys, FIELDS)),
    }
    Ok(End::Fine)
}

fn view(key: &StoredKey, turn: Turn) -> Value {
    let state = match turn {
        Turn::Next => "next",
        Turn::Signs => "signs",
        Turn::Past => "past",
    };
    json!({
        "kid": key.kid,
        "alg": key.alg,
        "state": state,
        "signs_from": rfc3339(key.signs_from),
        "created_at": rfc3339(key.created_at),
    })
}

async fn rotate(store: &Store, config: &Config, (at_once, format): (bool, OutputFormat)) -> CommandResult {
    let key = keys::rotate(store, config, at_once, now()).await?;
    let key = view(&key, if at_once { Turn::Signs } else { Turn::Next });
    match format {
        OutputFormat::Json => out::json(key)?,
        OutputFormat::Table => out::text(record(&key, FIELDS)),
    }
    Ok(End::Fine)
}

async fn reencrypt(store: &Store, config: &Config, old_key_file: Option<&Path>) -> CommandResult {
    let old = match old_key_file {
        Some(path) => {
            let text = read_input(path)?;
            let key = Secret::from(text.trim_end().to_owned());
            if !is_encryption_key(&key) {
                let form = "expected 32 bytes, base64url without padding";
                return Err(format!("--old-key-file {}: {form}", path.display()).into());
            }
            Some(key)
        }
        None => None,
    };
    match keys::reencrypt(store, config, old, now()).await? {
        0 => complain!("Nothing to do: every stored key is encrypted with the configured key."),
        count => complain!("Encrypted {count} keys anew. Restart the services with the new encryption key."),
    }
    Ok(End::Fine)
}

async fn delete(store: &Store, kid: String, confirmation: &Confirmation) -> CommandResult {
    if !confirmation.given(&format!("Withdraw key {kid}"))? {
        complain!("Nothing was deleted.");
        return Ok(End::Finding);
    }
    keys::remove(store, kid, now()).await?;
    Ok(End::Fine)
}
