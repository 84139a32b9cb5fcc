//! The console's pages on a database that years of use have filled: the CPU that one costs the server, how long it
//! takes, and how many bytes it is.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::clock::{Clock as _, SystemClock};
use countersign::config::Database;
use countersign::random::digest;
use countersign::request_id;
use countersign::store::connection;
use countersign::store::console_sessions::{self, ConsoleSession, SessionKind};
use diesel::connection::SimpleConnection as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

use crate::rows::Size;
use crate::run::Run;
use crate::scenario::Place;
use crate::seed::CLIENT;
use crate::server::{Server, Setup};
use crate::{Outcome, ROOT, growth, idp};

/// Requests of a page before it is measured, one by one, and over all connections.
const WARM_UP: usize = 20;
const ONE_BY_ONE: usize = 300;
const AT_ONCE: usize = 400;
const CONNECTIONS: usize = 8;

/// Every page, and the searches that have the most to look at. `t00000042` has as many sign-ins as others, `bench` the
/// most members.
const PAGES: [(&str, &str); 34] = [
    ("Teamspaces", "/teamspaces"),
    ("Teamspaces: search", "/teamspaces?q=t0005"),
    ("New teamspace", "/teamspaces/new"),
    ("Overview", "/t/t00000042"),
    ("Settings", "/t/t00000042/settings"),
    ("Enterprise", "/t/t00000042/enterprise"),
    ("Enterprise: form", "/t/t00000042/enterprise?edit=new"),
    ("Enterprise: guide", "/t/t00000042/enterprise/guide/okta"),
    ("Members", "/t/bench/members"),
    ("Members: search", "/t/bench/members?q=p0005"),
    ("Member", "/t/bench/members/00000000-0000-4000-8000-000000000042"),
    ("Activity", "/t/t00000042/activity"),
    ("Activity: person", "/t/t00000042/activity?person=nobody"),
    ("Activity: days", "/t/t00000042/activity?from=2020-01-01&to=2100-01-01"),
    ("Sign-in", "/t/t00000042/activity/REQUEST"),
    ("Explain", "/t/t00000042/explain"),
    ("Activity of all", "/activity"),
    ("Activity of all: reason", "/activity?reason=expired"),
    ("Activity of all: person", "/activity?person=nobody"),
    ("Activity of all: days", "/activity?from=2020-01-01&to=2100-01-01"),
    ("Activity of all: request", "/activity?request_id=REQUEST"),
    ("Activity of all: no such request", "/activity?request_id=NOBODYS"),
    ("Policies", "/policies"),
    ("Policies: schema", "/policies?file=countersign.cedarschema"),
    ("Clients", "/clients"),
    ("Client", "/clients/bench-client"),
    ("Resources", "/resources"),
    ("Resource", "/resources/bench"),
    ("Audit", "/audit"),
    ("Audit: teamspace", "/audit?teamspace=t00000042"),
    ("Audit: actor", "/audit?actor=nobody"),
    ("Audit: days", "/audit?from=2020-01-01&to=2100-01-01"),
    ("System", "/system"),
    ("API description", "/api"),
];

/// The cost of a page.
#[derive(Debug, Serialize, Deserialize)]
pub struct PageFigures {
    pub page: String,
    /// Bytes sent, compressed, headers included.
    pub bytes: usize,
    /// Milliseconds of CPU of the server's process for each request.
    pub cpu_ms: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Milliseconds of CPU for each of eight requests at once.
    pub cpu_ms_at_once: f64,
    pub p50_ms_at_once: f64,
    pub p99_ms_at_once: f64,
}

/// Fills a database, and measures page after page on it.
pub async fn measure(run: &mut Run, scale: f64) -> Outcome<()> {
    let scaled = |full: f64| (full * scale) as u64;
    let size = Size { teamspaces: scaled(1e5), members: scaled(5e6), sign_ins: scaled(2e7), assertions: 0 };
    growth::check_space(run, &size, Place::Disk)?;
    let (url, _dir) = growth::filled(run, Place::Disk, &size)?;
    let cookie = sign_in(&url)?;
    let request = refuse(&url)?;
    // Of a time from which there are rows.
    let nobodys = request_id::new(SystemClock.now() - 40 * 24 * 3600);
    let (log, policies) = (run.work.path().join("log-pages"), Path::new(ROOT).join("policies"));
    let idp = idp::issuer();
    let setup = Setup { database_url: &url, log: &log, policies: &policies, idp: &idp, replica: 0 };
    let server = Server::start(&setup).await?;
    let mut all = Vec::new();
    for (name, path) in PAGES {
        let path = path.replace("REQUEST", &request).replace("NOBODYS", &nobodys);
        let figures = page(&server, (name, &path), &cookie).await.map_err(|e| format!("{path}: {e}"))?;
        println!(
            "{:<26} {:>6} bytes; one by one {:>5.2} ms of CPU, p50 {:.2}, p99 {:.2} ms; eight at once {:>5.2} ms of \
             CPU, p50 {:.2}, p99 {:.2} ms",
            figures.page,
            figures.bytes,
            figures.cpu_ms,
            figures.p50_ms,
            figures.p99_ms,
            figures.cpu_ms_at_once,
            figures.p50_ms_at_once,
            figures.p99_ms_at_once
        );
        all.push(figures);
    }
    run.note(&serde_json::json!({ "pages": all }))
}

