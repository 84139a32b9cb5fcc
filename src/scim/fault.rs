//! Why a SCIM request cannot be understood.

/// Why a SCIM request cannot be understood. The texts are for the administrator of the identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScimFault {
    /// The body is not JSON, nested too deeply, or names something twice.
    #[error("The body must be one JSON object, at most 16 deep, without repeated names and without NUL.")]
    Body,
    /// There is no usable `userName`.
    #[error("userName is needed: a text of 1 to 254 bytes without control characters.")]
    UserName,
    /// The `externalId` is not a text, or too long.
    #[error("externalId must be a text of 1 to 254 bytes without control characters.")]
    ExternalId,
    /// `active` is neither true nor false.
    #[error("active must be true or false.")]
    Active,
    /// A new user has no email address.
    #[error(
        "An email address is needed: in emails, or as userName. Write it plainly, without comments or quotes."
    )]
    Email,
    /// The names and addresses are too long to keep.
    #[error("userName and emails together must not be longer than 4096 bytes.")]
    TooLong,
    /// The filter is not one that is understood.
    #[error("The filter must be: userName, externalId, emails.value or id, then eq, then a text in quotes.")]
    Filter,
    /// The path of a patch is not one that is understood.
    #[error("The path must be an attribute such as name.givenName or emails[type eq \"work\"].value.")]
    Path,
    /// A patch has no operations, or one of them is not as it should be.
    #[error("A patch needs Operations, each with op add, replace or remove, and a value unless it removes.")]
    Operation,
    /// A patch has more operations than one may have.
    #[error("A patch has at most 50 operations.")]
    TooManyOperations,
    /// An operation removes, and does not say what.
    #[error("An operation that removes needs a path.")]
    NoTarget,
}

impl ScimFault {
    /// The `scimType` of the answer (RFC 7644 §3.12).
    pub const fn scim_type(self) -> &'static str {
        match self {
            Self::Body | Self::Operation | Self::TooManyOperations => "invalidSyntax",
            Self::UserName | Self::ExternalId | Self::Active | Self::Email | Self::TooLong => "invalidValue",
            Self::Filter => "invalidFilter",
            Self::Path => "invalidPath",
            Self::NoTarget => "noTarget",
        }
    }
}
