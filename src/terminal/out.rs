//! The output of commands. The reader of standard output may go away at any time (`| head -1`): then the rest is not
//! printed, and the command does its work and ends as it would have. Any other failure is told at the end.
//!
//! Much of what is printed was written by strangers: a character that a terminal would obey is shown as an escape.

use std::fmt::{Arguments, Display};
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use serde::Serialize;

use super::{escaped, for_json, for_people};
use crate::telemetry;

/// Why standard output takes nothing more.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// `println!` for results.
macro_rules! say {
    ($($part:tt)*) => { $crate::terminal::out::line(format_args!($($part)*)) };
}

/// `eprintln!` for everything else.
macro_rules! complain {
    ($($part:tt)*) => { $crate::terminal::out::aside(format_args!("{}\n", format_args!($($part)*))) };
}

pub(crate) use {complain, say};

/// A line on standard output.
pub(crate) fn line(line: Arguments<'_>) {
    text(format_args!("{line}\n"));
}

/// A text on standard output, with the line ends that it has.
pub(crate) fn text(text: impl Display) {
    results(&escaped(&text.to_string(), for_people));
}

fn results(text: &str) {
    if LOST.get().is_none() {
        note(io::stdout().write_all(text.as_bytes()));
    }
}

/// A stranger's text within a line: it cannot begin another one.
pub(crate) fn inline(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { for_people(c) } else { c.to_string() }).collect()
}

/// A line that is of no use unless somebody reads it.
pub(crate) fn whole(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")?;
    io::stdout().flush()
}

/// A document on standard output.
pub(crate) fn json(document: impl Serialize) -> serde_json::Result<()> {
    let text = format!("{:#}\n", serde_json::to_value(document)?);
    results(&escaped(&text, for_json));
    Ok(())
}

/// A text on standard error. When that is gone as well there is nobody left to tell. A service puts it into its log,
/// since it must end also when nobody reads that.
pub(crate) fn aside(text: Arguments<'_>) {
    coloured(&escaped(&text.to_string(), for_people));
}

/// Prints a text with our own colours: strangers' texts in it have no control characters any more.
pub(crate) fn coloured(text: &str) {
    if !telemetry::put(text) {
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// Whether everything was printed for which there was a reader.
pub(crate) fn finish() -> Result<(), String> {
    if LOST.get().is_none() {
        note(io::stdout().flush());
    }
    match LOST.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}

fn note(written: io::Result<()>) {
    if let Err(error) = written {
        // Only the first failure tells the cause.
        let _ = LOST.set(error);
    }
}

/// How far a long run is: one line of a terminal, which the next one replaces.
pub(crate) struct Progress {
    shown: bool,
}

impl Progress {
    /// Nothing shown yet.
    pub(crate) fn new() -> Self {
        Self { shown: false }
    }

    /// Replaces the line. Texts may not become shorter.
    pub(crate) fn show(&mut self, text: Arguments<'_>) {
        if io::stderr().is_terminal() {
            self.shown = true;
            coloured("\r");
            aside(text);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            aside(format_args!("\n"));
        }
    }
}
