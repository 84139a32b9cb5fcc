//! The policy sets that are only tried.

use super::change::Change;
use super::error::AdminError;
use crate::clock::UnixSeconds;
use crate::shadow::report::find_set;
use crate::store::{Store, shadow};

/// Forgets everything about a shadow set, named by its hash or the beginning of it, or about the one that was tried
/// last. Tells its hash and how many differences are gone; none when no such set was tried.
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
