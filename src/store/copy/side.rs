//! One of the two databases of a copy.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;

use super::CopyError;
use super::digest::{Digest, Digester};
use super::progress::CopyWork;
use super::rows::{self, CopiedRow};
use super::tables::{DECISION_LOG, FIRST_GENERATION, GENERATION, NUMBERED, Table, all};
use crate::store::statement::number;
use crate::store::{AnyConnection, StoreError};

/// A database, and what its texts may hold.
pub(super) struct Side {
    pub(super) connection: AnyConnection,
    /// Whether rows are read as PostgreSQL could store them, without NUL in texts.
    pub(super) without_nul: bool,
}

/// A table as it was read.
pub(super) struct Summary {
    pub(super) digest: Digest,
    /// The last row's key; empty when there is none.
    pub(super) last: Vec<String>,
    /// Rows in which NUL was replaced.
    pub(super) replaced: u64,
}

/// Turns a row's texts into ones that PostgreSQL can store. Returns whether there was NUL in the row.
fn replace_nul(table: &Table, row: &mut CopiedRow) -> Result<bool, CopyError> {
    let mut found = false;
    for text in row.iter_mut().flatten().filter(|text| text.contains('\0')) {
        *text = text.replace('\0', "\u{FFFD}");
        found = true;
    }
    match found && table.name != DECISION_LOG {
        true => Err(CopyError::Nul { table: table.name, key: table.key_of(row).join(" ") }),
        false => Ok(found),
    }
}

/// Counters that rise with every change by a service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Marks([i64; 3]);

impl Side {
    /// Reads the rows after a key, and counts those in which NUL was replaced.
    pub(super) fn read(
        &mut self,
        table: &Table,
        after: &[String],
        limit: usize,
    ) -> Result<(Vec<CopiedRow>, u64), CopyError> {
        let mut rows = rows::read(&mut self.connection, table, after, limit)?;
        let mut replaced = 0;
        if self.without_nul {
            for row in &mut rows {
                replaced += u64::from(replace_nul(table, row)?);
            }
        }
        Ok((rows, replaced))
    }

    /// Reads a table, or its first `most` rows.
    pub(super) fn summarize(
        &mut self,
        table: &Table,
        most: Option<u64>,
        work: &CopyWork<'_>,
    ) -> Result<Summary, CopyError> {
        let (mut digester, mut last, mut replaced) = (Digester::new(), Vec::new(), 0);
        loop {
            let left =
                most.map_or(usize::MAX, |most| (most - digester.rows).try_into().unwrap_or(usize::MAX));
            let (rows, found) = self.read(table, &last, left.min(table.batch))?;
            let Some(row) = rows.last() else { break };
            last = table.key_of(row);
            rows.iter().for_each(|row| digester.add(row));
            replaced += found;
            work.add(table, rows.len());
        }
        Ok(Summary { digest: digester.finish(), last, replaced })
    }

    /// Every table.
    pub(super) fn summarize_all(&mut self, work: &CopyWork<'_>) -> Result<Vec<Summary>, CopyError> {
        all().map(|table| self.summarize(table, None, work)).collect()
    }

    /// Writes new rows: all of them, or none on an error.
    pub(super) fn insert(&mut self, table: &Table, rows: &[CopiedRow]) -> Result<(), CopyError> {
        self.in_transaction(|connection| rows::write(connection, table, rows))
    }

    fn in_transaction(
        &mut self,
        job: impl FnOnce(&mut AnyConnection) -> QueryResult<()>,
    ) -> Result<(), CopyError> {
        self.connection.begin_write()?;
        let done = job(&mut self.connection).and_then(|()| self.connection.commit());
        if done.is_err() {
            self.connection.roll_back();
        }
        Ok(done?)
    }

    /// How many rows each table has.
    pub(super) fn count(&mut self) -> Result<u64, CopyError> {
        let counts = all()
            .map(|table| number(&mut self.connection, &format!("SELECT count(*) AS n FROM {}", table.name)));
        let rows: i64 = counts.sum::<QueryResult<i64>>()?;
        Ok(u64::try_from(rows).unwrap_or_default())
    }

