//! Connections that nobody uses, that are used slowly, and too many of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::TestApp;
use crate::metrics::sample;
use crate::process::{Process, real_time, until};

const GET: &[u8] = b"GET /oauth2/jwks HTTP/1.1\r\nHost: x\r\n\r\n";
/// The time that a busy machine may need beyond a deadline.
const PATIENCE: Duration = Duration::from_secs(60);

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// One answer with its length, whole; none when the connection was closed without one.
pub async fn read_answer(stream: &mut TcpStream) -> Option<String> {
    let mut answer = String::new();
    let mut part = [0; 4096];
    loop {
        let read = timeout(PATIENCE, stream.read(&mut part)).await.expect("an answer or an end").ok()?;
        if read == 0 {
            return None;
        }
        answer.push_str(&String::from_utf8_lossy(&part[..read]));
        let lower = answer.to_lowercase();
        let Some((head, body)) = lower.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length.is_some_and(|length| length.trim().parse() == Ok(body.len())) {
            return Some(lower);
        }
    }
}

/// How long it takes until the service closes the connection.
async fn closed(mut stream: TcpStream) -> Duration {
    let began = Instant::now();
    let mut part = [0; 4096];
    while timeout(PATIENCE, stream.read(&mut part)).await.expect("an end").is_ok_and(|read| read > 0) {}
    began.elapsed()
}

fn address_of(app: &TestApp) -> SocketAddr {
    app.issuer().trim_start_matches("http://").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_connections_may_be_idle_for_longer_than_a_head_may_take() {
    let app = TestApp::start().await;
    let address = address_of(&app);
    let idle = async {
        let mut stream = connect(address).await;
        for _ in 0..2 {
            stream.write_all(GET).await.unwrap();
            assert!(read_answer(&mut stream).await.expect("an answer").starts_with("http/1.1 200"));
            tokio::time::sleep(Duration::from_secs(13)).await;
        }
    };
    let silent = async { closed(connect(address).await).await };
    let slow = async {
        let mut stream = connect(address).await;
        stream.write_all(GET).await.unwrap();
        read_answer(&mut stream).await.expect("an answer");
        stream.write_all(&GET[..20]).await.unwrap();
        closed(stream).await
    };
    let ((), silent, slow) = tokio::join!(idle, silent, slow);
    for took in [silent, slow] {
        assert!(took > Duration::from_secs(9) && took < Duration::from_secs(40), "{took:?}");
    }
}

/// Requests without end, one after another, and no answer is read.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_no_answers_is_cut_off() {
    let app = TestApp::start().await;
    let mut stream = connect(address_of(&app)).await;
    let many = GET.repeat(1000);
    let send = async { while stream.write_all(&many).await.is_ok() {} };
    timeout(PATIENCE, send).await.expect("it is cut off");
    until("the connection is gone", async || app.app.gate.connections.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_may_have_so_many_connections() {
    let app = TestApp::start_with(|config| config.connections.per_address = 3).await;
    let address = address_of(&app);
    let mut kept = vec![connect(address).await, connect(address).await, connect(address).await];
    for stream in &mut kept {
        stream.write_all(GET).await.unwrap();
        assert!(read_answer(stream).await.expect("an answer").starts_with("http/1.1 200"));
    }
    let mut another = connect(address).await;
    assert_eq!(read_answer(&mut another).await, None);
    assert_eq!(app.app.gate.connections.refused(), 1);
    kept.pop();
    until("a place is free", async || app.app.gate.connections.open() == 2).await;
    let mut another = connect(address).await;
    another.write_all(GET).await.unwrap();
    assert!(read_answer(&mut another).await.expect("an answer").starts_with("http/1.1 200"));
}

/// With few descriptors: the database, fetches and probes have theirs, and whoever holds connections without using
/// them does not for long.
#[tokio::test(flavor = "multi_thread")]
async fn connections_leave_descriptors_for_everything_else() {
    let app = TestApp::start().await;
    real_time(&app);
    let process = Process::serve(&app, "ulimit -n 256;");
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(connect(process.address()).await);
    }
    // The client may wait for ever when its connection is closed before it has sent anything.
    let metrics = async || process.try_management("/metrics").await.map(|answer| answer.body);
    let refused = |text: &str| sample(text, "countersign_connections_refused_total");
    until("too many are refused", async || metrics().await.is_some_and(|text| refused(&text) >= 172.0)).await;
    let text = metrics().await.expect("metrics");
    assert_eq!(sample(&text, "countersign_connections_max"), 128.0);
    assert!(sample(&text, "countersign_connections") <= 128.0);
    assert_eq!(process.management("/readyz").await.status, 200);
    // All of them are still open at this end.
    let assertion = app.assertion(json!({}));
    let granted = async || {
        let exchange = timeout(Duration::from_secs(5), process.exchange(&assertion)).await;
        exchange.ok().flatten().is_some_and(|answer| answer.status == 200)
    };
    until("there is room for a sign-in", granted).await;
    drop(silent);
    process.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_open_files_is_raised() {
    let app = TestApp::start().await;
    let process = Process::serve(&app, "ulimit -S -n 256;");
    let most = sample(&process.management("/metrics").await.body, "countersign_connections_max");
    assert!(most > 128.0, "{most}");
}
