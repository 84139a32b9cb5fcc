//! `countersign keys`.

use clap::Subcommand;

use super::{CommandResult, End, now};
use crate::admin::keys;
use crate::clock::rfc3339;
use crate::config::Config;
use crate::model::signing_key::{Turn, turns};
use crate::store::{Store, signing_keys};
use crate::terminal::out::say;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// List the published keys, latest first.
    List,
    /// Make a new key. It is published at once and signs after ten minutes, when verifiers that cache the key set have
    /// fetched it again. The old key stays published until its last token has expired.
    Rotate {
        /// Sign with it at once. Verifiers that do not know it yet refuse tokens for a while.
        #[arg(long)]
        now: bool,
    },
    /// Withdraw a key that has leaked, after `rotate --now`. Its tokens stop working once verifiers have fetched the
    /// key set again.
    Remove {
        /// The id that `list` shows. It is random base64url and may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
}

impl KeysCommand {
    pub(super) async fn run(self, config: Config) -> CommandResult {
        let store = Store::open(&config.database_url, &config.database)?;
        let done = match self {
            Self::List => list(&store).await,
            Self::Rotate { now: at_once } => rotate(&store, &config, at_once).await,
            Self::Remove { kid } => remove(&store, kid).await,
        };
        store.close().await;
        done
    }
}

async fn list(store: &Store) -> CommandResult {
    for (key, turn) in turns(&store.read(signing_keys::all).await?, now()) {
        let state = match turn {
            Turn::Next => format!("signs from {}", rfc3339(key.signs_from)),
            Turn::Signs => "signs".to_owned(),
            Turn::Past => "verifies only".to_owned(),
        };
        say!("{}\t{}\t{state}\tmade {}", key.kid, key.alg, rfc3339(key.created_at));
    }
    Ok(End::Fine)
}

async fn rotate(store: &Store, config: &Config, at_once: bool) -> CommandResult {
    let key = keys::rotate(store, config, at_once, now()).await?;
    say!("{}\t{}\tsigns from {}", key.kid, key.alg, rfc3339(key.signs_from));
    Ok(End::Fine)
}

async fn remove(store: &Store, kid: String) -> CommandResult {
    keys::remove(store, kid, now()).await?;
    Ok(End::Fine)
}
