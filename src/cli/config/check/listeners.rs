//! Whether the configured addresses can be listened on.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::ServeProblem;
use crate::config::Config;

/// How long the running service may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

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
                None if is_running(config.management_listen) => continue,
                None => "another program listens there; stop it, or choose another port".to_owned(),
            },
        };
        problems.push(ServeProblem::new(key, format!("`{key}` = `{address}`: {why}")));
    }
    problems
}

/// Whether a Countersign answers at its private listener.
fn is_running(management: SocketAddr) -> bool {
    ask(management).is_ok_and(|answer| answer.starts_with("HTTP/1.") && answer.contains(r#"{"status":"ok"}"#))
}

/// The beginning of the answer, as much of it as comes in time.
fn ask(management: SocketAddr) -> io::Result<String> {
    let end = Instant::now() + PATIENCE;
    let mut stream = TcpStream::connect_timeout(&management, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let (mut answer, mut part) = (Vec::new(), [0; 512]);
    loop {
        // A timeout of zero would be an error.
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part) {
            Ok(n) if n > 0 && answer.len() < 4096 && Instant::now() < end => {
                answer.extend(part.iter().take(n));
            }
            _ => return Ok(String::from_utf8_lossy(&answer).into_owned()),
        }
    }
}
