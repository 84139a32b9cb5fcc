//! Statements with constant text, which are prepared once for each connection. Diesel's own UPDATE is prepared each
//! time it runs, which costs more than running it. Over [`AnyConnection`], Diesel also builds each statement's text
//! again just to find the prepared one.

use std::marker::PhantomData;

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::connection::Connection;
use diesel::deserialize::QueryableByName;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::RunQueryDsl;
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Nullable, Text, Untyped};
use diesel::sqlite::Sqlite;

use super::AnyConnection;
use super::connection::on_either;

/// A text with a `?` for each value, and no other `?`.
pub(super) trait ConstSql: 'static {
    const TEXT: &'static str;
}

/// A value for a `?`.
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(i64),
    OptionalNumber(Option<i64>),
    OptionalText(Option<&'a str>),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::OptionalNumber(number)
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::OptionalText(text)
    }
}

/// A statement with its values.
pub(super) struct Statement<'a, F, const N: usize> {
    values: [Value<'a>; N],
    text: PhantomData<F>,
}

impl<'a, F: ConstSql, const N: usize> Statement<'a, F, N> {
    pub fn new(values: [Value<'a>; N]) -> Self {
        Self { values, text: PhantomData }
    }
}

impl<DB, F, const N: usize> QueryFragment<DB> for Statement<'_, F, N>
where
    DB: Backend + HasSqlType<Text> + HasSqlType<BigInt>,
    F: ConstSql,
    str: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
    Option<i64>: ToSql<Nullable<BigInt>, DB>,
    for<'t> Option<&'t str>: ToSql<Nullable<Text>, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let mut parts = F::TEXT.split('?');
        out.push_sql(parts.next().unwrap_or_default());
        for (value, part) in self.values.iter().zip(parts) {
            match value {
                Value::Text(text) => out.push_bind_param::<Text, str>(text)?,
                Value::Number(number) => out.push_bind_param::<BigInt, i64>(number)?,
                Value::OptionalNumber(number) => {
                    out.push_bind_param::<Nullable<BigInt>, Option<i64>>(number)?;
                }
                Value::OptionalText(text) => out.push_bind_param::<Nullable<Text>, Option<&str>>(text)?,
            }
            out.push_sql(part);
        }
        Ok(())
    }
}

// The text depends only on the kind of statement.
impl<F: ConstSql, const N: usize> QueryId for Statement<'_, F, N> {
    type QueryId = Statement<'static, F, N>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<F: ConstSql, const N: usize> Query for Statement<'_, F, N> {
    type SqlType = Untyped;
}

impl<C: Connection, F: ConstSql, const N: usize> RunQueryDsl<C> for Statement<'_, F, N> {}

/// A type that rows of both databases can be read as.
#[cfg(feature = "postgres")]
pub(super) trait ReadableRow:
    QueryableByName<Sqlite> + QueryableByName<diesel::pg::Pg> + 'static
{
}
#[cfg(feature = "postgres")]
impl<T: QueryableByName<Sqlite> + QueryableByName<diesel::pg::Pg> + 'static> ReadableRow for T {}

/// A type that rows can be read as.
#[cfg(not(feature = "postgres"))]
pub(super) trait ReadableRow: QueryableByName<Sqlite> + 'static {}
#[cfg(not(feature = "postgres"))]
impl<T: QueryableByName<Sqlite> + 'static> ReadableRow for T {}

impl<F: ConstSql, const N: usize> Statement<'_, F, N> {
    /// Runs it, and tells how many rows it changed.
    pub fn run(self, connection: &mut AnyConnection) -> QueryResult<usize> {
        on_either!(connection, |c| self.execute(c))
    }

    /// The one row that there is, or none.
    pub fn find<T: ReadableRow>(self, connection: &mut AnyConnection) -> QueryResult<Option<T>> {
        let mut rows: Vec<T> = on_either!(connection, |c| self.load(c)?);
        Ok(rows.pop())
    }

    /// All rows that there are.
    pub fn all<T: ReadableRow>(self, connection: &mut AnyConnection) -> QueryResult<Vec<T>> {
        on_either!(connection, |c| self.load(c))
    }
}

/// The one row of a query for a number.
#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Asks for the number that a query calls `n`. The query is made for the occasion, so it is not kept prepared.
pub(super) fn number(connection: &mut AnyConnection, query: &str) -> QueryResult<i64> {
    Ok(diesel::sql_query(query).get_result::<Number>(connection)?.n)
}
