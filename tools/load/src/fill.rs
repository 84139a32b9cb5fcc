//! The growth generator: rows as years of use leave them, written in bulk.

use std::io::{IsTerminal as _, stderr};
use std::time::Instant;

use countersign::config::Database;
use countersign::store::{AnyConnection, Store, connection};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::Outcome;
use crate::rows::{Rows, Size, Table};
use crate::seed::TEAMSPACE;

/// Rows that one statement, and on SQLite one transaction, inserts.
const BATCH: u64 = 200_000;

/// The size of a table's rows with their indexes.
#[derive(Debug, Clone)]
pub struct Filled {
    pub table: &'static str,
    pub rows: u64,
    pub bytes: u64,
}

/// Fills a database that has no members and no sign-ins yet. Half filled, it is refused: fill an empty one.
pub fn fill(url: &str, size: &Size, idp: &str) -> Outcome<Vec<Filled>> {
    Store::migrate(url)?;
    let c = &mut connection::open(url, &Database::default())?;
    let sqlite = url.starts_with("sqlite:");
    for table in ["email_domains", "members", "used_assertions", "sign_ins"] {
        let filter = if table == "email_domains" {
            format!(" WHERE teamspace_id <> '{TEAMSPACE}'")
        } else {
            String::new()
        };
        if number(c, &format!("SELECT count(*) AS n FROM (SELECT 1 FROM {table}{filter} LIMIT 1) AS t"))? > 0
        {
            return Err(format!("{table} has rows already; fill an empty database").into());
        }
    }
    c.batch_execute(if sqlite {
        "PRAGMA foreign_keys = OFF; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; \
         PRAGMA cache_size = -1000000; PRAGMA temp_store = FILE"
    } else {
        // Neither are foreign keys checked, nor does a commit wait for the disk.
        "SET statement_timeout = 0; SET session_replication_role = replica; SET synchronous_commit = off; SET maintenance_work_mem = '512MB'"
    })?;
    let mut filled = Vec::new();
    for table in Rows::new(size, sqlite).tables(idp) {
        filled.push(table.fill(c, sqlite)?);
    }
    finish(c, sqlite)?;
    Ok(filled)
}

/// Leaves the database as a running server would.
fn finish(c: &mut AnyConnection, sqlite: bool) -> Outcome<()> {
    if sqlite {
        return Ok(c.batch_execute("PRAGMA journal_mode = WAL")?);
    }
    c.batch_execute("VACUUM ANALYZE")?;
    Ok(c.batch_execute("CHECKPOINT")?)
}

impl Table {
    fn fill(&self, c: &mut AnyConnection, sqlite: bool) -> Outcome<Filled> {
        let (began, before) = (Instant::now(), size_of(c, sqlite)?);
        let indexes = indexes(c, self.name, sqlite)?;
        for index in &indexes {
            c.batch_execute(&format!("DROP INDEX {}", index.name))?;
        }
        for first in (0..self.rows).step_by(BATCH as usize) {
            let end = (first + BATCH).min(self.rows);
            c.batch_execute(&self.insert(first, end, sqlite))?;
            progress(&format!("{end} of {} rows of {}", self.rows, self.name));
        }
        progress(&format!("the indexes of {}", self.name));
        for index in &indexes {
            c.batch_execute(&index.definition)?;
        }
        let bytes = size_of(c, sqlite)?.saturating_sub(before);
        let (each, seconds) = (bytes as f64 / self.rows.max(1) as f64, began.elapsed().as_secs_f64());
        progress("");
        eprintln!(
            "{}: {} rows of {each:.0} bytes with their indexes, in {seconds:.0} s",
            self.name, self.rows
        );
        Ok(Filled { table: self.name, rows: self.rows, bytes })
    }

    fn insert(&self, first: u64, end: u64, sqlite: bool) -> String {
        let columns: Vec<&str> = self.values.iter().map(|(column, _)| *column).collect();
        let values: Vec<&str> = self.values.iter().map(|(_, value)| value.as_str()).collect();
        let (table, columns, values) = (self.name, columns.join(", "), values.join(", "));
        let last = end - 1;
        if sqlite {
            return format!(
                "WITH RECURSIVE n(x) AS (VALUES ({first}) UNION ALL SELECT x + 1 FROM n WHERE x < {last}) \
                 INSERT INTO {table} ({columns}) SELECT {values} FROM n"
            );
        }
        format!(
            "INSERT INTO {table} ({columns}) SELECT {values} \
             FROM generate_series({first}::bigint, {last}::bigint) AS n(x)"
        )
    }
}

/// One line that changes, for whoever looks on.
fn progress(text: &str) {
    if stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// The number that a query answers as `n`.
pub fn number(c: &mut AnyConnection, query: &str) -> Outcome<u64> {
    Ok(diesel::sql_query(query).get_result::<Number>(c)?.n.unsigned_abs())
}

fn size_of(c: &mut AnyConnection, sqlite: bool) -> Outcome<u64> {
    number(
        c,
        if sqlite {
            "SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()"
        } else {
            "SELECT pg_database_size(current_database()) AS n"
        },
    )
}

#[derive(QueryableByName)]
struct Index {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    definition: String,
}

/// The indexes of a table that no constraint needs: they are built faster when the rows are there.
fn indexes(c: &mut AnyConnection, table: &str, sqlite: bool) -> Outcome<Vec<Index>> {
    let query = if sqlite {
        format!(
            "SELECT name, sql AS definition FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = '{table}'"
        )
    } else {
        format!(
            "SELECT indexname::text AS name, indexdef AS definition FROM pg_indexes WHERE tablename = '{table}' \
             AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        )
    };
    Ok(diesel::sql_query(query).load::<Index>(c)?)
}
