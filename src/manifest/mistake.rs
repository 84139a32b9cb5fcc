//! Mistakes in files, each with its place.

use std::fmt;
use std::sync::Arc;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlace {
    /// The file as it was named.
    pub file: Arc<str>,
    /// The line, counted from 1; 0 for the file as a whole.
    pub line: u64,
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// The most mistakes that are kept.
const MOST: usize = 100;

/// Everything that is wrong.
#[derive(Debug, Default, thiserror::Error)]
pub struct Mistakes {
    kept: Vec<(FilePlace, String)>,
    left_out: usize,
}

impl Mistakes {
    /// Adds one. `text` says what is wrong and what was expected.
    pub fn add(&mut self, place: FilePlace, text: impl Into<String>) {
        match self.kept.len() < MOST {
            true => self.kept.push((place, text.into())),
            false => self.left_out += 1,
        }
    }

    /// The value, unless something is wrong.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.kept.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.kept.len() + self.left_out;
        if let ([(place, text)], 1) = (&*self.kept, count) {
            return write!(f, "{place}: {text}");
        }
        write!(f, "{count} mistakes:")?;
        for (place, text) in &self.kept {
            write!(f, "\n  {place}: {text}")?;
        }
        match self.left_out {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}
