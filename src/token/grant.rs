//! The grant that a token is made of.

use serde_json::Value;

use crate::clock::UnixSeconds;

/// The content of a token. It is made from what the policies permitted, so it cannot exist without a decision.
#[derive(Debug, Clone)]
pub struct Grant {
    pub member_id: String,
    /// The teamspace's slug. It may later belong to another teamspace.
    pub teamspace: String,
    pub teamspace_id: String,
    pub client_id: String,
    pub resource: String,
    pub scopes: Vec<String>,
    pub issued_at: UnixSeconds,
    pub expires_at: UnixSeconds,
    pub token_id: String,
    pub auth_time: Option<UnixSeconds>,
    pub acr: Option<String>,
    pub amr: Vec<String>,
    pub act: Option<Value>,
}
