//! A text with its lines.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Where in a file: lines and columns count from 1, columns in characters; the end is exclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePlace {
    /// In bytes from the beginning of the file.
    pub span: Range<usize>,
    /// The line where it begins.
    pub line: usize,
    /// The column where it begins.
    pub column: usize,
    /// The line where it ends.
    pub end_line: usize,
    /// The column after its last character.
    pub end_column: usize,
}

/// A file and its text.
#[derive(Debug)]
pub(in crate::policy) struct SourceFile {
    pub path: PathBuf,
    pub text: Arc<str>,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl SourceFile {
    pub fn new(path: PathBuf, text: String) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { path, text: text.into(), lines }
    }

    /// The name alone, or what there is of a path.
    pub fn name(&self) -> String {
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| self.path.display().to_string())
    }

    /// The lines and columns of a span, which is cut to the length of the file.
    pub fn place(&self, span: Range<usize>) -> SourcePlace {
        let end = self.text.floor_char_boundary(span.end);
        let start = self.text.floor_char_boundary(span.start.min(end));
        let position = |at: usize| {
            let line = self.lines.partition_point(|begin| *begin <= at);
            let begin = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or(0);
            (line, self.text.get(begin..at).map_or(0, |before| before.chars().count()) + 1)
        };
        let ((line, column), (end_line, end_column)) = (position(start), position(end));
        SourcePlace { span: start..end, line, column, end_line, end_column }
    }
}