/// Begins the session of an operator; the cookie's value.
fn sign_in(url: &str) -> Outcome<String> {
    let (id, now) = (URL_SAFE_NO_PAD.encode([7_u8; 16]), SystemClock.now());
    let session = ConsoleSession {
        id: "bench".into(),
        digest: digest(&id),
        kind: SessionKind::Operator,
        email: String::new(),
        name: "bench".into(),
        teamspace_id: None,
        link_id: String::new(),
        address: String::new(),
        browser: String::new(),
        user_groups: "[]".to_owned(),
        created_at: now,
        seen_at: now,
        expires_at: now + 8 * 3600,
    };
    console_sessions::insert(&mut connection::open(url, &Database::default())?, &session)?;
    Ok(id)
}

/// Adds a sign-in that was refused; the id of its request.
fn refuse(url: &str) -> Outcome<String> {
    let now = SystemClock.now();
    let id = request_id::new(now);
    let row = format!(
        "INSERT INTO sign_ins (at, teamspace_id, outcome, reason, detail, request_id, client_id, issuer, subject, email, \
         member_id, resource, scopes_asked, scopes_granted, decisions, policy_set, assertion, token_id, \
         identity_provider_id) VALUES ({now}, 't00000042', 'refused', 'expired', '', '{id}', '{CLIENT}', '', '00u', \
         'dana@t00000042.example', '', '', 'docs.read', '', '', '', '', '', 't00000042')"
    );
    connection::open(url, &Database::default())?.batch_execute(&row)?;
    Ok(id)
}

async fn page(server: &Server, (name, path): (&str, &str), cookie: &str) -> Outcome<PageFigures> {
    let request = format!(
        "GET /console{path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nCookie: countersign={cookie}\r\n\
         Accept-Encoding: gzip\r\n\r\n",
        server.port
    );
    let mut connection = Connection::open(server.port).await?;
    let bytes = connection.get(&request, WARM_UP).await?.1;
    let before = server.cpu()?;
    let (one_by_one, _) = connection.get(&request, ONE_BY_ONE).await?;
    let between = server.cpu()?;
    let at_once = together(server.port, &request).await?;
    let after = server.cpu()?;
    let each = |seconds: f64, count: usize| seconds * 1e3 / count as f64;
    Ok(PageFigures {
        page: name.to_owned(),
        bytes,
        cpu_ms: each(between - before, ONE_BY_ONE),
        p50_ms: quantile(&one_by_one, 0.5),
        p99_ms: quantile(&one_by_one, 0.99),
        cpu_ms_at_once: each(after - between, at_once.len()),
        p50_ms_at_once: quantile(&at_once, 0.5),
        p99_ms_at_once: quantile(&at_once, 0.99),
    })
}

async fn together(port: u16, request: &str) -> Outcome<Vec<Duration>> {
    let (local, mut tasks) = (LocalSet::new(), JoinSet::new());
    for _ in 0..CONNECTIONS {
        let request = request.to_owned();
        tasks.spawn_local_on(
            async move { Connection::open(port).await?.get(&request, AT_ONCE / CONNECTIONS).await },
            &local,
        );
    }
    let all = async {
        let mut latencies = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            latencies.extend(ended??.0);
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(latencies)
    };
    let mut latencies = local.run_until(all).await?;
    latencies.sort_unstable();
    Ok(latencies)
}

fn quantile(sorted: &[Duration], q: f64) -> f64 {
    let index = ((sorted.len() as f64 * q) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, Duration::as_secs_f64) * 1e3
}

/// One kept-alive connection.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    async fn open(port: u16) -> Outcome<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Asks so often; how long each answer took, the shortest first, and how many bytes the last one was.
    async fn get(&mut self, request: &str, count: usize) -> Outcome<(Vec<Duration>, usize)> {
        let mut latencies = Vec::with_capacity(count);
        let mut bytes = 0;
        for _ in 0..count {
            let began = Instant::now();
            self.stream.write_all(request.as_bytes()).await?;
            bytes = self.answer().await?;
            latencies.push(began.elapsed());
        }
        latencies.sort_unstable();
        Ok((latencies, bytes))
    }

    async fn answer(&mut self) -> Outcome<usize> {
        self.received.clear();
        while !is_complete(&self.received) {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("the server closed the connection".into());
            }
        }
        if !self.received.starts_with(b"HTTP/1.1 200") {
            let head = String::from_utf8_lossy(&self.received);
            return Err(head.lines().next().unwrap_or_default().to_owned().into());
        }
        Ok(self.received.len())
    }
}

/// Whether an answer is all there: with a length, or in pieces, of which the last is empty.
fn is_complete(bytes: &[u8]) -> bool {
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    match text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()) {
        Some(length) => bytes.len() >= head + 4 + length,
        None => bytes.ends_with(b"\r\n0\r\n\r\n"),
    }
}
