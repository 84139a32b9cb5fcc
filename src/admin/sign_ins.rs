//! The decision log, as who asks may read it.

use super::caller::{Admin, InTeamspace, Operator};
use super::error::AdminError;
use crate::disclosure::{Disclosure, Known};
use crate::policy::ConsoleAction;
use crate::store::Page;
use crate::store::sign_ins::{self, Filter, SignIn};
use crate::store::snapshot::Snapshot;

/// Lists a page of a teamspace's rows. Its own administrators see nothing about policies that do not concern them.
pub async fn of_teamspace(at: &InTeamspace, filter: Filter, limit: i64) -> Result<Page<SignIn>, AdminError> {
    at.may(ConsoleAction::ViewActivity)?;
    let teamspace_id = Some(at.teamspace_config().teamspace.id.clone());
    let filter = Filter { teamspace_id, ..filter };
    let reason = filter.reason.clone();
    let mut found = at.app.store.list(move |c| sign_ins::list(c, &filter, limit)).await?;
    if !at.is_operator() {
        let snapshot = at.app.snapshot();
        for row in &mut found.items {
            confine(at, &snapshot, row).await?;
        }
        // The rows that are left must not give away what was left out of them.
        found.items.retain(|row| reason.as_ref().is_none_or(|reason| row.reason == *reason));
    }
    Ok(found)
}

/// Lists a page of the rows of every teamspace, and of those that led to none.
pub async fn of_all(operator: &Operator, filter: Filter, limit: i64) -> Result<Page<SignIn>, AdminError> {
    operator.may_everywhere(ConsoleAction::ViewActivity)?;
    Ok(operator.app.store.list(move |c| sign_ins::list(c, &filter, limit)).await?)
}

/// Removes from a row what its teamspace may not learn about policies.
pub(super) async fn confine(admin: &Admin, snapshot: &Snapshot, row: &mut SignIn) -> Result<(), AdminError> {
    let teamspace_config = row.teamspace_id.as_deref().and_then(|id| snapshot.teamspace_config_by_id(id));
    let teamspace_config = teamspace_config.ok_or(AdminError::NotFound)?;
    let policies =
        admin.app.past_sets.annotations(&admin.app.store, &admin.app.policies(), &row.policy_set).await?;
    let of_row = row.clone();
    let scopes: Vec<String> = of_row.scopes_asked.split_whitespace().map(str::to_owned).collect();
    let known = known_of(&of_row, &scopes);
    Disclosure { snapshot, teamspace_config, known, policies: &policies }.confine_row(row);
    Ok(())
}

/// The values that the sender of a row's request knows already.
pub(super) fn known_of<'a>(row: &'a SignIn, scopes: &'a [String]) -> Known<'a> {
    Known {
        client_id: &row.client_id,
        issuer: &row.issuer,
        subject: &row.subject,
        email: &row.email,
        scopes,
        ..Known::default()
    }
}
