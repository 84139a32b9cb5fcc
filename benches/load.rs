//! End to end: the real binary on one core, this driver on another, unique assertions signed in advance.
//!
//! `cargo bench --bench load` prints start-up time, CPU per exchange, latency at saturation and at a modest
//! rate, and memory. Environment: `LOAD_EXCHANGES` (100000), `LOAD_CONNECTIONS` (32).

#![allow(clippy::disallowed_macros, reason = "what is measured is printed")]

use std::error::Error;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use axum::Json;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::clock::{Clock as _, SystemClock};
use countersign::config::Database;
use countersign::exchange::request::JWT_BEARER;
use countersign::random::{digest, token};
use countersign::store::clients::{self, AuthMethod, ClientSecret, RegisteredClient};
use countersign::store::identity_providers::{self, IdentityProvider, Provider};
use countersign::store::resources::{self, Resource, ResourceScope};
use countersign::store::teamspaces::{self, Plan, Teamspace};
use countersign::store::{Store, StoreError, connection};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CLIENT: &str = "bench-client";
const SECRET: &str = "bench-secret-0123456789abcdef";
const RESOURCE: &str = "https://mcp.example.com/mcp";
const SCOPES: [&str; 3] = ["docs.read", "docs.search", "docs.write"];
/// Known members among whom the exchanges are spread.
const PEOPLE: usize = 64;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() -> Outcome<()> {
    // `cargo test --benches` only checks that it builds and starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    pin_driver()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Outcome<()> {
    let (total, connections) = (number("LOAD_EXCHANGES", 100_000), number("LOAD_CONNECTIONS", 32));
    let key = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let idp = identity_provider(&key).await?;
    let dir = tempfile::tempdir()?;
    let (port, management) = (free_port()?, free_port()?);
    let issuer = format!("http://127.0.0.1:{port}");
    seed(&format!("sqlite://{}", dir.path().join("bench.db").display()), &idp)?;

    println!("signing {} assertions …", total + PEOPLE);
    let mut requests = Vec::with_capacity(total + PEOPLE);
    for i in 0..total + PEOPLE {
        requests.push(request(&sign(&key, &claims(&idp, &issuer, i)?)?, port));
    }
    let requests = Arc::new(requests);

    let started = Instant::now();
    let server = Server::start(dir.path(), port, management, &idp)?;
    server.wait(port).await?;
    println!("start to ready            {:>9.1} ms", started.elapsed().as_secs_f64() * 1e3);

    let next = Arc::new(AtomicUsize::new(0));
    measure(&server, &requests, &next, PEOPLE, 1).await?;
    println!("memory at first           {:>9.1} MiB", server.memory()?);
    let modest = 1_000.min(total / 10);
    let paced = paced(&requests, &next, modest, 100, port).await?;
    report("100 requests/s", &paced);

    let before = server.cpu()?;
    let saturated = measure(&server, &requests, &next, total - modest, connections).await?;
    let cpu = server.cpu()? - before;
    let count = saturated.latencies.len() as f64;
    report(&format!("{connections} connections"), &saturated);
    println!("rate                      {:>9.0} exchanges/s", count / saturated.took.as_secs_f64());
    println!("CPU per exchange          {:>9.1} µs", cpu * 1e6 / count);
    println!("rate per core             {:>9.0} exchanges/core-second", count / cpu);
    println!("memory after {:>7}      {:>9.1} MiB", total + PEOPLE, server.memory()?);
    Ok(())
}

struct Phase {
    latencies: Vec<Duration>,
    took: Duration,
}

fn report(name: &str, phase: &Phase) {
    let mut sorted = phase.latencies.clone();
    sorted.sort_unstable();
    let at = |q: f64| {
        let index = ((sorted.len() as f64 * q) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(index).map_or(0.0, Duration::as_secs_f64) * 1e3
    };
    println!("{name:<18} p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms", at(0.5), at(0.99), at(0.999));
}

/// As fast as the connections allow.
async fn measure(
    server: &Server,
    requests: &Arc<Vec<Vec<u8>>>,
    next: &Arc<AtomicUsize>,
    count: usize,
    connections: usize,
) -> Outcome<Phase> {
    let (started, end) = (Instant::now(), next.load(Ordering::Relaxed) + count);
    let tasks: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(drive(Arc::clone(requests), Arc::clone(next), end, server.port)))
        .collect();
    let mut latencies = Vec::with_capacity(count);
    for task in tasks {
        latencies.extend(task.await??);
    }
    next.store(end, Ordering::Relaxed);
    Ok(Phase { latencies, took: started.elapsed() })
}

