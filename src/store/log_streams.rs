//! How much of the decision log each receiver has got, and which process sends it.

use std::collections::HashSet;

use diesel::prelude::*;

use super::connection::on_either;
use super::schema::{admin_events, log_streams, sign_ins};
use super::sign_ins::{SignIn, complete};
use super::{AnyConnection, StoreError};
use crate::clock::{MAX_DIFFERENCE, UnixSeconds};
use crate::model::log::Log;

/// A stream's position and its sender. A stream that is not in the table has sent nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = log_streams)]
pub struct Position {
    /// Every row up to this id was sent.
    pub last_id: i64,
    /// The process that may send, until `held_until`.
    pub holder: String,
    /// The time up to which the others leave the stream to the holder; it prolongs this while it runs.
    pub held_until: UnixSeconds,
}

/// The rows that a stream has not sent.
#[derive(Debug)]
pub struct Unsent {
    /// The stream's position, as it was read together with the rows.
    pub position: Position,
    /// The time of the first row after the position, even if it may not be sent yet.
    pub oldest: Option<UnixSeconds>,
    /// The first rows after the position that may be sent, in the order of their ids.
    pub rows: Vec<SignIn>,
    /// How much of the log could be seen.
    pub view: View,
}

/// The end of the log at some moment.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The highest id that could be seen; 0 when there was none.
    pub newest: i64,
    /// The transactions that were adding rows, whose ids may be lower.
    pub writers: HashSet<String>,
}

/// The id up to which every row is visible, for databases where ids do not follow commits. It is what was visible
/// once, as soon as all transactions that were inserting at that time have ended. No time-out can show that, least of
/// all a row's time, which is that of a request that may have waited before it wrote.
#[derive(Debug, Default)]
pub struct CommitWatermark {
    settled: i64,
    /// The end of the log at the last look, with those of its writers that are still open.
    seen: View,
}

impl CommitWatermark {
    /// The highest id up to which no more rows can appear.
    pub fn settled(&self) -> i64 {
        self.settled
    }

    /// Takes note of what can be seen now.
    pub fn see(&mut self, view: View) {
        self.seen.writers.retain(|writer| view.writers.contains(writer));
        if self.seen.writers.is_empty() {
            self.settled = self.seen.newest;
            self.seen = view;
        }
        if self.seen.writers.is_empty() {
            self.settled = self.seen.newest;
        }
    }
}

/// A process's claim to be the one that sends or reads.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The process's identifier, new with each start.
    pub holder: String,
    /// The time of the claim; another process's claim that ended before it counts no more.
    pub now: UnixSeconds,
    /// The time up to which the claim holds.
    pub until: UnixSeconds,
}

/// A log reader's position, and how much of the log is visible.
pub fn look(connection: &mut AnyConnection, name: &str) -> Result<(Position, View), StoreError> {
    let position = position(connection, name)?;
    Ok((position, end_of(connection, Log::Decisions)?))
}

/// The end of a log, as it can be seen now.
pub fn end_of(connection: &mut AnyConnection, log: Log) -> Result<View, StoreError> {
    use diesel::dsl::max;
    let newest: Option<i64> = match log {
        Log::Decisions => sign_ins::table.select(max(sign_ins::id)).first(connection)?,
        Log::Admin => admin_events::table.select(max(admin_events::id)).first(connection)?,
    };
    // Asked for after the highest id.
    let writers = match connection {
        AnyConnection::Sqlite(_) => HashSet::new(),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(connection) => writers(connection, log)?,
    };
    Ok(View { newest: newest.unwrap_or_default(), writers })
}

/// The id up to which no more rows can appear: on SQLite, with its one writer, everything visible; elsewhere
/// `settled`.
pub fn complete_to(connection: &AnyConnection, view: &View, settled: i64) -> i64 {
    if matches!(connection, AnyConnection::Sqlite(_)) { view.newest } else { settled }
}

/// The first rows that a stream has not sent, at most `limit`. `settled` is an id up to which no more rows can appear;
/// it matters only where ids do not follow commits.
pub fn unsent(
    connection: &mut AnyConnection,
    name: &str,
    settled: i64,
    limit: i64,
) -> Result<Unsent, StoreError> {
    let (position, view) = look(connection, name)?;
    let mut rows: Vec<SignIn> = sign_ins::table
        .filter(sign_ins::id.gt(position.last_id))
        .order(sign_ins::id.asc())
        .limit(limit)
        .select(SignIn::as_select())
        .load(connection)?;
    let oldest = rows.first().map(|row| row.at);
    let end = complete_to(connection, &view, settled);
    rows.retain(|row| row.id <= end);
    complete(connection, &mut rows)?;
    Ok(Unsent { position, oldest, rows, view })
}

