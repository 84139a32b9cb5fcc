//! The policy sets that are only tried.

use super::change::Change;
use super::error::AdminError;
use crate::clock::UnixSeconds;
use crate::shadow::report::find_set;
use crate::store::{Store, shadow};

/// Deletes everything about one shadow set: the one whose hash begins with `set`, or the one that was on trial last.
/// Returns its hash and the number of deleted differences; none when no such set was on trial.
pub async fn clear(
    store: &Store,
    set: Option<String>,
    now: UnixSeconds,
) -> Result<Option<(String, usize)>, AdminError> {
    store
        .write(move |c| {
            let Some(set) = find_set(c, set.as_deref())? else { return Ok(None) };
            Change::noted("policy_shadow.clear", &set, None).record_of_command(c, now)?;
            let count = shadow::clear(c, &set)?;
            Ok(Some((set, count)))
        })
        .await
}
