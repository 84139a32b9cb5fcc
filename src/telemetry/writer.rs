//! Writes log lines on a thread of its own. Whoever logs waits for nothing: when lines come faster than they can be
//! written, or cannot be written at all, they are dropped and counted.

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
/// Most bytes of one write. Pipes take this many whole, so that lines of several processes do not mix.
const CHUNK: usize = 4096;
/// How long to wait when the other end, which somebody made non-blocking, takes nothing.
const RETRY: Duration = Duration::from_millis(20);
/// How long lines gather after a write, so that a busy service does not wake the thread for each of them. The first
/// line after a pause is written at once.
const GATHER: Duration = Duration::from_millis(5);

/// The end that lines are put into. Clones put theirs into the same log.
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
    /// Starts the thread. It writes to a duplicate of the descriptor, since the standard library's handle has a lock
    /// that others would wait for while a write hangs.
    pub fn start(target: &impl AsFd) -> io::Result<Self> {
        let target = File::from(target.as_fd().try_clone_to_owned()?);
        let shared = Arc::new(SharedWriter::default());
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name("log".into()).spawn(move || of_thread.write_to(target))?;
        Ok(Self(shared))
    }

    /// Adds one line, or drops it when too many wait.
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

    /// Waits until all lines were written or dropped, for so long at the most.
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

/// The subscriber writes each line with one call.
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
        // Whether the last write ended within a line: the next one must not begin there.
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

    /// Exchanges the lines that were written for those that wait, of which there must be some.
    fn take(&self, lines: &mut Vec<u8>) {
        let mut state = self.lock();
        // Not so at the start of the thread, when the first line must not wait.
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

/// The length of as many whole lines as fit into one write; of one line if that is longer.
fn chunk_length(lines: &[u8]) -> usize {
    let (head, _) = lines.split_at(lines.len().min(CHUNK));
    let end = memrchr(b'\n', head).or_else(|| memchr(b'\n', lines));
    end.map_or(lines.len(), |end| end + 1)
}

/// Writes all bytes, or as many as can be written; tells how many.
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
