//! Syslog (RFC 5424): over TCP with octet counting (RFC 6587 §3.4.1), or in datagrams (RFC 5426, or a local socket).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram};
use tokio::time::sleep;
use url::Url;

use super::SendError;
use super::record::Record;
use crate::clock::rfc3339;
use crate::config::Destination;
use crate::resolver::Resolver;

/// Longest message in bytes: common receivers accept this without cutting it.
const MAX_MESSAGE: usize = 8192;
/// Facility authpriv (10) with severity informational (6) or notice (5), RFC 5424 §6.2.1.
const GRANTED: u8 = 10 * 8 + 6;
const REFUSED: u8 = 10 * 8 + 5;
/// Datagrams that are sent without a pause; more at once would overflow the receiver's buffer.
const BURST: usize = 32;
const BETWEEN_BURSTS: Duration = Duration::from_millis(5);
/// Fields that are dropped, in this order, from a message that is too long.
const LONG_FIELDS: [&str; 2] = ["facts", "decisions"];
/// The fields that remain in a message that is still too long.
const SHORT_FIELDS: [&str; 6] = ["id", "time", "outcome", "reason", "request_id", "repeated"];

/// A syslog receiver.
pub(super) struct Syslog {
    to: Destination,
    /// The issuer's host: it names the service, whichever machine sends the message.
    hostname: String,
    resolver: Resolver,
}

impl Syslog {
    pub(super) fn new(to: Destination, issuer: &str, resolver: Resolver) -> Self {
        let url = Url::parse(issuer).ok();
        let hostname = url.as_ref().and_then(Url::host_str).unwrap_or("-").to_owned();
        Self { to, hostname, resolver }
    }

    /// Sends each row as a message.
    pub(super) async fn send(&self, records: &[Record]) -> Result<(), SendError> {
        let messages = records.iter().map(|record| self.message(record));
        match &self.to {
            Destination::SyslogTcp(authority) => {
                send_stream(&self.resolver.socket_addresses(authority).await?, messages).await?;
            }
            Destination::SyslogUdp(authority) => {
                send_udp(&self.resolver.socket_addresses(authority).await?, messages).await?;
            }
            Destination::SyslogUnix(path) => send_unix(path, messages).await?,
            // These have receivers of their own.
            Destination::File(_) | Destination::Otlp(_) => {}
        }
        Ok(())
    }

    /// RFC 5424 §6. The row is the message's text: JSON has no line breaks in it, whatever a caller has sent.
    fn message(&self, record: &Record) -> String {
        let priority = if record.is_refused { REFUSED } else { GRANTED };
        let (time, hostname, process) = (rfc3339(record.at), &self.hostname, std::process::id());
        let header = format!("<{priority}>1 {time} {hostname} countersign {process} sign-in - ");
        let room = MAX_MESSAGE.saturating_sub(header.len());
        header + &fitting(&record.fields, room)
    }
}

/// Shortens the row until it fits; `omitted` then names the missing fields.
fn fitting(fields: &Value, room: usize) -> String {
    let whole = fields.to_string();
    if whole.len() <= room {
        return whole;
    }
    let mut shorter = fields.clone();
    for (index, name) in LONG_FIELDS.iter().enumerate() {
        if let Some(fields) = shorter.as_object_mut() {
            fields.remove(*name);
            fields.insert("omitted".to_owned(), json!(LONG_FIELDS.get(..=index)));
        }
        let text = shorter.to_string();
        if text.len() <= room {
            return text;
        }
    }
    let kept = SHORT_FIELDS.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone())));
    let mut least: serde_json::Map<String, Value> = kept.collect();
    least.insert("omitted".to_owned(), json!(["*"]));
    Value::Object(least).to_string()
}

/// Opens a connection for each batch. TCP confirms bytes to the other machine, not to its program, but a receiver that
/// closes its side cleanly after ours has read everything.
async fn send_stream(receivers: &[SocketAddr], messages: impl Iterator<Item = String>) -> io::Result<()> {
    let frames: String = messages.map(|message| format!("{} {message}", message.len())).collect();
    let mut connection = TcpStream::connect(receivers).await?;
    connection.write_all(frames.as_bytes()).await?;
    connection.shutdown().await?;
    let mut ignored = [0; 256];
    while connection.read(&mut ignored).await? > 0 {}
    Ok(())
}

/// Nobody confirms a datagram: if the network or a full buffer loses it, it is lost.
async fn send_udp(receivers: &[SocketAddr], messages: impl Iterator<Item = String>) -> io::Result<()> {
    let socket = connected(receivers).await?;
    for (index, message) in messages.enumerate() {
        if index > 0 && index % BURST == 0 {
            sleep(BETWEEN_BURSTS).await;
        }
        socket.send(message.as_bytes()).await?;
    }
    Ok(())
}

/// A socket connected to the first reachable address. Since it is connected, it learns when nobody listens.
async fn connected(receivers: &[SocketAddr]) -> io::Result<UdpSocket> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for receiver in receivers {
        let any = SocketAddr::from(match receiver {
            SocketAddr::V4(_) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            SocketAddr::V6(_) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
        });
        match bind_and_connect(any, *receiver).await {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

async fn bind_and_connect(from: SocketAddr, to: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(from).await?;
    socket.connect(to).await?;
    Ok(socket)
}

/// A local socket waits while its receiver is slow, and fails when there is none.
async fn send_unix(path: &Path, messages: impl Iterator<Item = String>) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    for message in messages {
        socket.send(message.as_bytes()).await?;
    }
    Ok(())
}
