//! The logs that are kept in the database.

use crate::text_enum::text_enum;

text_enum! {
    /// A log whose rows are sealed.
    Log {
        /// The outcome of every request at the token endpoint.
        Decisions = "decisions",
        /// Who changed what.
        Admin = "admin",
    }
}

impl Log {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Decisions, Self::Admin];
}
