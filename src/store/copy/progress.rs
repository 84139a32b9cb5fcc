//! How far long work is.

use std::sync::atomic::{AtomicU64, Ordering};

use super::tables::Table;

/// The step under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyStep {
    /// Compares the rows that TO already has with FROM's.
    Comparing,
    /// The rows that TO does not have yet, from table to table.
    Copying,
    /// Both databases, row by row.
    Verifying,
}

/// How far it is, in rows of all tables.
#[derive(Debug, Clone, Copy)]
pub struct CopyProgress {
    /// The step that these numbers belong to.
    pub doing: CopyStep,
    /// The table that was last worked on.
    pub table: &'static str,
    /// Rows that the step is through with.
    pub done: u64,
    /// Rows that the step will go through, as counted when the copy began.
    pub total: u64,
}

/// A callback for progress; called after each batch, from several threads.
pub type TellProgress<'a> = &'a (dyn Fn(CopyProgress) + Sync);

/// A part of the work.
pub(super) struct CopyWork<'a> {
    tell: TellProgress<'a>,
    doing: CopyStep,
    total: u64,
    done: AtomicU64,
}

impl<'a> CopyWork<'a> {
    pub(super) fn new(tell: TellProgress<'a>, doing: CopyStep, total: u64) -> Self {
        Self { tell, doing, total, done: AtomicU64::new(0) }
    }

    /// Rows of a table are done.
    pub(super) fn add(&self, table: &Table, rows: usize) {
        let done = self.done.fetch_add(rows as u64, Ordering::Relaxed) + rows as u64;
        (self.tell)(CopyProgress { doing: self.doing, table: table.name, done, total: self.total });
    }
}
