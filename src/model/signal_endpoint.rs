//! The URLs that an identity provider sends its signals to: each teamspace has its own.

/// An endpoint of a teamspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignalEndpoint {
    /// Global Token Revocation, such as Okta's Universal Logout.
    GlobalTokenRevocation,
    /// Security event tokens of the Shared Signals Framework.
    SecurityEvents,
    /// OpenID Connect Back-Channel Logout.
    BackChannelLogout,
}

impl SignalEndpoint {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::GlobalTokenRevocation, Self::SecurityEvents, Self::BackChannelLogout];

    /// The last part of its path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GlobalTokenRevocation => "global-token-revocation",
            Self::SecurityEvents => "security-events",
            Self::BackChannelLogout => "backchannel-logout",
        }
    }

    /// Its URL in a teamspace.
    pub fn url(self, issuer: &str, slug: &str) -> String {
        format!("{issuer}/t/{slug}/{}", self.name())
    }
}
