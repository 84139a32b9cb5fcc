//! The database URLs that are accepted. libpq quotes the part of a URL that it does not understand, which may be a
//! password: so such URLs are refused first, and never shown.

mod tls;

use super::problem::{ConfigError, invalid};

/// Refuses a URL that cannot be used. `key` names its source: a key of the configuration, or an argument.
pub(crate) fn check_database_url(key: &'static str, url: &str) -> Result<(), ConfigError> {
    check(url).map_err(|(shown, why)| invalid(key, shown, why))
}

/// Returns why a URL cannot be used, with the part of it that can be shown.
fn check(url: &str) -> Result<(), (&str, &'static str)> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("[redacted]", ""));
    let why = match scheme {
        "sqlite" if rest.starts_with(":memory:") => {
            "must name a file: each connection would have a database of its own in memory"
        }
        "sqlite" if rest.contains('?') => "must name a file and nothing else: sqlite:// takes no parameters",
        "sqlite" if !rest.is_empty() => return Ok(()),
        "postgres" | "postgresql" if cfg!(feature = "postgres") => {
            return check_postgres(rest).map_err(|why| (scheme, why));
        }
        "postgres" | "postgresql" => "needs a build with the `postgres` feature; use sqlite://FILE",
        "mysql" | "mariadb" => "is not supported: use sqlite://FILE or postgres://USER@HOST/DATABASE",
        _ if url.starts_with("sqlite:") => {
            "must begin with sqlite:// and name a file, such as sqlite://countersign.db"
        }
        _ => "must begin with sqlite:// and name a file",
    };
    let is_scheme = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    Err((if is_scheme { scheme } else { "[redacted]" }, why))
}

/// `rest` is what follows the scheme.
fn check_postgres(rest: &str) -> Result<(), &'static str> {
    let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    if user.contains(['/', '?', '#', '@']) {
        return Err("has an @ too many, or a raw / ? # before it: write %40 %2F %3F %23");
    }
    if !has_whole_escapes(rest) {
        return Err("has a % that begins no escape: write %25");
    }
    let (place, query) = place.split_once('?').map_or((place, None), |(place, query)| (place, Some(query)));
    let hosts = place.split('/').next().unwrap_or_default();
    if !hosts.split(',').all(has_good_port) {
        return Err("has a port that is no number, or a user name and password without an @ behind them");
    }
    let is_pair = |pair: &str| pair.matches('=').count() == 1;
    if !query.is_none_or(|query| query.split('&').all(is_pair)) {
        return Err("must have parameters of the form KEY=VALUE: within them write %26 for & and %3D for =");
    }
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    tls::check(place, query.unwrap_or_default(), variable)
}

/// Whether every % is followed by two hexadecimal digits, and none of them means NUL.
fn has_whole_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().get(..2).unwrap_or_default();
        digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit) && digits != b"00"
    })
}

/// `host`, `host:port` or `[address]:port`.
fn has_good_port(host: &str) -> bool {
    let behind_address = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
    let port = behind_address.split_once(':').map_or("", |(_, port)| port);
    port.bytes().all(|b| b.is_ascii_digit())
}
