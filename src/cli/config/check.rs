//! `countersign config check`: opens everything that `serve` opens, and changes nothing.

mod listeners;

use std::fmt::Display;
use std::path::Path;

use rustix::fs::{Access, access};

use crate::app::read_detail_types;
use crate::config::{Config, Destination};
use crate::idp::fetch::Fetcher;
use crate::policy::{PolicyPlace, PolicySource};
use crate::resolver::Resolver;
use crate::signing::Signer;
use crate::store::connection::{self, DatabaseKind};
use crate::store::{Store, StoreError, signing_keys};
use crate::tls::ServerTls;

/// The remedy for policies or a schema that are missing.
const WRITE_THEM: &str = "`countersign init` writes the shipped policies and their schema";

/// Something that `serve` could not open.
pub(super) struct ServeProblem {
    /// The key that names it.
    pub key: String,
    /// The key, what is wrong, and the remedy.
    pub text: String,
}

impl ServeProblem {
    fn new(key: &str, text: impl ToString) -> Self {
        Self { key: key.to_owned(), text: text.to_string() }
    }
}

/// Lists everything that `serve` could not open.
pub(super) fn problems(config: &Config, now: i64) -> Vec<ServeProblem> {
    let schema = PolicyPlace::of_schema(config);
    let shadow = config.policy.shadow_dir.as_deref().map(|dir| ("policy.shadow_dir", dir.into()));
    let policies = std::iter::once(("policy_dir", PolicyPlace::of_policies(config))).chain(shadow);
    let mut problems: Vec<ServeProblem> =
        policies.filter_map(|(key, dir)| read_policies(key, &dir, &schema).err()).collect();
    let fetcher = Fetcher::new(&config.fetch, &Resolver::new(&config.fetch));
    let no_roots = |error| ServeProblem::new("fetch.ca_file", format!("`fetch.ca_file`: {error}"));
    problems.extend(fetcher.err().map(no_roots));
    let details = read_detail_types(&config.authorization_details);
    problems.extend(details.err().map(|error| ServeProblem::new("authorization_details.types", error)));
    problems.extend(ServerTls::of(&config.tls).err().map(|error| ServeProblem::new("tls", error)));
    problems.extend(open_database(config, now).err());
    problems.extend(listeners::problems(config));
    problems.extend(config.log_stream.iter().enumerate().filter_map(|(index, stream)| {
        let Destination::File(path) = &stream.to else { return None };
        let text = format!("log stream `{}`: {}", stream.name, missing_directory(path)?);
        Some(ServeProblem::new(&format!("log_stream.{index}.to"), text))
    }));
    problems
}

fn read_policies(key: &str, dir: &PolicyPlace, schema: &PolicyPlace) -> Result<(), ServeProblem> {
    if !dir.is_dir() {
        let text = format!("`{key}` = `{dir}`: there is no such directory; {WRITE_THEM}");
        return Err(ServeProblem::new(key, text));
    }
    if !schema.is_file() {
        let text = format!("`schema_file` = `{schema}`: there is no such file; {WRITE_THEM}");
        return Err(ServeProblem::new("schema_file", text));
    }
    let validated = PolicySource::read(dir, schema).and_then(|source| source.validate());
    let unusable = |error| ServeProblem::new(key, format!("`{key}`: {}", crate::cli::policy::render(error)));
    validated.map(drop).map_err(unusable)
}

/// A missing database file is not a problem, since `serve` makes it; nor are pending migrations, since `serve` applies
/// them.
fn open_database(config: &Config, now: i64) -> Result<(), ServeProblem> {
    let url = &config.database_url;
    let problem = |why: &dyn Display| ServeProblem::new("database_url", format!("`database_url`: {why}"));
    if let Some(path) = url.strip_prefix("sqlite://").map(Path::new)
        && let Some(why) = missing_directory(path).or_else(|| unwritable(path))
    {
        return Err(problem(&why));
    }
    if connection::missing(url).is_some() {
        return Ok(());
    }
    let (place, settings) = (url.to_owned(), config.database.clone());
    let read_keys = move || {
        connection::check_sessions(&place, &settings)?;
        let mut connection = connection::open(&place, &settings)?;
        match connection.check_version() {
            Err(StoreError::Behind) if DatabaseKind::of(&place) == Some(DatabaseKind::Sqlite) => {
                return Ok(None);
            }
            checked => checked?,
        }
        signing_keys::all(&mut connection).map(Some)
    };
    let keys = Store::in_time(url, &config.database, read_keys).map_err(|error| problem(&error))?;
    let Some(keys) = keys else { return Ok(()) };
    Signer::prepare(&keys, config, now).map(drop).map_err(|error| ServeProblem::new("keys", error))
}

fn missing_directory(path: &Path) -> Option<String> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty())?;
    (!directory.is_dir()).then(|| format!("there is no directory {}; make it first", directory.display()))
}

/// SQLite makes two more files beside the database, so the directory must be writable as well.
fn unwritable(database: &Path) -> Option<String> {
    let directory = database.parent().filter(|directory| !directory.as_os_str().is_empty());
    let needed = [Some(database).filter(|file| file.exists()), directory.or(Some(Path::new(".")))];
    needed.into_iter().flatten().find_map(|path| {
        let error = access(path, Access::WRITE_OK).err()?;
        Some(format!("cannot write to {}: {error}; make it writable for this user", path.display()))
    })
}
