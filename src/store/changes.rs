//! The changes in each generation of the configuration, so that a process reloads only those.

use diesel::prelude::*;

use super::schema::{changes, generation};
use super::state::{Generation, State};
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;

/// The subject of a change of configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Changed {
    /// A teamspace by its id, with its identity provider and email domains.
    Teamspace(String),
    /// A client by its id, with its secrets.
    Client(String),
    /// A resource by its id.
    Resource(String),
    /// The members of the teamspace with this id.
    Members(String),
    /// The keys that sign access tokens.
    SigningKeys,
    /// The kill switches.
    KillSwitches,
}

/// The most changes that are reloaded one by one; beyond that, everything is read again.
const MAX_STEPS: i64 = 1000;

/// The changes since a generation.
#[derive(Debug, PartialEq, Eq)]
pub enum ConfigDelta {
    /// The database is at the same generation.
    Nothing,
    /// These objects, each to be read again.
    Some(Vec<Changed>),
    /// Too many changes, too old a generation, or a kind of change that this version does not know.
    Everything,
}

impl Changed {
    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Teamspace(id) => ("teamspace", id),
            Self::Client(id) => ("client", id),
            Self::Resource(id) => ("resource", id),
            Self::Members(teamspace_id) => ("member", teamspace_id),
            Self::SigningKeys => ("signing_key", ""),
            Self::KillSwitches => ("kill_switch", ""),
        }
    }

    /// The teamspace that the change belongs to, and whose administrators may know about it.
    pub fn teamspace_id(&self) -> Option<&str> {
        match self {
            Self::Teamspace(id) | Self::Members(id) => Some(id),
            Self::Client(_) | Self::Resource(_) | Self::SigningKeys | Self::KillSwitches => None,
        }
    }

    fn of((kind, object): (String, String)) -> Option<Self> {
        match kind.as_str() {
            "teamspace" => Some(Self::Teamspace(object)),
            "client" => Some(Self::Client(object)),
            "resource" => Some(Self::Resource(object)),
            "member" => Some(Self::Members(object)),
            "signing_key" => Some(Self::SigningKeys),
            "kill_switch" => Some(Self::KillSwitches),
            _ => None,
        }
    }
}

/// The current generation of the configuration.
pub fn current(connection: &mut AnyConnection) -> Result<Generation, StoreError> {
    Ok(State::read(connection)?.generation)
}

/// Marks the configuration as changed, for every process on this database. From here on at the latest, the transaction
/// holds the configuration lock.
pub fn note(connection: &mut AnyConnection, changed: &Changed, at: UnixSeconds) -> Result<(), StoreError> {
    connection.lock_configuration()?;
    let before = current(connection)?;
    let new = before.next()?;
    diesel::update(generation::table.filter(generation::id.eq(1)))
        .set((generation::value.eq(new.number), generation::tag.eq(new.tag)))
        .execute(connection)?;
    let (kind, object) = changed.parts();
    let row = (
        changes::generation.eq(new.number),
        changes::kind.eq(kind),
        changes::object.eq(object),
        changes::at.eq(at),
        changes::follows.eq(before.tag),
    );
    diesel::insert_into(changes::table).values(row).execute(connection)?;
    connection.announce()?;
    Ok(())
}

/// The latest generation, and the changes since a given one.
pub fn since(
    connection: &mut AnyConnection,
    known: Generation,
) -> Result<(Generation, ConfigDelta), StoreError> {
    let latest = current(connection)?;
    let steps = between(connection, known, latest)?;
    let news = match steps.after(known) {
        _ if latest == known => ConfigDelta::Nothing,
        Some(steps) => ConfigDelta::Some(steps.iter().map(|step| step.changed.clone()).collect()),
        None => ConfigDelta::Everything,
    };
    Ok((latest, news))
}

/// One change.
#[derive(Debug)]
struct ConfigStep {
    number: i64,
    /// The tag of the generation before.
    follows: i64,
    changed: Changed,
}

/// The changes up to a generation, one by one.
#[derive(Debug)]
pub struct ConfigHistory {
    latest: Generation,
    /// None when it cannot be told any more.
    steps: Option<Vec<ConfigStep>>,
}

impl ConfigHistory {
    /// Whether anything after a generation may affect a teamspace's sign-ins.
    pub fn concern(&self, generation: Generation, teamspace: Option<&str>) -> bool {
        if generation == self.latest {
            return false;
        }
        let Some(after) = self.after(generation) else { return true };
        // A change that belongs to no teamspace affects all of them.
        let mut owners = after.iter().map(|step| step.changed.teamspace_id());
        owners.any(|owner| owner.is_none_or(|id| Some(id) == teamspace))
    }

    /// The steps after a generation. None if they are unknown, or if this database never had that generation: then it
    /// was replaced.
    fn after(&self, generation: Generation) -> Option<&[ConfigStep]> {
        let steps = self.steps.as_deref()?;
        let after = steps.get(steps.partition_point(|step| step.number <= generation.number)..)?;
        let first = after.first()?;
        (first.number == generation.number + 1 && first.follows == generation.tag).then_some(after)
    }
}

/// The changes from one generation to another, the current one.
pub fn between(
    connection: &mut AnyConnection,
    known: Generation,
    latest: Generation,
) -> Result<ConfigHistory, StoreError> {
    let number = latest.number - known.number;
    // A lower number means that the database was replaced.
    if !(1..=MAX_STEPS).contains(&number) {
        return Ok(ConfigHistory { latest, steps: None });
    }
    let rows: Vec<(i64, String, String, i64)> = changes::table
        .filter(changes::generation.gt(known.number))
        .filter(changes::generation.le(latest.number))
        .order(changes::generation.asc())
        .select((changes::generation, changes::kind, changes::object, changes::follows))
        .load(connection)?;
    let complete = i64::try_from(rows.len()) == Ok(number);
    let step = |(number, kind, object, follows)| {
        Some(ConfigStep { number, follows, changed: Changed::of((kind, object))? })
    };
    let steps = rows.into_iter().map(step).collect::<Option<Vec<_>>>().filter(|_| complete);
    Ok(ConfigHistory { latest, steps })
}

/// Deletes changes that every process has reloaded long ago.
pub(super) fn prune(connection: &mut AnyConnection, before: UnixSeconds) -> QueryResult<usize> {
    diesel::delete(changes::table.filter(changes::at.lt(before))).execute(connection)
}
