//! `countersign config check`: opens everything that `serve` opens, and changes nothing.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::config::{Config, Destination};
use crate::idp::fetch::Fetcher;
use crate::policy::PolicySource;
use crate::resolver::Resolver;
use crate::signing::Signer;
use crate::store::connection::{self, DatabaseKind};
use crate::store::{Store, StoreError, signing_keys};
use crate::tls::ServerTls;

/// Lists everything that `serve` could not open, each with its key and the remedy.
pub(super) fn problems(config: &Config, now: i64) -> Vec<String> {
    let policies = [Some(("policy_dir", &config.policy_dir)), shadow(config)];
    let policies = policies.into_iter().flatten();
    let mut problems: Vec<String> =
        policies.filter_map(|(key, dir)| read_policies(key, dir, &config.schema_file).err()).collect();
    let fetcher = Fetcher::new(&config.fetch, &Resolver::new(&config.fetch));
    problems.extend(fetcher.err().map(|error| format!("`fetch.ca_file`: {error}")));
    problems.extend(ServerTls::of(&config.tls).err().map(|error| error.to_string()));
    problems.extend(open_database(config, now).err());
    let console = config.console.listen.filter(|_| config.console.enabled);
    let listeners = [
        ("listen", Some(config.listen)),
        ("management_listen", Some(config.management_listen)),
        ("console.listen", console),
    ];
    for (key, address) in listeners {
        problems.extend(address.and_then(|address| listen(key, address).err()));
    }
    problems.extend(config.log_stream.iter().filter_map(|stream| match &stream.to {
        Destination::File(path) => {
            missing_directory(path).map(|why| format!("log stream `{}`: {why}", stream.name))
        }
        _ => None,
    }));
    problems
}

fn shadow(config: &Config) -> Option<(&'static str, &std::path::PathBuf)> {
    config.policy.shadow_dir.as_ref().map(|dir| ("policy.shadow_dir", dir))
}

fn read_policies(key: &str, dir: &Path, schema: &Path) -> Result<(), String> {
    if !dir.is_dir() {
        return Err(format!("`{key}` = `{}`: there is no such directory", dir.display()));
    }
    if !schema.is_file() {
        return Err(format!("`schema_file` = `{}`: there is no such file", schema.display()));
    }
    let validated = PolicySource::read(dir, schema).and_then(|source| source.validate());
    validated.map(drop).map_err(|error| format!("`{key}`: {}", crate::cli::policy::render(error)))
}

/// A missing database file is not a problem, since `serve` makes it; nor are pending migrations, since `serve` applies
/// them.
fn open_database(config: &Config, now: i64) -> Result<(), String> {
    let url = &config.database_url;
    let failed = |error: StoreError| format!("`database_url`: {error}");
    if let Some(path) = connection::missing(url) {
        return missing_directory(Path::new(path))
            .map_or(Ok(()), |why| Err(format!("`database_url`: {why}")));
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
    let Some(keys) = Store::in_time(url, &config.database, read_keys).map_err(failed)? else { return Ok(()) };
    Signer::prepare(&keys, config, now).map(drop).map_err(|error| error.to_string())
}

fn missing_directory(path: &Path) -> Option<String> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty())?;
    (!directory.is_dir()).then(|| format!("there is no directory {}; make it first", directory.display()))
}

/// An address in use is assumed to be the running service's.
fn listen(key: &str, address: SocketAddr) -> Result<(), String> {
    match TcpListener::bind(address) {
        Err(error) if error.kind() != ErrorKind::AddrInUse => Err(format!("`{key}` = `{address}`: {error}")),
        _ => Ok(()),
    }
}
