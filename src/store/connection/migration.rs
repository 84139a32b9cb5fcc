//! The results of migrations, whose errors Diesel boxes.

pub(super) type MigrationResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// An error in a transaction of migrations.
pub(super) struct MigrationFailure(pub Box<dyn std::error::Error + Send + Sync>);

impl From<diesel::result::Error> for MigrationFailure {
    fn from(error: diesel::result::Error) -> Self {
        Self(error.into())
    }
}
