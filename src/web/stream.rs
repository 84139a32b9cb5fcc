//! A connection with limits on waiting for the client: for a request to begin, for the rest of its head, and for room
//! to write the answer. (A request's body has its own deadline, see [`super::body`].)

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a client may take for a request's head; for the first one, from the beginning of the connection.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next request. Common proxies give up earlier, after 60 s; the other way
/// round, they would send requests into connections that are being closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a client may leave an answer unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Who is waited for.
enum Waiting {
    /// The client, which sends a request's head.
    Head(Instant),
    /// The client, which may send another request.
    Request(Instant),
    /// Nobody: a request is worked on.
    Nobody,
}

/// The event that a connection waits for. The requests' service and the stream share it.
#[derive(Clone)]
pub struct Phase(Arc<Mutex<Waiting>>);

impl Phase {
    fn set(&self, waiting: Waiting) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
    }

    /// A request's head is there.
    pub fn begin(&self) {
        self.set(Waiting::Nobody);
    }

    /// The request is answered.
    pub fn end(&self) {
        self.set(Waiting::Request(Instant::now()));
    }

    /// The client has sent something.
    fn heard(&self) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Waiting::Request(_) = *waiting {
            *waiting = Waiting::Head(Instant::now());
        }
    }

    /// Resumes waiting: until now, the client had an answer to read.
    fn resume(&self) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Waiting::Head(since) | Waiting::Request(since) = &mut *waiting {
            *since = Instant::now();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Waiting::Head(since) => Some(since + HEAD_TIMEOUT),
            Waiting::Request(since) => Some(since + IDLE_TIMEOUT),
            Waiting::Nobody => None,
        }
    }
}

/// The stream. Reading and writing fail when the client is too slow.
pub struct TimedStream {
    stream: TcpStream,
    phase: Phase,
    /// The time by which the client must have read something; none while there is room to write.
    write_until: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl TimedStream {
    /// The stream of a new connection.
    pub fn new(stream: TcpStream) -> Self {
        let now = Instant::now();
        let phase = Phase(Arc::new(Mutex::new(Waiting::Head(now))));
        Self { stream, phase, write_until: None, timer: Box::pin(sleep_until(now + HEAD_TIMEOUT)) }
    }

    /// The event that it waits for.
    pub fn phase(&self) -> Phase {
        self.phase.clone()
    }

    fn fail_at<T>(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<io::Result<T>> {
        // A deadline moves with every request. The timer is reset only if it would be late, or has fired too early.
        if self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(context).is_ready() {
            if self.timer.deadline() >= deadline {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    fn watch_write<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_pending() {
            let deadline = *self.write_until.get_or_insert_with(|| Instant::now() + WRITE_TIMEOUT);
            let failed = self.fail_at(context, deadline);
            if failed.is_ready() {
                // Nobody will read the data that the system still holds for this client.
                let _ = self.stream.set_zero_linger();
            }
            return failed;
        }
        if self.write_until.take().is_some() {
            self.phase.resume();
        }
        polled
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if polled.is_ready() {
            if buffer.filled().len() > before {
                self.phase.heard();
            }
            return polled;
        }
        match self.phase.deadline() {
            Some(deadline) if self.write_until.is_none() => self.fail_at(context, deadline),
            _ => Poll::Pending,
        }
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch_write(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch_write(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
