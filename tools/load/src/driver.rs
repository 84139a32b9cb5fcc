//! The load: connections that cost little, so that the driver is not what is measured.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use crate::Outcome;

/// Most connections of an open loop; who comes when all are busy waits, and the wait counts.
const MOST_CONNECTIONS: usize = 1_000;

/// Requests that were made beforehand.
pub trait Prepared {
    /// Writes one of them over what `buffer` holds; false when there are no more.
    fn write(&self, index: usize, buffer: &mut Vec<u8>) -> bool;
}

/// The result of a phase.
#[derive(Default)]
pub struct Phase {
    /// Of the exchanges that were granted.
    pub latencies: Vec<Duration>,
    pub took: Duration,
    /// Answered 503.
    pub shed: usize,
    /// Connections that were refused or broke.
    pub broken: usize,
    /// Still waiting for a connection when the phase ended.
    pub unsent: usize,
}

/// Which requests a phase sends: `first..end` of the requests.
#[derive(Clone, Copy)]
pub struct Span {
    pub first: usize,
    pub end: usize,
}

/// As fast as the connections allow, spread over the servers' ports. Every answer must be a token.
pub async fn saturate<R: Prepared + 'static>(
    requests: &Rc<R>,
    span: Span,
    connections: usize,
    ports: &[u16],
) -> Outcome<Phase> {
    let next = Rc::new(Cell::new(span.first));
    let local = LocalSet::new();
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for &port in ports.iter().cycle().take(connections) {
        tasks.spawn_local_on(drive(Rc::clone(requests), Rc::clone(&next), span.end, port), &local);
    }
    let latencies = local.run_until(join(tasks)).await?;
    Ok(Phase {
        latencies: latencies.into_iter().flatten().collect(),
        took: began.elapsed(),
        ..Phase::default()
    })
}

async fn join<T: 'static>(mut tasks: JoinSet<Outcome<T>>) -> Outcome<Vec<T>> {
    let mut all = Vec::with_capacity(tasks.len());
    while let Some(ended) = tasks.join_next().await {
        all.push(ended??);
    }
    Ok(all)
}

async fn drive<R: Prepared>(
    requests: Rc<R>,
    next: Rc<Cell<usize>>,
    end: usize,
    port: u16,
) -> Outcome<Vec<Duration>> {
    let mut connection = Connection::open(port).await?;
    let mut latencies = Vec::new();
    loop {
        let index = next.get();
        if index >= end {
            return Ok(latencies);
        }
        next.set(index + 1);
        let began = Instant::now();
        match connection.send(&*requests, index).await? {
            Answer { status: 200, .. } => latencies.push(began.elapsed()),
            Answer { status, .. } => return Err(connection.refusal(status)),
        }
    }
}

/// The answers to requests that are sent one after the other; each is a text with its head.
pub async fn answers(requests: &impl Prepared, span: Span, port: u16) -> Outcome<Vec<String>> {
    let mut connection = Connection::open(port).await?;
    let mut answers = Vec::new();
    for index in span.first..span.end {
        match connection.send(requests, index).await? {
            Answer { status: 200, .. } => answers.push(connection.text()),
            Answer { status, .. } => return Err(connection.refusal(status)),
        }
    }
    Ok(answers)
}

/// The outcome of one arrival.
enum End {
    Granted(Duration),
    Shed,
    Broken,
    Unsent,
}

/// At a fixed rate, each request at its own time whether those before are answered or not. Latencies count from
/// that time on.
pub async fn open_loop<R: Prepared + 'static>(
    requests: &Rc<R>,
    span: Span,
    per_second: f64,
    port: u16,
) -> Outcome<Phase> {
    let crowd = Rc::new(Crowd {
        requests: Rc::clone(requests),
        port,
        idle: Mutex::default(),
        permits: Semaphore::new(MOST_CONNECTIONS),
        over: Cell::new(false),
    });
    let local = LocalSet::new();
    let began = Instant::now();
    let arrivals = arrive(Rc::clone(&crowd), span, per_second);
    let mut phase = Phase::default();
    for end in local.run_until(arrivals).await? {
        match end {
            End::Granted(latency) => phase.latencies.push(latency),
            End::Shed => phase.shed += 1,
            End::Broken => phase.broken += 1,
            End::Unsent => phase.unsent += 1,
        }
    }
    phase.took = began.elapsed();
    Ok(phase)
}

