//! The output of commands. The reader of standard output may go away at any time (`| head -1`): then the rest is not
//! printed, and the command finishes its work as usual. Any other failure is reported at the end.
//!
//! Much of the output comes from strangers: a character that would control the terminal is shown as an escape.

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

/// Prints a text to standard output, with its line ends.
pub(crate) fn text(text: impl Display) {
    results(&escaped(&text.to_string(), for_people));
}

fn results(text: &str) {
    if LOST.get().is_none() {
        note(io::stdout().write_all(text.as_bytes()));
    }
}

/// Prints a line to standard output with colours of [`super::style`]: whatever is foreign in it has been painted.
pub(crate) fn styled(line: &str) {
    results(&format!("{line}\n"));
}

/// A foreign text for use inside a line: it cannot begin another one.
pub(crate) fn inline(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { for_people(c) } else { c.to_string() }).collect()
}

/// Prints a line that is useless unless somebody reads it.
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

/// Prints a text to standard error. If that is gone too, nobody is left to tell. A service writes it to its log, since
/// it must end even if nobody reads that.
pub(crate) fn aside(text: Arguments<'_>) {
    coloured(&escaped(&text.to_string(), for_people));
}

/// Prints a text with our own colours: foreign texts in it no longer contain control characters.
pub(crate) fn coloured(text: &str) {
    if !telemetry::put(text) {
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// Whether everything that had a reader was printed.
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

/// The progress of a long run: one line of a terminal, which the next one replaces.
pub(crate) struct ProgressLine {
    shown: bool,
}

impl ProgressLine {
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

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.shown {
            aside(format_args!("\n"));
        }
    }
}
