//! The checks of an assertion.

use crate::text_enum::text_enum;

text_enum! {
    /// A check of an assertion, in the order in which they are made.
    #[derive(PartialOrd, Ord)]
    Check {
        /// The client is registered, enabled, and may use this grant.
        Client = "client",
        /// The assertion is a signed JWT of the right type with an allowed algorithm.
        Format = "format",
        /// A teamspace has configured the issuer.
        Issuer = "issuer",
        /// The issuer publishes the key.
        Key = "key",
        /// The signature is good.
        Signature = "signature",
        /// Every claim is there and has its type.
        Claims = "claims",
        /// The assertion is for this server.
        Audience = "audience",
        /// The assertion was issued to this client.
        ClientBinding = "client_binding",
        /// The assertion is valid now, and not for too long.
        Times = "times",
        /// The assertion is for the teamspace that its issuer leads to.
        Tenant = "tenant",
        /// The MCP server is registered and offered to the teamspace.
        Resource = "resource",
        /// The MCP server has the scopes, and the authorization details fit it.
        Scopes = "scopes",
        /// No kill switch stops the teamspace, the issuer, the client or the MCP server.
        KillSwitch = "kill_switch",
        /// The key that the assertion names, or that is demanded, is proved.
        Proof = "proof",
        /// Subject and email lead to one member.
        Member = "member",
        /// The member's sessions were not ended since.
        Session = "session",
        /// The policies permit it.
        Policies = "policies",
        /// The assertion was not redeemed before.
        SingleUse = "single_use",
        /// The token would live.
        Token = "token",
    }
}

impl Check {
    /// Every check, in order.
    pub const ALL: [Self; 19] = [
        Self::Client,
        Self::Format,
        Self::Issuer,
        Self::Key,
        Self::Signature,
        Self::Claims,
        Self::Audience,
        Self::ClientBinding,
        Self::Times,
        Self::Tenant,
        Self::Resource,
        Self::Scopes,
        Self::KillSwitch,
        Self::Proof,
        Self::Member,
        Self::Session,
        Self::Policies,
        Self::SingleUse,
        Self::Token,
    ];
}