async fn arrive<R: Prepared + 'static>(
    crowd: Rc<Crowd<R>>,
    span: Span,
    per_second: f64,
) -> Outcome<Vec<End>> {
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    let mut index = span.first;
    while index < span.end {
        // The timer ticks in milliseconds: at high rates several arrive at once.
        let due = span.first + (began.elapsed().as_secs_f64() * per_second) as usize;
        while index <= due.min(span.end - 1) {
            tasks.spawn_local(Rc::clone(&crowd).serve(index, Instant::now()));
            index += 1;
        }
        let next = Duration::from_secs_f64((index - span.first) as f64 / per_second);
        tokio::time::sleep(next.saturating_sub(began.elapsed())).await;
    }
    crowd.over.set(true);
    join(tasks).await
}

/// Those who arrive in an open loop, and the connections that they share.
struct Crowd<R> {
    requests: Rc<R>,
    port: u16,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    over: Cell<bool>,
}

impl<R: Prepared> Crowd<R> {
    async fn serve(self: Rc<Self>, index: usize, arrived: Instant) -> Outcome<End> {
        let _permit = self.permits.acquire().await?;
        if self.over.get() {
            return Ok(End::Unsent);
        }
        let kept = self.idle.lock().map_err(|_| "poisoned")?.pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => match Connection::open(self.port).await {
                Ok(connection) => connection,
                Err(_) => return Ok(End::Broken),
            },
        };
        let Ok(answer) = connection.send(&*self.requests, index).await else { return Ok(End::Broken) };
        let end = match answer.status {
            200 => End::Granted(arrived.elapsed()),
            503 => End::Shed,
            status => return Err(connection.refusal(status)),
        };
        if answer.keeps_alive {
            self.idle.lock().map_err(|_| "poisoned")?.push(connection);
        }
        Ok(end)
    }
}

struct Answer {
    status: u16,
    keeps_alive: bool,
}

/// One kept-alive connection.
struct Connection {
    stream: TcpStream,
    sent: Vec<u8>,
    received: Vec<u8>,
    filled: usize,
}

impl Connection {
    async fn open(port: u16) -> Outcome<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, sent: Vec::new(), received: vec![0; 8 * 1024], filled: 0 })
    }

    async fn send(&mut self, requests: &impl Prepared, index: usize) -> Outcome<Answer> {
        if !requests.write(index, &mut self.sent) {
            return Err("too few requests were prepared".into());
        }
        self.stream.write_all(&self.sent).await?;
        self.filled = 0;
        loop {
            let free = self.received.get_mut(self.filled..).unwrap_or_default();
            match self.stream.read(free).await? {
                0 => return Err("the server closed the connection".into()),
                read => self.filled += read,
            }
            if let Some(answer) = complete(self.received.get(..self.filled).unwrap_or_default()) {
                return Ok(answer);
            }
        }
    }

    /// Why a phase ends here.
    fn refusal(&self, status: u16) -> Box<dyn std::error::Error + Send + Sync> {
        format!("answered {status}, not 200: {}", self.text()).into()
    }

    /// The last answer.
    fn text(&self) -> String {
        String::from_utf8_lossy(self.received.get(..self.filled).unwrap_or_default()).into_owned()
    }
}

/// An answer, if it is all there.
fn complete(bytes: &[u8]) -> Option<Answer> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(bytes.get(..head)?).ok()?;
    let length: usize = header(text, "content-length: ")?.parse().ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let keeps_alive = header(text, "connection: ") != Some("close");
    (bytes.len() >= head + length).then_some(Answer { status, keeps_alive })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let is_it = |line: &&str| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    head.split("\r\n").find(is_it)?.get(name.len()..)
}
