//! Syslog receivers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::config::LogStream;
use countersign::store::sign_ins::NewSignIn;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, UdpSocket, UnixDatagram};

use super::{
    Running, app_with, append, count, ids, record, request_id, row, stream, wait_for, wait_for_rows,
};
use crate::decision_bodies::body;
use crate::dns::{FakeDns, Reply};
use crate::harness::{START, TestApp};
use crate::process::free_port;

/// Messages with octet counting (RFC 6587 §3.4.1).
fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').unwrap();
        let length: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let (frame, rest) = bytes[space + 1..].split_at(length);
        frames.push(String::from_utf8(frame.to_vec()).unwrap());
        bytes = rest;
    }
    frames
}

/// The text of a message.
fn json_of(message: &str) -> Value {
    serde_json::from_str(message.splitn(8, ' ').nth(7).unwrap()).unwrap()
}

#[derive(Clone, Default)]
pub struct Received(Arc<Mutex<Vec<String>>>);

impl Received {
    fn messages(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub fn ids(&self) -> Vec<String> {
        self.messages().iter().map(|message| request_id(&json_of(message))).collect()
    }

    /// Takes what connections bring and closes each when its other side has closed.
    pub async fn listen(&self, listener: TcpListener) {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            if connection.read_to_end(&mut bytes).await.is_ok() {
                self.0.lock().unwrap().extend(frames(&bytes));
            }
        }
    }
}

async fn app_to(to: &str) -> TestApp {
    app_with(stream("archive", to)).await
}

/// Each datagram that a socket gets.
async fn datagrams(socket: &UdpSocket, number: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut buffer = vec![0; 65_536];
    while found.len() < number {
        let received = tokio::time::timeout(Duration::from_secs(30), socket.recv(&mut buffer));
        let length = received.await.expect("a datagram").unwrap();
        found.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
    }
    found
}

#[tokio::test]
async fn a_datagram_is_a_message_of_rfc_5424() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let app = app_to(&format!("syslog+udp://{}", socket.local_addr().unwrap())).await;
    let running = Running::start(&app);
    record(&app, 0..100).await;
    let found = datagrams(&socket, 100).await;
    running.stop().await;
    let process = std::process::id();
    let header =
        |priority| format!("<{priority}>1 2026-11-22T12:00:00Z 127.0.0.1 countersign {process} sign-in - {{");
    assert!(found[0].starts_with(&header(86)), "granted is informational: {}", found[0]);
    assert!(found[1].starts_with(&header(85)), "refused is a notice: {}", found[1]);
    let sent: Vec<String> = found.iter().map(|message| request_id(&json_of(message))).collect();
    assert_eq!(sent, ids(0..100));
    assert_eq!(json_of(&found[0])["decisions"][0]["action"], "TrustIssuer");
}

/// Hosts of receivers are looked up as those of providers are, and private ones are welcome.
#[tokio::test]
async fn receivers_are_looked_up_by_our_own_resolver() {
    let dns = FakeDns::start(|name| match name {
        "gone.example.com" => Some(Reply::NoSuchName),
        _ => Reply::addresses(&["127.0.0.1"]),
    })
    .await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = |address: std::io::Result<SocketAddr>| address.unwrap().port();
    let app = TestApp::start_with(|config| {
        config.fetch.dns_servers = vec![dns.address.into()];
        config.log_stream = vec![
            stream("udp", &format!("syslog+udp://udp.example.com:{}", port(socket.local_addr()))),
            stream("tcp", &format!("syslog+tcp://tcp.example.com:{}", port(tcp.local_addr()))),
            stream("otlp", &format!("otlp+http://otlp.example.com:{}/v1/logs", port(collector.local_addr()))),
            stream("gone", "syslog+tcp://gone.example.com:601"),
        ];
    })
    .await;
    let running = Running::start(&app);
    record(&app, 0..1).await;
    assert_eq!(request_id(&json_of(&datagrams(&socket, 1).await[0])), "r-0");
    for listener in [tcp, collector] {
        tokio::time::timeout(Duration::from_secs(30), listener.accept()).await.unwrap().unwrap();
    }
    wait_for("gone is asked for", async || {
        dns.asked().contains(&"gone.example.com".to_owned()).then_some(())
    })
    .await;
    running.stop().await;
}

