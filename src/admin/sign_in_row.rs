//! One row of the decision log, by its request.

use super::caller::{Admin, InTeamspace, Operator};
use super::error::AdminError;
use crate::policy::ConsoleAction;
use crate::store::sign_ins::{self, Filter, SignIn};

/// The most pages of the log that are searched for a request whose id does not show its time.
const PAGES: usize = 10;

/// The row of a request of a teamspace, with all that it holds.
pub(super) async fn of_teamspace(at: &InTeamspace, request_id: &str) -> Result<SignIn, AdminError> {
    at.may(ConsoleAction::ViewActivity)?;
    let filter =
        Filter { teamspace_id: Some(at.teamspace_config().teamspace.id.clone()), ..Filter::default() };
    find(at, filter, request_id).await
}

/// The row of any request.
pub(super) async fn of_all(operator: &Operator, request_id: &str) -> Result<SignIn, AdminError> {
    operator.may_everywhere(ConsoleAction::ViewActivity)?;
    find(operator, Filter::default(), request_id).await
}

async fn find(admin: &Admin, mut filter: Filter, request_id: &str) -> Result<SignIn, AdminError> {
    if !crate::request_id::is_possible(request_id) {
        return Err(AdminError::NotFound);
    }
    filter.request_id = Some(request_id.to_owned());
    for _ in 0..PAGES {
        let wanted = filter.clone();
        let mut page = admin.app.store.list(move |c| sign_ins::list(c, &wanted, 1)).await?;
        if let Some(row) = page.items.pop() {
            return Ok(row);
        }
        let Some(cursor) = page.next_cursor.and_then(|cursor| cursor.parse().ok()) else { break };
        filter.cursor = Some(cursor);
    }
    Err(AdminError::NotFound)
}
