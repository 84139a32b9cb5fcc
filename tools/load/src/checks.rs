//! Checks of access tokens: by introspection, as MCP servers ask, and by forward-auth, as proxies ask.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::config::Database;
use countersign::store::connection;
use diesel::connection::SimpleConnection as _;

use crate::Outcome;
use crate::driver::{Phase, Prepared, Span, answers, open_loop, saturate};
use crate::figures::{Figures, quantiles};
use crate::idp;
use crate::running::Running;
use crate::scenario::Endpoint;
use crate::seed::{CREDENTIAL, RESOURCE_ID, SECRET};
use crate::server::{Server, Setup, issuer};

/// Connections of a saturated phase.
const CONNECTIONS: usize = 32;
/// Tokens that are asked about again and again, all of which the server remembers.
const KNOWN: usize = 1_000;
/// Checks that arrive in each second, where they come at their own time.
const PER_SECOND: f64 = 5_000.0;
/// Revocations that the server keeps in memory.
const MARKS: u64 = 1_000_000;

/// The checks to be measured.
pub struct CheckTask<'a> {
    pub name: &'a str,
    pub endpoint: Endpoint,
    pub exchanges: usize,
    pub quick: bool,
    /// Where the log of one more server goes.
    pub log: &'a Path,
}

/// Requests about access tokens, one for each token. After the last the first comes again.
struct Checks(Vec<Vec<u8>>);

impl Prepared for Checks {
    fn write(&self, index: usize, buffer: &mut Vec<u8>) -> bool {
        let Some(request) = self.0.get(index % self.0.len().max(1)) else { return false };
        buffer.clear();
        buffer.extend_from_slice(request);
        true
    }
}

impl Endpoint {
    fn request(self, token: &str) -> Vec<u8> {
        let issuer = issuer();
        let host = issuer.trim_start_matches("http://");
        match self {
            Self::Introspection => {
                let basic = STANDARD.encode(format!("{CREDENTIAL}:{SECRET}"));
                let form = format!("token={token}");
                format!(
                    "POST /oauth2/introspect HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {basic}\r\n\
                     Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
                    form.len()
                )
            }
            Self::ForwardAuth => format!(
                "GET /forward-auth/{RESOURCE_ID} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
            ),
        }
        .into_bytes()
    }

    /// What the answer about a good token has in it.
    fn yes(self) -> &'static str {
        match self {
            Self::Introspection => "\"active\":true",
            Self::ForwardAuth => "x-auth-subject: ",
        }
    }
}

/// Measures checks of tokens that the server sees for the first time, of known ones, and of known ones at a fixed rate.
pub async fn measure(running: &mut Running, task: &CheckTask<'_>) -> Outcome<Figures> {
    let CheckTask { name, endpoint, exchanges, quick, log } = *task;
    let all = tokens(running, (exchanges / 5).max(KNOWN)).await?;
    let requests =
        |tokens: &[String]| Rc::new(Checks(tokens.iter().map(|token| endpoint.request(token)).collect()));
    let (new, known) = (requests(&all), requests(&all[..KNOWN]));
    let one = answers(&*known, Span { first: 0, end: 1 }, running.port()).await?;
    if !one.iter().all(|answer| answer.contains(endpoint.yes())) {
        return Err(format!("this is no answer about a good token: {one:?}").into());
    }
    let cold = running.measured(busy(&new, all.len(), running.port())).await?;
    busy(&known, KNOWN, running.port()).await?;
    let warm = running.measured(busy(&known, exchanges, running.port())).await?;
    let seconds = if quick { 2.0 } else { 10.0 };
    let span = Span { first: 0, end: (PER_SECOND * seconds) as usize };
    let paced = open_loop(&known, span, PER_SECOND, running.port()).await?;
    let [p50, p99] = quantiles(&paced.latencies, [0.5, 0.99]);
    let first_use = Figures::new(name, &cold.0, &cold.1);
    let mut figures = Figures::new(name, &warm.0, &warm.1)
        .with("CPU µs at a token's first use", first_use.cpu_us)
        .with("p50 ms at 5,000/s", p50)
        .with("p99 ms at 5,000/s", p99)
        .with("503 and broken at 5,000/s", (paced.shed + paced.broken) as f64);
    if endpoint == Endpoint::Introspection {
        figures = figures.with("MiB for 1,000,000 revocations", memory_of_marks(running, log).await?);
    }
    Ok(figures)
}

async fn busy(checks: &Rc<Checks>, count: usize, port: u16) -> Outcome<Phase> {
    saturate(checks, Span { first: 0, end: count }, CONNECTIONS, &[port]).await
}

/// Access tokens of so many exchanges.
async fn tokens(running: &mut Running, count: usize) -> Outcome<Vec<String>> {
    let (span, requests) = (running.take(count)?, Rc::clone(&running.requests));
    let answers = answers(&*requests, span, running.port()).await?;
    let token = |answer: &String| {
        let (_, rest) = answer.split_once("\"access_token\":\"")?;
        Some(rest.split('"').next()?.to_owned())
    };
    answers.iter().map(|answer| token(answer).ok_or_else(|| format!("no token in {answer}").into())).collect()
}

/// The memory of a server that starts with so many revocations of tokens, beyond what the other one had at its start.
async fn memory_of_marks(running: &Running, log: &Path) -> Outcome<f64> {
    let insert = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MARKS}) \
         INSERT INTO revocations (position, tag, kind, object, name, issued_until, at, cause, request_id) \
         SELECT i, i, 'token', printf('%022d', i), printf('%022d', i), CAST(strftime('%s', 'now') AS INTEGER), \
         CAST(strftime('%s', 'now') AS INTEGER), 'revoked_by_client', '' FROM n"
    );
    connection::open(&running.url, &Database::default())?.batch_execute(&insert)?;
    // The running server takes them over meanwhile, and is not asked any more.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idp = idp::issuer();
    let policies = Path::new(crate::ROOT).join("policies");
    let setup = Setup { database_url: &running.url, log, policies: &policies, idp: &idp, replica: 1 };
    let server = Server::start(&setup).await?;
    Ok(server.memory_at_start - running.memory_at_start())
}
