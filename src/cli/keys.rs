//! `countersign keys`.

use clap::Subcommand;

use super::{End, Outcome, serve::now};
use crate::clock::rfc3339;
use crate::config::Config;
use crate::signing::{PUBLISH_AHEAD, generate};
use crate::store::signing_keys::{self, StoredKey};
use crate::store::{Store, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the published keys, latest first.
    List,
    /// Make a new key. It is published at once and signs after ten minutes, when verifiers that
    /// keep a key set have asked again; the old one stays published until its last token has expired.
    Rotate {
        /// Sign with it at once: for a key that has leaked. Verifiers may refuse tokens for a while.
        #[arg(long)]
        now: bool,
    },
}

impl Command {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let store = Store::open(&config.database_url)?;
        match self {
            Self::List => {
                let keys = store.read(signing_keys::all).await?;
                let signing = keys.iter().find(|key| key.signs_from <= now()).map(|key| key.kid.clone());
                for key in keys {
                    let state = state(&key, signing.as_deref());
                    println!("{}\t{}\t{state}\tmade {}", key.kid, key.alg, rfc3339(key.created_at));
                }
            }
            Self::Rotate { now: at_once } => {
                let signs_from = if at_once { now() } else { now() + PUBLISH_AHEAD };
                let key = generate(&config, now(), signs_from)?;
                let (kid, alg) = (key.kid.clone(), key.alg.clone());
                store.write(move |c| Ok::<_, StoreError>(signing_keys::add(c, &key)?)).await?;
                println!("{kid}\t{alg}\tsigns from {}", rfc3339(signs_from));
            }
        }
        Ok(End::Fine)
    }
}

fn state(key: &StoredKey, signing: Option<&str>) -> String {
    if key.signs_from > now() {
        format!("signs from {}", rfc3339(key.signs_from))
    } else if signing == Some(&key.kid) {
        "signs".to_owned()
    } else {
        "verifies only".to_owned()
    }
}
