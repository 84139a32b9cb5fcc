//! Why a SCIM request is refused.

use diesel::result::Error as DieselError;
use tokio::task::JoinError;

use crate::admin::error::AdminError;
use crate::scim::ScimFault;
use crate::store::StoreError;

/// Why a SCIM request is refused, or could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ScimError {
    /// The request cannot be understood.
    #[error(transparent)]
    Fault(#[from] ScimFault),
    /// The teamspace has no such user.
    #[error("There is no such user.")]
    NoSuchUser,
    /// Another user has the name or the address.
    #[error("Another user of this teamspace has this userName or email address.")]
    NotUnique,
    /// The user is not as the request's `If-Match` says.
    #[error("The user has changed since; read it again.")]
    NotAsExpected,
    /// A rule for members forbids it, or the service cannot do it now.
    #[error(transparent)]
    Refused(#[from] AdminError),
}

impl From<StoreError> for ScimError {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<DieselError> for ScimError {
    fn from(error: DieselError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<JoinError> for ScimError {
    fn from(error: JoinError) -> Self {
        Self::Refused(error.into())
    }
}
