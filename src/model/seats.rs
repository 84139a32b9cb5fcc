//! Seats: a teamspace has so many members at the most.

use super::member::Status;

/// Whether one more may take a seat; no limit means that there always is one.
pub fn is_seat_free(used: i64, limit: Option<i64>) -> bool {
    limit.is_none_or(|limit| used < limit)
}

/// How many seats more are taken when a member gets a status; less than none when a seat is freed. `before` is none
/// for somebody who was no member.
pub fn seats_taken(before: Option<Status>, after: Status) -> i64 {
    i64::from(after.holds_seat()) - i64::from(before.is_some_and(Status::holds_seat))
}
