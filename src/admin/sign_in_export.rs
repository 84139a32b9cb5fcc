//! Rows of the decision log as a file.

use super::caller::{Admin, InTeamspace, Operator};
use super::error::AdminError;
use super::export::{Export, PAGE};
use super::sign_ins;
use crate::decision_log::view;
use crate::store::Page;
use crate::store::sign_ins::{Filter, SignIn};

/// Most reads for one file: a rare row may lie far back.
const READS: usize = 40;

/// The columns: texts of the row as programs get it.
const COLUMNS: [&str; 17] = [
    "time",
    "teamspace",
    "outcome",
    "reason",
    "detail",
    "email",
    "subject",
    "member_id",
    "client_id",
    "identity_provider",
    "issuer",
    "resource",
    "scopes_asked",
    "scopes_granted",
    "policy_ids",
    "request_id",
    "repeated",
];

/// Whose rows are read.
enum ExportScope<'a> {
    Teamspace(&'a InTeamspace),
    All(&'a Operator),
}

/// A teamspace's rows.
pub async fn of_teamspace(at: &InTeamspace, filter: Filter) -> Result<Export, AdminError> {
    let _place = at.enter_heavy()?;
    ExportScope::Teamspace(at).collect(filter).await
}

/// Exports the rows of every teamspace, and those that led to none.
pub async fn of_all(operator: &Operator, filter: Filter) -> Result<Export, AdminError> {
    let _place = operator.enter_heavy()?;
    ExportScope::All(operator).collect(filter).await
}

impl ExportScope<'_> {
    fn admin(&self) -> &Admin {
        match self {
            Self::Teamspace(at) => at,
            Self::All(operator) => operator,
        }
    }

    async fn read(&self, filter: Filter) -> Result<Page<SignIn>, AdminError> {
        match self {
            Self::Teamspace(at) => sign_ins::of_teamspace(at, filter, PAGE).await,
            Self::All(operator) => sign_ins::of_all(operator, filter, PAGE).await,
        }
    }

    async fn collect(&self, mut filter: Filter) -> Result<Export, AdminError> {
        let mut export = Export::new(&COLUMNS);
        for _ in 0..READS {
            let page = self.read(filter.clone()).await?;
            let snapshot = self.admin().app.snapshot();
            let slug = |row: &SignIn| row.teamspace_id.as_deref().and_then(|id| snapshot.slug_of(id));
            filter.cursor = page.next_cursor.and_then(|cursor| cursor.parse().ok());
            if !export.add(page.items.iter().map(|row| view(row, slug(row))), filter.cursor.is_some()) {
                break;
            }
        }
        Ok(export)
    }
}