/// PostgreSQL assigns an id when a row is inserted, and of two transactions the one with the higher id may commit
/// first. An inserting transaction holds a lock on the table from before the id is assigned until its end. So, asked
/// for after the highest id, these are all transactions that can still add a lower one.
#[cfg(feature = "postgres")]
fn writers(connection: &mut diesel::PgConnection, log: Log) -> QueryResult<HashSet<String>> {
    #[derive(QueryableByName)]
    struct Writer {
        #[diesel(sql_type = diesel::sql_types::Text)]
        virtualtransaction: String,
    }
    let table = match log {
        Log::Decisions => "sign_ins",
        Log::Admin => "admin_events",
    };
    let writers: Vec<Writer> = diesel::sql_query(
        "SELECT virtualtransaction FROM pg_locks \
         WHERE relation = $1::regclass AND mode = 'RowExclusiveLock' \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .bind::<diesel::sql_types::Text, _>(table)
    .load(connection)?;
    Ok(writers.into_iter().map(|writer| writer.virtualtransaction).collect())
}

fn position(connection: &mut AnyConnection, name: &str) -> Result<Position, StoreError> {
    let found = log_streams::table.find(name).select(Position::as_select()).first(connection).optional()?;
    Ok(found.unwrap_or_default())
}

/// Takes or renews the lease on a stream; false while another process has it.
pub fn claim(connection: &mut AnyConnection, name: &str, lease: &Lease) -> Result<bool, StoreError> {
    use diesel::query_dsl::methods::FilterDsl as _;
    // Nobody takes a lease for this long: its holder had a clock that was ahead.
    let is_wrong = log_streams::held_until.gt(lease.until + MAX_DIFFERENCE);
    let free = log_streams::holder.eq(&lease.holder).or(log_streams::held_until.le(lease.now)).or(is_wrong);
    let row = (
        log_streams::name.eq(name),
        log_streams::last_id.eq(0),
        log_streams::updated_at.eq(lease.now),
        log_streams::holder.eq(&lease.holder),
        log_streams::held_until.eq(lease.until),
    );
    let taken = on_either!(connection, |c| diesel::insert_into(log_streams::table)
        .values(row)
        .on_conflict(log_streams::name)
        .do_update()
        .set((log_streams::holder.eq(&lease.holder), log_streams::held_until.eq(lease.until)))
        .filter(free)
        .execute(c)?);
    Ok(taken > 0)
}

/// Notes that every row after `from` and up to `to` was sent, and renews the lease. False if another process has moved
/// the position meanwhile; the position then stays there.
pub fn advance(
    connection: &mut AnyConnection,
    name: &str,
    (from, to): (i64, i64),
    lease: &Lease,
) -> Result<bool, StoreError> {
    let unmoved = log_streams::name.eq(name).and(log_streams::last_id.eq(from));
    let moved = diesel::update(log_streams::table.filter(unmoved))
        .set((
            log_streams::last_id.eq(to),
            log_streams::updated_at.eq(lease.now),
            log_streams::holder.eq(&lease.holder),
            log_streams::held_until.eq(lease.until),
        ))
        .execute(connection)?;
    Ok(moved > 0)
}

/// Lets other processes send at once.
pub fn release(connection: &mut AnyConnection, name: &str, holder: &str) -> Result<(), StoreError> {
    let held = log_streams::name.eq(name).and(log_streams::holder.eq(holder));
    diesel::update(log_streams::table.filter(held)).set(log_streams::held_until.eq(0)).execute(connection)?;
    Ok(())
}

/// The time of the first row that a stream has not sent; none when it has sent everything.
pub fn oldest_unsent(connection: &mut AnyConnection, name: &str) -> Result<Option<UnixSeconds>, StoreError> {
    let last_id = position(connection, name)?.last_id;
    let rows = sign_ins::table.filter(sign_ins::id.gt(last_id)).order(sign_ins::id.asc());
    Ok(rows.select(sign_ins::at).first(connection).optional()?)
}
