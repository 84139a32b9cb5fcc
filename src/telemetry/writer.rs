//! Writes log lines on a separate thread. Logging never waits: lines that come faster than they can be written, or
//! that cannot be written at all, are dropped and counted.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use memchr::{memchr, memchr_iter, memrchr};

/// Most bytes that wait to be written.
const MAX_WAITING: usize = 1024 * 1024;
/// The most bytes of one write. Pipes accept this many as a whole, so lines of several processes do not mix.
const CHUNK: usize = 4096;
/// How long to wait if the other end accepts nothing, because somebody made it non-blocking.
const RETRY: Duration = Duration::from_millis(20);
/// How long lines are collected after a write, so that a busy service does not wake the thread for each of them. The
/// first line after a pause is written at once.
const GATHER: Duration = Duration::from_millis(5);

/// The handle that lines are written to. Clones write to the same log.
#[derive(Clone)]
pub struct LogWriter(Arc<SharedWriter>);

#[derive(Default)]
struct SharedWriter {
    state: Mutex<WriterState>,
    /// There is something for the thread to do.
    wanted: Condvar,
    /// All lines were written.
    written: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct WriterState {
    waiting: Vec<u8>,
    /// Whether the thread has taken lines and not finished with them.
    writing: bool,
    /// Whether the thread sleeps until a line comes.
    idle: bool,
    /// Whether somebody waits for all lines to be written.
    flushing: bool,
}

impl SharedWriter {
    /// Nothing panics while it is locked.
    fn lock(&self) -> MutexGuard<'_, WriterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogWriter {
    /// Starts the thread. It writes to a duplicate of the descriptor, because the standard library's handle has a lock
    /// that others would wait for while a write hangs.
    pub fn start(target: &impl AsFd) -> io::Result<Self> {
        let target = File::from(target.as_fd().try_clone_to_owned()?);
        let shared = Arc::new(SharedWriter::default());
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name("log".into()).spawn(move || of_thread.write_to(target))?;
        Ok(Self(shared))
    }

    /// Adds one line, or drops it if too many wait.
    pub fn put(&self, line: &[u8]) {
        let mut state = self.0.lock();
        if state.waiting.len() + line.len() > MAX_WAITING {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.extend_from_slice(line);
        if std::mem::take(&mut state.idle) {
            drop(state);
            self.0.wanted.notify_one();
        }
    }

    /// Waits until all lines are written or dropped, at most for `patience`.
    pub fn flush(&self, patience: Duration) {
        let mut state = self.0.lock();
        state.flushing = true;
        self.0.wanted.notify_one();
        let unfinished = |state: &mut WriterState| state.writing || !state.waiting.is_empty();
        drop(self.0.written.wait_timeout_while(state, patience, unfinished));
    }

    /// How many lines were dropped.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

/// The subscriber writes each line in one call.
impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SharedWriter {
    /// Writes lines as they come, for as long as the process runs.
    fn write_to(&self, mut target: File) {
        let mut lines = Vec::new();
        // Whether the last write ended inside a line: the next line must not begin there.
        let mut torn = false;
        loop {
            self.take(&mut lines);
            let mut rest = lines.as_slice();
            while !rest.is_empty() {
                let (chunk, later) = rest.split_at(chunk_length(rest));
                torn = torn && write_all(&mut target, b"\n") == 0;
                let (done, lost) = chunk.split_at(if torn { 0 } else { write_all(&mut target, chunk) });
                torn = torn || !(done.is_empty() || done.ends_with(b"\n"));
                self.dropped.fetch_add(memchr_iter(b'\n', lost).count() as u64, Ordering::Relaxed);
                rest = later;
            }
        }
    }

    /// Exchanges the written lines for the waiting ones. There must be some.
    fn take(&self, lines: &mut Vec<u8>) {
        let mut state = self.lock();
        // Not at the start of the thread: the first line must not wait.
        if std::mem::take(&mut state.writing) {
            let more = |state: &mut WriterState| !state.flushing;
            (state, _) =
                self.wanted.wait_timeout_while(state, GATHER, more).unwrap_or_else(PoisonError::into_inner);
        }
        lines.clear();
        if state.waiting.is_empty() {
            state.flushing = false;
            self.written.notify_all();
            state.idle = true;
        }
        let idle = |state: &mut WriterState| state.waiting.is_empty();
        let mut state = self.wanted.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        state.idle = false;
        state.writing = true;
        std::mem::swap(lines, &mut state.waiting);
    }
}

/// The length of as many whole lines as fit into one write, or of one line that is longer.
fn chunk_length(lines: &[u8]) -> usize {
    let (head, _) = lines.split_at(lines.len().min(CHUNK));
    let end = memrchr(b'\n', head).or_else(|| memchr(b'\n', lines));
    end.map_or(lines.len(), |end| end + 1)
}

/// Writes all bytes, or as many as possible; returns how many.
fn write_all(target: &mut File, bytes: &[u8]) -> usize {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match target.write(rest) {
            Ok(0) => break,
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(_) => break,
        }
    }
    written
}
