//! Why an administrator's request is refused. The texts are for the person who asked.

use std::borrow::Cow;

use diesel::result::Error as DieselError;
use serde_json::Value;
use tokio::task::JoinError;

use crate::app::StartError;
use crate::limits::Limited;
use crate::random::NoEntropy;
use crate::store::{StoreError, is_duplicate};

/// Why an administrator's request is refused, or could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Also for what exists and is not the caller's, so that nobody learns of it.
    #[error("There is nothing here.")]
    NotFound,
    #[error("This needs an operator's token.")]
    OperatorOnly,
    #[error("This token, or its teamspace, has used up its budget, or has too many requests under way.")]
    Limited(Limited),
    #[error("A name has 1 to 200 characters without control characters.")]
    NameInvalid,
    #[error("{0}")]
    ScopeInvalid(ListFault),

    #[error("{0}")]
    GroupsInvalid(ListFault),
    #[error("{0}")]
    GrantTypesInvalid(ListFault),

    #[error("{0}")]
    TeamspaceUnknown(ListFault),

    #[error("{0}")]
    EmailDomainInvalid(ListFault),

    #[error("groups_claim has 1 to 200 characters without control characters.")]
    GroupsClaimInvalid,
    #[error("No resource that is offered to this teamspace has the scope {0}.")]
    ScopeUnknown(String),
    #[error("{0}")]
    NotAcceptable(Box<NotAcceptable>),
    #[error("Another teamspace has configured this issuer.")]
    IssuerTaken,
    /// The same to a teamspace: which issuers are customers' is told to operators only.
    #[error("This issuer cannot be saved here; ask the operator.")]
    IssuerUnavailable,
    #[error("The teamspace has several identity providers; name one by its id.")]
    SeveralIdentityProviders,
    #[error("The identity provider was changed meanwhile; look at it and try again.")]
    ChangedMeanwhile,

    #[error("The change is saved and not in force yet; it will be soon.")]
    NotInForce(#[source] Box<StartError>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    #[error("the change was broken off: {0}")]
    BrokenOff(#[from] JoinError),
}

/// Why a list is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListFault {
    #[error("There are more than 1000 entries.")]
    TooMany,
    #[error("{shown:?}: {rule}")]
    Entry { shown: String, rule: &'static str },
    #[error("{shown:?} is listed twice.")]
    Twice { shown: String },
}

/// The first check of an identity provider that failed, with the outcome of all of them.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct NotAcceptable {
    /// The check's, or the reason of the policy that says no.
    pub code: Cow<'static, str>,
    pub message: String,
    pub checks: Value,
}

impl AdminError {
    /// A unique violation as this error; every other one stays what it is.
    pub fn if_duplicate(self, error: impl Into<StoreError>) -> Self {
        match error.into() {
            StoreError::Database(error) if is_duplicate(&error) => self,
            other => other.into(),
        }
    }
}

impl From<DieselError> for AdminError {
    fn from(error: DieselError) -> Self {
        Self::Store(error.into())
    }
}

impl From<Limited> for AdminError {
    fn from(limited: Limited) -> Self {
        Self::Limited(limited)
    }
}
