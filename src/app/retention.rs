//! How long rows of the decision log are kept.

use crate::clock::{UnixSeconds, rfc3339};
use crate::config::Config;
use crate::store::{Store, StoreError, log_streams};

/// How much older than the first unsent row another unsent one may be, in seconds. A row has the time at which its
/// request began, and its id from when the request ended.
const MARGIN: i64 = 300;

/// The time before which rows of the decision log may be deleted. Rows that a stream has not sent are kept longer, but
/// not for ever: a receiver that is gone for good must not fill the disk.
pub async fn deletable_before(
    store: &Store,
    config: &Config,
    now: UnixSeconds,
) -> Result<UnixSeconds, StoreError> {
    let expired = now - config.retention.sign_ins.as_secs();
    let bound = expired - config.retention.unsent.as_secs();
    let mut before = expired;
    for stream in &config.log_stream {
        let name = stream.name.clone();
        let oldest = store.read(move |c| log_streams::oldest_unsent(c, &name)).await?;
        let Some(oldest) = oldest.filter(|at| *at < expired) else { continue };
        let (stream, oldest_at) = (&stream.name, rfc3339(oldest));
        match oldest < bound {
            true => {
                tracing::error!(
                    stream,
                    oldest_at,
                    "rows of the decision log are deleted before they were sent"
                )
            }
            false => {
                tracing::warn!(stream, oldest_at, "rows of the decision log are kept until they are sent")
            }
        }
        before = before.min(oldest - MARGIN).max(bound);
    }
    Ok(before)
}
