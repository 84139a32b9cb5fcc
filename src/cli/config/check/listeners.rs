//! Whether the configured addresses can be listened on.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::ServeProblem;
use crate::cli::block_on;
use crate::config::Config;
use crate::doctor::healthcheck;

/// Opens all addresses at once, as `serve` does. One that is in use is no problem if the service runs already.
pub(super) fn problems(config: &Config) -> Vec<ServeProblem> {
    let console = config.console.listen.filter(|_| config.console.enabled);
    let addresses = [
        Some(("listen", config.listen)),
        Some(("management_listen", config.management_listen)),
        console.map(|address| ("console.listen", address)),
    ];
    let (mut open, mut problems) = (Vec::new(), Vec::new());
    for (key, address) in addresses.into_iter().flatten() {
        let why = match TcpListener::bind(address) {
            Ok(listener) => {
                open.push((key, address, listener));
                continue;
            }
            Err(error) if error.kind() != ErrorKind::AddrInUse => error.to_string(),
            Err(_) => match open.iter().find(|(_, other, _)| other.port() == address.port()) {
                Some((other, taken, _)) => {
                    format!("overlaps with `{other}` = `{taken}`; give it another port or address")
                }
                None if is_running(config) => continue,
                None => "another program listens there; stop it, or choose another port".to_owned(),
            },
        };
        problems.push(ServeProblem::new(key, format!("`{key}` = `{address}`: {why}")));
    }
    problems
}

/// Whether a Countersign answers at its private listener.
fn is_running(config: &Config) -> bool {
    block_on(async { Ok(healthcheck::ask(&healthcheck::management_url(config), false).await?) }).is_ok()
}