/// A caller's text cannot begin a message of its own, and long rows lose their longest parts.
#[tokio::test]
async fn messages_are_one_line_and_bounded() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = stream("archive", &format!("syslog+udp://{}", socket.local_addr().unwrap()));
    let app = app_with(LogStream { email: true, facts: true, ..to }).await;
    let long = |length| json!({ "long": "x".repeat(length) }).to_string();
    let rows = [
        NewSignIn { detail: "\n<86>1 forged\u{1b}".to_owned(), ..row(START, 0) },
        NewSignIn { facts: long(9000), ..row(START, 1) },
        NewSignIn { facts: long(10), body: body(&json!([{ "long": "x".repeat(9000) }])), ..row(START, 2) },
        NewSignIn { detail: "é".repeat(5000), ..row(START, 3) },
    ];
    append(&app, rows.into_iter()).await;
    let running = Running::start(&app);
    let found = datagrams(&socket, 4).await;
    running.stop().await;
    assert!(found.iter().all(|message| message.len() <= 8192 && !message.contains(char::is_control)));
    let records: Vec<Value> = found.iter().map(|message| json_of(message)).collect();
    assert_eq!(records[0]["detail"], "\n<86>1 forged\u{1b}");
    assert!(records[0].get("omitted").is_none() && records[0]["facts"].is_object());
    assert_eq!((&records[1]["omitted"], records[1].get("facts")), (&json!(["facts"]), None));
    assert!(records[1]["decisions"].is_array());
    assert_eq!((&records[2]["omitted"], records[2].get("decisions")), (&json!(["facts", "decisions"]), None));
    assert_eq!(records[2]["client_id"], "client");
    let least = json!({
        "id": 4, "time": "2026-11-22T12:00:00Z", "outcome": "refused", "reason": null, "request_id": "r-3",
        "repeated": 0, "omitted": ["*"],
    });
    assert_eq!(records[3], least);
}

/// Nobody listens at first; then a receiver reads a part and dies; then one takes all.
#[tokio::test]
async fn tcp_receivers_may_be_down_and_may_die() {
    let port = free_port();
    let app = app_to(&format!("syslog+tcp://localhost:{port}")).await;
    record(&app, 0..700).await;
    let running = Running::start(&app);
    wait_for("the failure", async || (count(&app, "failed_total").await > 0).then_some(())).await;
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let (mut dying, _) = listener.accept().await.unwrap();
    let mut part = [0; 1000];
    dying.read_exact(&mut part).await.unwrap();
    // With bytes unread it is a reset, as when a program is killed.
    drop(dying);
    let received = Received::default();
    let listening = tokio::spawn({
        let received = received.clone();
        async move { received.listen(listener).await }
    });
    let found = wait_for_rows(0..700, || received.ids()).await;
    assert_eq!(found, ids(0..700), "what the dead one had is sent again, in order");
    record(&app, 700..702).await;
    wait_for_rows(0..702, || received.ids()).await;
    assert_eq!(count(&app, "sent_total").await, 702);
    running.stop().await;
    listening.abort();
}

/// The machine takes the bytes, the program does not: nothing is believed to be sent.
#[tokio::test]
async fn a_receiver_that_does_not_confirm_has_not_received() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = app_to(&format!("syslog+tcp://{}", listener.local_addr().unwrap())).await;
    record(&app, 0..3).await;
    let running = Running::start(&app);
    let (silent, _) = listener.accept().await.unwrap();
    wait_for("the failure", async || (count(&app, "failed_total").await > 0).then_some(())).await;
    assert_eq!(count(&app, "sent_total").await, 0);
    drop(silent);
    let received = Received::default();
    let listening = tokio::spawn({
        let received = received.clone();
        async move { received.listen(listener).await }
    });
    wait_for_rows(0..3, || received.ids()).await;
    running.stop().await;
    listening.abort();
}

#[tokio::test]
async fn a_local_socket_may_come_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let app = app_to(&format!("syslog+unix://{}", path.display())).await;
    record(&app, 0..300).await;
    let running = Running::start(&app);
    wait_for("the failure", async || (count(&app, "failed_total").await > 0).then_some(())).await;
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut found = Vec::new();
    let mut buffer = vec![0; 65_536];
    while found.len() < 300 {
        let length = socket.recv(&mut buffer).await.unwrap();
        found.push(request_id(&json_of(std::str::from_utf8(&buffer[..length]).unwrap())));
    }
    assert_eq!(found, ids(0..300));
    running.stop().await;
}
