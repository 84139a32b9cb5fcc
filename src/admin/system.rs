//! The service itself, as operators see it: its health, processes, signing keys and log streams.

use super::caller::Operator;
use super::error::AdminError;
use super::keys;
use crate::app::ReadinessCheck;
use crate::clock::UnixSeconds;
use crate::model::signing_key::{Turn, split_retired, turns};
use crate::policy::ConsoleAction;
use crate::store::connection::DatabaseKind;
use crate::store::log_streams;
use crate::store::replicas::Replica;
use crate::store::signing_keys::{self, StoredKey};

/// A signing key and its turn.
#[derive(Debug, Clone)]
pub struct KeyInTurn {
    pub kid: String,
    pub alg: String,
    pub signs_from: UnixSeconds,
    pub turn: Turn,
    /// Whether the key set still has it.
    pub is_published: bool,
}

/// A process that serves the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub name: String,
    pub version: String,
    pub policy_set: String,
    pub started_at: UnixSeconds,
    /// Whether it decides by the same policies as this process.
    pub has_same_policies: bool,
    /// Whether it is the one that answers.
    pub is_this: bool,
}

/// A log stream and how far it is.
#[derive(Debug, Clone)]
pub struct LogStreamState {
    pub name: String,
    /// Where it goes: a file, an address or a URL.
    pub to: String,
    /// The time of the oldest row that it has not sent; none when it has sent everything.
    pub oldest_unsent: Option<UnixSeconds>,
}

/// The checks that tell whether this process is ready.
pub fn checks(operator: &Operator) -> Vec<ReadinessCheck> {
    operator.app.checks()
}

/// The kind of the database.
pub fn database(operator: &Operator) -> &'static str {
    match DatabaseKind::of(&operator.app.config.database_url) {
        Some(DatabaseKind::Postgres) => "PostgreSQL",
        _ => "SQLite",
    }
}

/// The processes that run, this one first.
pub fn processes(operator: &Operator) -> Vec<Process> {
    let app = &operator.app;
    let own = app.policies().hash.clone();
    let process = |is_this: bool, replica: &Replica| Process {
        name: replica.name.clone(),
        version: replica.version.clone(),
        policy_set: replica.policy_set.clone(),
        started_at: replica.started_at,
        has_same_policies: replica.policy_set == own,
        is_this,
    };
    let others = app.replicas.others();
    let others = others.iter().map(|other| process(false, other));
    std::iter::once(process(true, &app.own_replica())).chain(others).collect()
}

/// The signing keys, the latest first.
pub async fn keys(operator: &Operator) -> Result<Vec<KeyInTurn>, AdminError> {
    let stored = operator.app.store.read(signing_keys::all).await?;
    let now = operator.app.clock.now();
    let published = split_retired(&stored, now).0.len();
    let key = |(at, (key, turn)): (usize, (&StoredKey, Turn))| KeyInTurn {
        kid: key.kid.clone(),
        alg: key.alg.clone(),
        signs_from: key.signs_from,
        turn,
        is_published: at < published,
    };
    Ok(turns(&stored, now).enumerate().map(key).collect())
}

/// Makes a new key. It is published at once, and signs from now on or after a delay.
pub async fn rotate_key(operator: &Operator, at_once: bool) -> Result<String, AdminError> {
    let permission = operator.may_everywhere(ConsoleAction::ChangeSystem)?;
    let app = &operator.app;
    let key = keys::next(&app.store, &app.config, at_once, app.clock.now()).await?;
    operator
        .change(permission, move |c| {
            signing_keys::add(c, &key)?;
            let change = keys::rotated(&key);
            Ok((key.kid, change))
        })
        .await
}

/// The log streams in the order of the configuration.
pub async fn streams(operator: &Operator) -> Result<Vec<LogStreamState>, AdminError> {
    let app = &operator.app;
    let mut streams = Vec::new();
    for configured in &app.config.log_stream {
        let name = configured.name.clone();
        let oldest_unsent = app.store.read(move |c| log_streams::oldest_unsent(c, &name)).await?;
        streams.push(LogStreamState {
            name: configured.name.clone(),
            to: configured.to.to_string(),
            oldest_unsent,
        });
    }
    Ok(streams)
}