async fn drive(
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
    end: usize,
    port: u16,
) -> Outcome<Vec<Duration>> {
    let mut connection = Connection::open(port).await?;
    let mut latencies = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(index).filter(|_| index < end) else { return Ok(latencies) };
        latencies.push(connection.send(request).await?);
    }
}

/// At a fixed rate, each request at its own time whether the one before is answered or not.
async fn paced(
    requests: &Arc<Vec<Vec<u8>>>,
    next: &AtomicUsize,
    count: usize,
    per_second: u32,
    port: u16,
) -> Outcome<Phase> {
    let started = Instant::now();
    let first = next.fetch_add(count, Ordering::Relaxed);
    let mut timer = tokio::time::interval(Duration::from_secs(1) / per_second);
    let idle: Arc<std::sync::Mutex<Vec<Connection>>> = Arc::default();
    let mut tasks = Vec::new();
    for index in first..first + count {
        timer.tick().await;
        let (requests, idle) = (Arc::clone(requests), Arc::clone(&idle));
        tasks.push(tokio::spawn(async move {
            let kept = idle.lock().map_err(|_| "poisoned")?.pop();
            let mut connection = match kept {
                Some(connection) => connection,
                None => Connection::open(port).await?,
            };
            let latency = connection.send(requests.get(index).ok_or("too few requests")?).await?;
            idle.lock().map_err(|_| "poisoned")?.push(connection);
            Outcome::Ok(latency)
        }));
    }
    let mut latencies = Vec::with_capacity(count);
    for task in tasks {
        latencies.push(task.await??);
    }
    Ok(Phase { latencies, took: started.elapsed() })
}

/// One kept-alive connection; a client that costs little, so that the driver is not what is measured.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(port: u16) -> Outcome<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024] })
    }

    async fn send(&mut self, request: &[u8]) -> Outcome<Duration> {
        let started = Instant::now();
        self.stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(self.buffer.get_mut(filled..).unwrap_or_default()).await?;
            if read == 0 {
                return Err("the server closed the connection".into());
            }
            filled += read;
            let answer = self.buffer.get(..filled).unwrap_or_default();
            if let Some(length) = complete(answer) {
                if !answer.starts_with(b"HTTP/1.1 200") {
                    let text = String::from_utf8_lossy(answer.get(..length).unwrap_or_default());
                    return Err(format!("not granted: {text}").into());
                }
                return Ok(started.elapsed());
            }
        }
    }
}

/// The length of a whole answer, if it is all there.
fn complete(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(answer.get(..head)?).ok()?.to_ascii_lowercase();
    let length: usize = text.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
    (answer.len() >= head + length).then_some(head + length)
}

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(dir: &std::path::Path, port: u16, management: u16, idp: &str) -> Outcome<Self> {
        let root = env!("CARGO_MANIFEST_DIR");
        // On one core from its start, so that it has as many threads as it would have there.
        let child = Command::new("taskset")
            .args(["-c", "0", env!("CARGO_BIN_EXE_countersign"), "serve"])
            .env("COUNTERSIGN_ISSUER", format!("http://127.0.0.1:{port}"))
            .env("COUNTERSIGN_LISTEN", format!("127.0.0.1:{port}"))
            .env("COUNTERSIGN_MANAGEMENT_LISTEN", format!("127.0.0.1:{management}"))
            .env("COUNTERSIGN_DATABASE_URL", format!("sqlite://{}", dir.join("bench.db").display()))
            .env("COUNTERSIGN_POLICY_DIR", format!("{root}/policies"))
            .env("COUNTERSIGN_SCHEMA_FILE", format!("{root}/schema/countersign.cedarschema"))
            .env("COUNTERSIGN_FETCH__PRIVATE_ORIGINS", format!("[\"{idp}\"]"))
            .env("COUNTERSIGN_ASSERTION__MAX_LIFETIME", "1h")
            .env("COUNTERSIGN_RATE_LIMIT__EXCHANGES_PER_SUBJECT_PER_MINUTE", "100000000")
            .stderr(Stdio::from(File::create(dir.join("log"))?))
            .spawn()?;
        Ok(Self { child, port })
    }

    async fn wait(&self, port: u16) -> Outcome<()> {
        for _ in 0..5_000 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Err("the server did not become ready".into())
    }

    /// Seconds of CPU so far, in user and kernel mode.
    fn cpu(&self) -> Outcome<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |i: usize| fields.get(i).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
        // Fields 14 and 15 of proc(5), counted from behind the command's name; 100 ticks are a second.
        Ok((ticks(11) + ticks(12)) / 100.0)
    }

    fn memory(&self) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("no VmRSS")?.parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps this driver on the other core.
