//! `countersign keys`.

use clap::Subcommand;

use super::{End, Outcome, now};
use crate::clock::rfc3339;
use crate::config::Config;
use crate::signing::{PUBLISH_AHEAD, Signer, generate};
use crate::store::admin_events::{self, NewAdminEvent};
use crate::store::signing_keys::{self, StoredKey};
use crate::store::{AnyConnection, Store};
use crate::terminal::out::say;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the published keys, latest first.
    List,
    /// Make a new key. It is published at once and signs after ten minutes, when verifiers that
    /// keep a key set have asked again; the old one stays published until its last token has expired.
    Rotate {
        /// Sign with it at once. Verifiers that do not know it yet refuse tokens for a while.
        #[arg(long)]
        now: bool,
    },
    /// Withdraw a key: for one that has leaked, after `rotate --now`. Its tokens die as soon as verifiers
    /// have fetched the key set again.
    Remove {
        /// The id that `list` shows.
        // It is random base64url, which may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
}

impl Command {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let store = Store::open(&config.database_url, &config.database)?;
        let done = match self {
            Self::List => list(&store).await,
            Self::Rotate { now: at_once } => rotate(&store, &config, at_once).await,
            Self::Remove { kid } => remove(&store, kid).await,
        };
        store.close();
        done
    }
}

async fn list(store: &Store) -> Outcome {
    let keys = store.read(signing_keys::all).await?;
    let signing = signing_kid(&keys);
    for key in &keys {
        let state = state(key, signing);
        say!("{}\t{}\t{state}\tmade {}", key.kid, key.alg, rfc3339(key.created_at));
    }
    Ok(End::Fine)
}

async fn rotate(store: &Store, config: &Config, at_once: bool) -> Outcome {
    // Made with another encryption key than the ones that are there, it would be of no use to the service.
    Signer::prepare(&store.read(signing_keys::all).await?, config, now())?;
    let signs_from = if at_once { now() } else { now() + PUBLISH_AHEAD };
    let key = generate(config, now(), signs_from)?;
    let (kid, alg) = (key.kid.clone(), key.alg.clone());
    let event = NewAdminEvent::of_command(now(), "signing_key.rotate", &kid, None);
    let add = move |c: &mut AnyConnection| {
        admin_events::append(c, &event)?;
        signing_keys::add(c, &key)
    };
    store.write(add).await?;
    say!("{kid}\t{alg}\tsigns from {}", rfc3339(signs_from));
    Ok(End::Fine)
}

async fn remove(store: &Store, kid: String) -> Outcome {
    let keys = store.read(signing_keys::all).await?;
    if signing_kid(&keys) == Some(&kid) {
        return Err("this key signs now; run `countersign keys rotate --now` first".into());
    }
    if !keys.iter().any(|key| key.kid == kid) {
        return Err("there is no such key".into());
    }
    let event = NewAdminEvent::of_command(now(), "signing_key.remove", &kid, None);
    let remove = move |c: &mut AnyConnection| {
        admin_events::append(c, &event)?;
        signing_keys::remove(c, &kid, now())
    };
    store.write(remove).await?;
    Ok(End::Fine)
}

/// The key that signs now, of keys that stand latest first.
fn signing_kid(keys: &[StoredKey]) -> Option<&str> {
    keys.iter().find(|key| key.signs_from <= now()).map(|key| key.kid.as_str())
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
