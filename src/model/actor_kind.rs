//! The kinds of actors that the audit log names.

use crate::text_enum::text_enum;

text_enum! {
    /// How somebody came to make a change.
    ActorKind {
        /// A token of the admin API.
        Token = "token",
        /// A person who signed in to the console.
        Person = "person",
        /// A session of the console that began with the set-up token.
        SetupToken = "setup_token",
        /// A customer's administrator who came by a set-up link.
        SetupLink = "setup_link",
        /// A command on a machine that has the database.
        Command = "command",
        /// An identity provider of the teamspace, with a token for SCIM.
        ScimToken = "scim_token",
        /// An identity provider of the teamspace, by a signed event.
        IdentityProvider = "identity_provider",
        /// A client, by its metadata document.
        ClientDocument = "client_document",
    }
}
