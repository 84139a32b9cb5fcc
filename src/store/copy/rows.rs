//! Reads the rows of any table in the order of their keys, and writes them unchanged. In between, each value is its
//! text, or nothing for NULL: so one description of the tables serves both databases.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, QueryableByName};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::row::{Field as _, NamedRow};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Nullable, Text, Untyped};
use diesel::sqlite::Sqlite;

use super::tables::{ColumnKind, Table};
use crate::store::AnyConnection;

/// A row, in the order of [`Table::columns`].
pub(in crate::store) type CopiedRow = Vec<Option<String>>;

/// The most parameters of one SQLite statement, far below its limit: a short text is prepared once, and kept.
const PARAMETERS: usize = 1000;

/// The differences between the databases' SQL.
#[derive(Clone, Copy)]
struct Dialect {
    /// A column as a text.
    read: fn(&str, ColumnKind) -> String,
    /// The SQL that turns a text into a value of the column.
    cast: fn(ColumnKind) -> &'static str,
}

/// SQLite converts a text to the column's type by itself.
const SQLITE: Dialect = Dialect {
    read: |name, kind| match kind {
        ColumnKind::Text => name.to_owned(),
        ColumnKind::Number | ColumnKind::Boolean => format!("CAST({name} AS TEXT)"),
    },
    cast: |_| "",
};

#[cfg(feature = "postgres")]
const POSTGRES: Dialect = Dialect {
    read: |name, kind| match kind {
        ColumnKind::Text => name.to_owned(),
        ColumnKind::Number => format!("{name}::text"),
        ColumnKind::Boolean => format!("{name}::int::text"),
    },
    cast: |kind| match kind {
        ColumnKind::Text => "",
        ColumnKind::Number => "::bigint",
        ColumnKind::Boolean => "::boolean",
    },
};

struct Cells(CopiedRow);

impl<DB> QueryableByName<DB> for Cells
where
    DB: Backend,
    String: FromSql<Text, DB>,
{
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let cell = |index: usize| {
            let field = diesel::row::Row::get(row, index).ok_or("a column is missing")?;
            field.value().map(String::from_sql).transpose()
        };
        (0..row.field_count()).map(cell).collect::<deserialize::Result<_>>().map(Self)
    }
}

/// Reads the rows behind a key.
struct RowsQuery<'a> {
    dialect: Dialect,
    table: &'a Table,
    after: &'a [String],
    limit: usize,
}

impl<DB> QueryFragment<DB> for RowsQuery<'_>
where
    DB: Backend + HasSqlType<Text>,
    String: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let Self { dialect, table, after, limit } = self;
        let columns = table.columns();
        let read: Vec<String> = columns.iter().map(|c| (dialect.read)(c.name, c.kind)).collect();
        out.push_sql(&format!("SELECT {} FROM {}", read.join(", "), table.name));
        // The table's name is needed: without it, PostgreSQL sorts by the result column, which is text.
        let key: Vec<String> = table.key().iter().map(|c| format!("{}.{}", table.name, c.name)).collect();
        let key = key.join(", ");
        for (index, (column, value)) in columns.iter().zip(*after).enumerate() {
            match index {
                0 => out.push_sql(&format!(" WHERE ({key}) > (")),
                _ => out.push_sql(", "),
            }
            out.push_bind_param::<Text, String>(value)?;
            out.push_sql((dialect.cast)(column.kind));
        }
        if !after.is_empty() {
            out.push_sql(")");
        }
        out.push_sql(&format!(" ORDER BY {key} LIMIT {limit}"));
        Ok(())
    }
}

impl QueryId for RowsQuery<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for RowsQuery<'_> {
    type SqlType = Untyped;
}

impl<C: Connection> RunQueryDsl<C> for RowsQuery<'_> {}

/// Reads the rows after a key, or the first ones; at most `limit`.
pub(in crate::store) fn read(
    connection: &mut AnyConnection,
    table: &Table,
    after: &[String],
    limit: usize,
) -> QueryResult<Vec<CopiedRow>> {
    let cells: Vec<Cells> = match connection {
        AnyConnection::Sqlite(c) => RowsQuery { dialect: SQLITE, table, after, limit }.load(c)?,
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(c) => RowsQuery { dialect: POSTGRES, table, after, limit }.load(c)?,
    };
    Ok(cells.into_iter().map(|Cells(row)| row).collect())
}

/// Writes rows, with one statement.
struct Insert<'a> {
    table: &'a Table,
    rows: &'a [CopiedRow],
}

impl QueryFragment<Sqlite> for Insert<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(&format!("INSERT INTO {} ({}) VALUES ", self.table.name, self.names().join(", ")));
        for (index, row) in self.rows.iter().enumerate() {
            out.push_sql(if index == 0 { "(" } else { ", (" });
            for (index, value) in row.iter().enumerate() {
                out.push_sql(if index == 0 { "" } else { ", " });
                out.push_bind_param::<Nullable<Text>, Option<String>>(value)?;
            }
            out.push_sql(")");
        }
        Ok(())
    }
}

impl Insert<'_> {
    fn names(&self) -> Vec<&'static str> {
        self.table.columns().iter().map(|column| column.name).collect()
    }
}

impl QueryId for Insert<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C: Connection> RunQueryDsl<C> for Insert<'_> {}

/// Writes rows that are not there yet.
pub(super) fn write(connection: &mut AnyConnection, table: &Table, rows: &[CopiedRow]) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(c) => {
            let some = (PARAMETERS / table.columns().len()).max(1);
            for rows in rows.chunks(some) {
                Insert { table, rows }.execute(c)?;
            }
        }
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(c) => {
            postgres::Arrays::of(table, rows).execute(c)?;
        }
    }
    Ok(())
}

#[cfg(feature = "postgres")]
mod postgres {
    //! Columns are passed as arrays: few parameters, and one text for every number of rows.

    use diesel::pg::Pg;
    use diesel::sql_types::Array;

    use super::super::tables::Column;
    use super::*;

    pub(super) struct Arrays<'a> {
        table: &'a Table,
        columns: Vec<(Column, Vec<Option<&'a str>>)>,
    }

    impl<'a> Arrays<'a> {
        pub(super) fn of(table: &'a Table, rows: &'a [CopiedRow]) -> Self {
            let values = |index: usize| rows.iter().map(|row| row.get(index)?.as_deref()).collect();
            let columns = table.columns().into_iter().enumerate();
            Self { table, columns: columns.map(|(index, column)| (column, values(index))).collect() }
        }
    }

    impl QueryFragment<Pg> for Arrays<'_> {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
            let names: Vec<&str> = self.columns.iter().map(|(column, _)| column.name).collect();
            let names = names.join(", ");
            let cast = |(c, _): &(Column, _)| format!("{}{}", c.name, (POSTGRES.cast)(c.kind));
            let cast: Vec<String> = self.columns.iter().map(cast).collect();
            let (table, cast) = (self.table.name, cast.join(", "));
            out.push_sql(&format!("INSERT INTO {table} ({names}) SELECT {cast} FROM unnest("));
            for (index, (_, values)) in self.columns.iter().enumerate() {
                out.push_sql(if index == 0 { "" } else { ", " });
                out.push_bind_param::<Array<Nullable<Text>>, Vec<Option<&str>>>(values)?;
            }
            out.push_sql(&format!(") AS rows ({names})"));
            Ok(())
        }
    }

    impl QueryId for Arrays<'_> {
        type QueryId = ();
        const HAS_STATIC_QUERY_ID: bool = false;
    }

    impl RunQueryDsl<diesel::PgConnection> for Arrays<'_> {}
}
