//! The content of a seal, as bytes that are the same for both databases.

use super::Seal;
use crate::clock::UnixSeconds;
use crate::model::log::Log;
use crate::store::copy::digest::Digester;
use crate::store::copy::rows::{self, CopiedRow};
use crate::store::copy::tables::{Table, table};
use crate::store::{AnyConnection, StoreError};

/// The format of new seals.
pub(super) const FORMAT: i64 = 1;

/// The columns of a format never change: old seals must stay verifiable. A new column needs a new format. All columns
/// are written once, with their row.
static DECISIONS: Table = table(
    "sign_ins",
    1,
    "id# at# teamspace_id outcome reason detail request_id client_id issuer subject email member_id resource \
     scopes_asked scopes_granted decisions policy_set assertion token_id facts grounds repeated# \
     identity_provider_id",
);
static ADMIN: Table = table(
    "admin_events",
    1,
    "id# at# actor action object teamspace_id request_id old_value new_value actor_kind actor_id address",
);

/// The position in [`DECISIONS`] of the column that refers to the shared part of a decision, by its digest.
const GROUNDS: usize = 20;

/// The table of a log, with the columns of a format; none for a format of a newer version.
pub(super) fn table_of(log: Log, format: i64) -> Option<&'static Table> {
    (format == FORMAT).then_some(match log {
        Log::Decisions => &DECISIONS,
        Log::Admin => &ADMIN,
    })
}

/// A row that is to be under a seal.
pub(super) struct LogRow {
    pub id: i64,
    pub at: UnixSeconds,
    cells: CopiedRow,
}

impl LogRow {
    fn of(mut cells: CopiedRow) -> Result<Self, StoreError> {
        // PostgreSQL cannot store NUL, and `db copy` replaces it: the seal must hold in both databases.
        for text in cells.iter_mut().flatten().filter(|text| text.contains('\0')) {
            *text = text.replace('\0', "\u{FFFD}");
        }
        let number = |index: usize| cells.get(index)?.as_deref()?.parse().ok();
        let (Some(id), Some(at)) = (number(0), number(1)) else {
            return Err(StoreError::Damaged("a row of a log has no id or no time".to_owned()));
        };
        Ok(Self { id, at, cells })
    }

    /// The digest by which the row refers to its decision; none if it refers to none.
    pub fn grounds(&self) -> Option<&str> {
        self.cells.get(GROUNDS)?.as_deref().filter(|key| !key.is_empty())
    }
}

/// Reads the rows after an id and up to another one, at most `limit`, in the order of their ids.
pub(super) fn read(
    connection: &mut AnyConnection,
    table: &Table,
    (after, to): (i64, i64),
    limit: usize,
) -> Result<Vec<LogRow>, StoreError> {
    let found = rows::read(connection, table, &[after.to_string()], limit)?;
    let mut rows = found.into_iter().map(LogRow::of).collect::<Result<Vec<_>, _>>()?;
    rows.retain(|row| row.id <= to);
    Ok(rows)
}

/// The digest of a seal over rows; `previous` is the digest of the seal before, and empty for the first.
pub(super) fn digest(seal: &Seal, previous: &str, rows: &[LogRow]) -> String {
    let mut digester = Digester::new();
    let numbers = [seal.format, seal.number, seal.last_id, seal.row_count, seal.newest_at, seal.sealed_at];
    let texts = ["countersign log seal", seal.log.as_str(), previous].map(str::to_owned);
    let head: CopiedRow =
        texts.into_iter().chain(numbers.map(|number| number.to_string())).map(Some).collect();
    digester.add(&head);
    rows.iter().for_each(|row| digester.add(&row.cells));
    digester.finish().sha256
}
