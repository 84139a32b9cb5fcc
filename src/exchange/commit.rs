//! The one write of a grant.

use std::sync::Arc;

use crate::app::App;
use crate::store::sign_ins::NewSignIn;
use crate::store::{RedeemError, Redemption};

/// Says that a grant's assertion is consumed, its member exists and its sign-in is recorded. There is no way to
/// one but the write itself.
#[derive(Debug)]
pub struct Committed(());

/// Writes a grant down. Its token is signed while the commit waits for the disk; nobody sees it before.
pub(super) async fn redeem<T>(
    app: &App,
    redemption: Redemption,
    record: &mut NewSignIn,
    token: impl Fn() -> T,
) -> Result<(Committed, T), RedeemError> {
    let row = Arc::new(std::mem::take(record));
    let written = app.store.redeem(redemption, Arc::clone(&row));
    let sealed = token();
    let written = written.await;
    *record = Arc::unwrap_or_clone(row);
    written.map(|()| (Committed(()), sealed))
}
