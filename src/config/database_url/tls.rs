//! Whether a PostgreSQL URL says how to protect the connection. libpq's default, `prefer`, falls back to plain text
//! when somebody on the way asks for it: so a server on another machine needs an explicit `sslmode`.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;

const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Refuses a server on another machine without an explicit `sslmode`. `place` is the part before the `?`, without user
/// and password; `variable` looks up an environment variable that libpq reads.
pub(super) fn check(
    place: &str,
    query: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(), &'static str> {
    let parameters: Vec<(String, String)> = query.split('&').filter_map(parameter).collect();
    // libpq takes the last value of a repeated parameter.
    let given = |key: &str| {
        let found = parameters.iter().rev().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    let mode = given("sslmode").or_else(|| variable("PGSSLMODE"));
    if let Some(mode) = mode {
        return match MODES.contains(&mode.as_str()) {
            true => Ok(()),
            false => Err("has an sslmode that libpq does not know; write sslmode=verify-full"),
        };
    }
    // libpq reads it as sslmode=require.
    if given("ssl").is_some_and(|value| value == "true") {
        return Ok(());
    }
    let hosts = given("host").unwrap_or_else(|| hosts_of(place));
    let hosts = if hosts.is_empty() { variable("PGHOST").unwrap_or_default() } else { hosts };
    let addresses = given("hostaddr").or_else(|| variable("PGHOSTADDR")).unwrap_or_default();
    // A service file may name any server.
    let service = given("service").or_else(|| variable("PGSERVICE"));
    let is_local = hosts.split(',').chain(addresses.split(',')).all(is_local);
    match is_local && (service.is_none() || !hosts.is_empty()) {
        true => Ok(()),
        false => {
            Err("names a server on another machine and no sslmode. Write ?sslmode=verify-full behind the \
                      database's name (or &sslmode=verify-full behind other parameters); on a network that you trust \
                      as you trust this machine, sslmode=disable")
        }
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn parameter(pair: &str) -> Option<(String, String)> {
    let (key, value) = pair.split_once('=')?;
    Some((decoded(key), decoded(value)))
}

/// The hosts of `host:port,host:port/database`, without their ports, separated by commas.
fn hosts_of(place: &str) -> String {
    let authority = place.split('/').next().unwrap_or_default();
    let hosts: Vec<String> = authority.split(',').map(|host| decoded(without_port(host))).collect();
    hosts.join(",")
}

fn without_port(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|address| address.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Whether a host is a local socket, or an address that packets do not leave this machine for.
fn is_local(host: &str) -> bool {
    let is_socket = host.is_empty() || host.starts_with(['/', '@']);
    let address: Option<IpAddr> = host.parse().ok();
    is_socket || host.eq_ignore_ascii_case("localhost") || address.is_some_and(|ip| ip.is_loopback())
}
