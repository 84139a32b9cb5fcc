//! What each generation of the configuration changed, so that a process takes over that and nothing else.

use diesel::prelude::*;

use super::schema::{changes, generation};
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;

/// What a change of configuration is about.
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
    SigningKeys,
}

/// Most changes that are taken over one by one; beyond that everything is read anew.
const MAX_STEPS: i64 = 1000;

/// What has changed since a generation.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    Nothing,
    Some(Vec<Changed>),
    /// Too much, too long ago, or of a kind that this version does not know.
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
        }
    }

    /// The teamspace whose matter it is, and whose administrators may know of it.
    pub fn teamspace_id(&self) -> Option<&str> {
        match self {
            Self::Teamspace(id) | Self::Members(id) => Some(id),
            Self::Client(_) | Self::Resource(_) | Self::SigningKeys => None,
        }
    }

    fn of((kind, object): (String, String)) -> Option<Self> {
        match kind.as_str() {
            "teamspace" => Some(Self::Teamspace(object)),
            "client" => Some(Self::Client(object)),
            "resource" => Some(Self::Resource(object)),
            "member" => Some(Self::Members(object)),
            "signing_key" => Some(Self::SigningKeys),
            _ => None,
        }
    }
}

/// The number that every change of configuration raises.
pub fn current(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    Ok(generation::table.filter(generation::id.eq(1)).select(generation::value).get_result(connection)?)
}

/// Marks the configuration as changed, for every process on this database. The transaction holds the lock of
/// the configuration from here on, if not from its start.
pub fn note(connection: &mut AnyConnection, changed: &Changed, at: UnixSeconds) -> Result<(), StoreError> {
    connection.lock_configuration()?;
    diesel::update(generation::table.filter(generation::id.eq(1)))
        .set(generation::value.eq(generation::value + 1))
        .execute(connection)?;
    let (kind, object) = changed.parts();
    let row = (
        changes::generation.eq(current(connection)?),
        changes::kind.eq(kind),
        changes::object.eq(object),
        changes::at.eq(at),
    );
    diesel::insert_into(changes::table).values(row).execute(connection)?;
    connection.announce()?;
    Ok(())
}

/// What has changed since a generation, and which is the last one.
pub fn since(connection: &mut AnyConnection, known: i64) -> Result<(i64, News), StoreError> {
    let Steps { latest, steps } = after(connection, known)?;
    let news = match steps {
        _ if latest == known => News::Nothing,
        Some(steps) => News::Some(steps.into_iter().map(|(_, changed)| changed).collect()),
        None => News::Everything,
    };
    Ok((latest, news))
}

/// What has changed after a generation, step by step.
#[derive(Debug)]
pub struct Steps {
    latest: i64,
    /// None when it cannot be told any more.
    steps: Option<Vec<(i64, Changed)>>,
}

impl Steps {
    /// Whether anything after a generation may matter to a sign-in of a teamspace.
    pub fn concern(&self, generation: i64, teamspace: Option<&str>) -> bool {
        if generation == self.latest {
            return false;
        }
        let Some(steps) = self.steps.as_ref().filter(|_| generation < self.latest) else { return true };
        let mut after = steps.iter().filter(|(step, _)| *step > generation);
        // What is no teamspace's matter is everybody's.
        after.any(|(_, changed)| changed.teamspace_id().is_none_or(|id| Some(id) == teamspace))
    }
}

/// What has changed after a generation.
pub fn after(connection: &mut AnyConnection, known: i64) -> Result<Steps, StoreError> {
    let latest = current(connection)?;
    // Less than before: another database was put in its place.
    if !(1..=MAX_STEPS).contains(&(latest - known)) {
        return Ok(Steps { latest, steps: None });
    }
    let rows: Vec<(i64, String, String)> = changes::table
        .filter(changes::generation.gt(known))
        .filter(changes::generation.le(latest))
        .order(changes::generation.asc())
        .select((changes::generation, changes::kind, changes::object))
        .load(connection)?;
    let complete = i64::try_from(rows.len()) == Ok(latest - known);
    let steps = rows.into_iter().map(|(step, kind, object)| Some((step, Changed::of((kind, object))?)));
    Ok(Steps { latest, steps: steps.collect::<Option<Vec<_>>>().filter(|_| complete) })
}

/// Deletes what every process has taken over long ago.
pub(super) fn prune(connection: &mut AnyConnection, before: UnixSeconds) -> QueryResult<usize> {
    diesel::delete(changes::table.filter(changes::at.lt(before))).execute(connection)
}