fn pin_driver() -> Outcome<()> {
    let pid = std::process::id().to_string();
    let status = Command::new("taskset").args(["-cp", "1", &pid]).stdout(Stdio::null()).status();
    match status.map(|status| status.success()) {
        Ok(true) => Ok(()),
        _ => Err("this benchmark needs taskset (util-linux) and two cores".into()),
    }
}

fn free_port() -> Outcome<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

async fn identity_provider(key: &RsaKeyPair) -> Outcome<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let issuer = format!("http://{}", listener.local_addr()?);
    let public = key.public_key();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwks = json!({ "keys": [{ "kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig",
        "n": encode(public.modulus().big_endian_without_leading_zero()),
        "e": encode(public.exponent().big_endian_without_leading_zero()) }] });
    let metadata = json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") });
    let router = axum::Router::new()
        .route("/.well-known/openid-configuration", get(move || async move { Json(metadata) }))
        .route("/keys", get(move || async move { Json(jwks) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(issuer)
}

fn claims(idp: &str, issuer: &str, index: usize) -> Outcome<Value> {
    let (now, person) = (SystemClock.now(), index % PEOPLE);
    Ok(json!({ "iss": idp, "sub": format!("00u{person}"), "aud": issuer, "client_id": CLIENT,
        "resource": RESOURCE, "scope": SCOPES.join(" "), "email": format!("p{person}@acme.example"),
        "iat": now, "exp": now + 3000, "jti": format!("IDAAG.{}", token::<24>()?) }))
}

fn sign(key: &RsaKeyPair, claims: &Value) -> Outcome<String> {
    let header = json!({ "alg": "RS256", "kid": "k", "typ": "oauth-id-jag+jwt" }).to_string();
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature)?;
    Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn request(assertion: &str, port: u16) -> Vec<u8> {
    let body = format!("grant_type={}&assertion={assertion}", JWT_BEARER.replace(':', "%3A"));
    let basic = STANDARD.encode(format!("{CLIENT}:{SECRET}"));
    format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Basic {basic}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn seed(url: &str, idp: &str) -> Outcome<()> {
    Store::migrate(url)?;
    let c = &mut connection::open(url, &Database::default())?;
    let teamspace_id = "bench".to_owned();
    teamspaces::insert(
        c,
        &Teamspace {
            id: teamspace_id.clone(),
            slug: "bench".into(),
            name: "bench".into(),
            plan: Plan::Enterprise,
            member_limit: None,
            email_domains: vec!["acme.example".into()],
            created_at: 0,
        },
    )
    .map_err(StoreError::from)?;
    let provider = IdentityProvider {
        teamspace_id,
        provider: Provider::Oidc,
        issuer: idp.to_owned(),
        jwks_uri: format!("{idp}/keys"),
        scope: String::new(),
        groups_claim: "groups".into(),
        enabled: true,
        created_at: 0,
        updated_at: 0,
    };
    identity_providers::put(c, &provider)?;
    let scope = |name: &str| ResourceScope { name: name.to_owned(), description: String::new() };
    let resource = Resource {
        id: "bench".into(),
        identifier: RESOURCE.into(),
        normalized: RESOURCE.into(),
        name: "bench".into(),
        scopes: SCOPES.map(scope).to_vec(),
        default_scopes: vec![],
        teamspaces: None,
        created_at: 0,
    };
    resources::insert(c, &resource)?;
    let secret = ClientSecret {
        id: "bench".into(),
        client_id: CLIENT.into(),
        secret_digest: digest(SECRET),
        created_at: 0,
    };
    let client = RegisteredClient {
        client_id: CLIENT.into(),
        client_name: "bench".into(),
        token_endpoint_auth_method: AuthMethod::Basic,
        grant_types: vec![JWT_BEARER.into()],
        groups: vec![],
        enabled: true,
        created_at: 0,
        secrets: vec![secret],
    };
    clients::insert(c, &client)?;
    Ok(())
}
