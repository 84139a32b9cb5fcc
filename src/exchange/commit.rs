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
    record: Arc<NewSignIn>,
    token: impl FnOnce() -> T,
) -> Result<(Committed, T), RedeemError> {
    let written = app.store.redeem(redemption, record);
    let sealed = token();
    written.await.map(|()| (Committed(()), sealed))
}