    /// The last ids given out, in the order of [`NUMBERED`]: their rows may have been deleted.
    pub(super) fn last_ids(&mut self) -> Result<[i64; 3], CopyError> {
        let mut last = [0; 3];
        for (last, table) in last.iter_mut().zip(NUMBERED) {
            let given = match &self.connection {
                AnyConnection::Sqlite(_) => {
                    format!(
                        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0) AS n"
                    )
                }
                #[cfg(feature = "postgres")]
                AnyConnection::Postgres(_) => format!(
                    "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('{table}', 'id')::regclass), 0) \
                     AS n"
                ),
            };
            let largest = format!("SELECT coalesce(max(id), 0) AS n FROM {table}");
            *last = number(&mut self.connection, &given)?.max(number(&mut self.connection, &largest)?);
        }
        Ok(last)
    }

    /// Writes the final rows once everything else is there: the generation, and where ids continue.
    pub(super) fn complete(&mut self, generation: &[CopiedRow], last_ids: [i64; 3]) -> Result<(), CopyError> {
        self.in_transaction(|connection| {
            connection.batch_execute("DELETE FROM generation")?;
            rows::write(connection, &GENERATION, generation)?;
            for (table, last) in NUMBERED.into_iter().zip(last_ids).filter(|(_, last)| *last > 0) {
                let statement = match connection {
                    AnyConnection::Sqlite(_) => format!(
                        "DELETE FROM sqlite_sequence WHERE name = '{table}'; \
                         INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {last})"
                    ),
                    #[cfg(feature = "postgres")]
                    AnyConnection::Postgres(_) => {
                        format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), {last})")
                    }
                };
                connection.batch_execute(&statement)?;
            }
            Ok(())
        })
    }

    /// Whether the generation is as migrations create it.
    pub(super) fn is_at_first_generation(&mut self) -> Result<bool, CopyError> {
        let (rows, _) = self.read(&GENERATION, &[], 2)?;
        let is_first = |row: &CopiedRow| {
            row.iter().zip(FIRST_GENERATION).all(|(found, first)| found.as_deref() == Some(first))
        };
        Ok(matches!(rows.as_slice(), [row] if is_first(row)))
    }

    pub(super) fn marks(&mut self) -> Result<Marks, CopyError> {
        let mut marks = [0; 3];
        for (mark, text) in marks.iter_mut().zip([
            "SELECT coalesce(max(id), 0) AS n FROM sign_ins",
            "SELECT coalesce(max(id), 0) AS n FROM admin_events",
            "SELECT coalesce(max(value), 0) AS n FROM generation",
        ]) {
            *mark = number(&mut self.connection, text)?;
        }
        Ok(Marks(marks))
    }

    /// Creates the tables if there are none, and returns the migrations that did. A database with tables must be of
    /// this version.
    pub(super) fn prepare(&mut self) -> Result<Vec<String>, CopyError> {
        let listed = match &self.connection {
            AnyConnection::Sqlite(_) => {
                "sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name"
            }
            #[cfg(feature = "postgres")]
            AnyConnection::Postgres(_) => "pg_tables WHERE schemaname = current_schema() AND tablename",
        };
        let migrations = "'__diesel_schema_migrations'";
        let tables =
            number(&mut self.connection, &format!("SELECT count(*) AS n FROM {listed} <> {migrations}"))?;
        if tables == 0 {
            return Ok(self.connection.migrate()?);
        }
        let known =
            number(&mut self.connection, &format!("SELECT count(*) AS n FROM {listed} = {migrations}"))?;
        if known == 0 {
            return Err(CopyError::Foreign);
        }
        match self.connection.is_behind()? {
            true => Err(CopyError::Behind),
            false => Ok(Vec::new()),
        }
    }
}

impl From<diesel::result::Error> for CopyError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(StoreError::from(error))
    }
}
