//! The life of an access token: issued, looked at, ended.

use serde::Serialize;
use utoipa::ToSchema;

use super::caller::{InTeamspace, Operator};
use super::error::AdminError;
use super::sign_in_row;
use crate::app::App;
use crate::clock::{UnixSeconds, rfc3339};
use crate::model::revocation::{Revocation, RevocationCause, RevocationKind, publication_id};
use crate::store::sign_ins::SignIn;
use crate::store::token_uses::TokenUse;
use crate::store::{revocations, token_uses};

/// The life of a token, as far as it is known.
#[derive(Debug, Clone)]
pub struct TokenLife {
    /// The `jti`.
    pub token_id: String,
    /// The `iat`.
    pub issued_at: UnixSeconds,
    /// When it expires at the latest; exact once the token was used.
    pub expires_by: UnixSeconds,
    /// How often it was looked at; none before the first time.
    pub uses: Option<TokenUse>,
    /// When it was revoked and why; none if it was not.
    pub revoked: Option<(UnixSeconds, RevocationCause)>,
    /// Whether it has neither expired nor been revoked.
    pub is_active: bool,
}

/// The life of a token as JSON.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenLife)]
pub struct TokenLifeView {
    /// The `jti` of the token.
    token_id: String,
    #[schema(format = DateTime)]
    issued_at: String,
    /// The time at which it expires at the latest. Exact once the token was used.
    #[schema(format = DateTime)]
    expires_by: String,
    /// How often an MCP server asked about it. Counts are at most a minute old.
    introspections: i64,
    /// How often a proxy asked about it.
    forward_auths: i64,
    #[schema(required, format = DateTime)]
    first_used_at: Option<String>,
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
    /// When it was revoked; null when it was not.
    #[schema(required, format = DateTime)]
    ended_at: Option<String>,
    /// Why it was revoked.
    #[schema(required)]
    ended_by: Option<RevocationCause>,
    /// Whether it has neither expired nor been revoked.
    active: bool,
}

/// The life of the token that a request of a teamspace got.
pub async fn of_teamspace(at: &InTeamspace, request_id: &str) -> Result<TokenLife, AdminError> {
    let row = sign_in_row::of_teamspace(at, request_id).await?;
    of_row(&at.app, &row).await?.ok_or(AdminError::NotFound)
}

/// The life of the token that any request got.
pub async fn of_all(operator: &Operator, request_id: &str) -> Result<TokenLife, AdminError> {
    let row = sign_in_row::of_all(operator, request_id).await?;
    of_row(&operator.app, &row).await?.ok_or(AdminError::NotFound)
}

/// The life of the token that a row of the decision log is about; none if the request was refused.
pub(super) async fn of_row(app: &App, row: &SignIn) -> Result<Option<TokenLife>, AdminError> {
    if row.token_id.is_empty() {
        return Ok(None);
    }
    let (objects, token_id, issued_at) = (objects_of(app, row), row.token_id.clone(), row.at);
    let read = move |c: &mut _| {
        let uses = token_uses::find(c, &token_id)?;
        Ok((uses, revocations::first_of(c, &objects, issued_at)?))
    };
    let (uses, revoked) = app.store.list(read).await?;
    let latest = row.at + app.config.access_token.lifetime.as_secs();
    Ok(Some(TokenLife::of(row, (uses, revoked), latest, app.clock.now())))
}

/// Every object whose revocation concerns the token.
fn objects_of(app: &App, row: &SignIn) -> Vec<(RevocationKind, String)> {
    let teamspace_id = row.teamspace_id.clone().unwrap_or_default();
    let mut objects = vec![
        (RevocationKind::Token, row.token_id.clone()),
        (RevocationKind::Member, row.member_id.clone()),
        (RevocationKind::Teamspace, teamspace_id.clone()),
        (RevocationKind::IdentityProvider, row.identity_provider_id.clone()),
        (RevocationKind::Client, row.client_id.clone()),
        (RevocationKind::Everything, String::new()),
    ];
    if let Some(resource) = app.snapshot().resource_named(&row.resource) {
        objects.push((RevocationKind::Resource, resource.id.clone()));
        objects.push((RevocationKind::Publication, publication_id(&resource.id, &teamspace_id)));
    }
    objects
}

impl TokenLife {
    fn of(
        row: &SignIn,
        (uses, revoked): (Option<TokenUse>, Option<Revocation>),
        latest: UnixSeconds,
        now: UnixSeconds,
    ) -> Self {
        let expires_by = uses.as_ref().map_or(latest, |uses| uses.expires_at);
        // What came after the end did not end it.
        let revoked = revoked.filter(|revocation| revocation.at < expires_by);
        Self {
            token_id: row.token_id.clone(),
            issued_at: row.at,
            expires_by,
            is_active: revoked.is_none() && now < expires_by,
            revoked: revoked.map(|revocation| (revocation.at, revocation.cause)),
            uses,
        }
    }

    /// As the API shows it.
    pub fn view(&self) -> TokenLifeView {
        let uses = self.uses.as_ref();
        TokenLifeView {
            token_id: self.token_id.clone(),
            issued_at: rfc3339(self.issued_at),
            expires_by: rfc3339(self.expires_by),
            introspections: uses.map_or(0, |uses| uses.introspections),
            forward_auths: uses.map_or(0, |uses| uses.forward_auths),
            first_used_at: uses.map(|uses| rfc3339(uses.first_used_at)),
            last_used_at: uses.map(|uses| rfc3339(uses.last_used_at)),
            ended_at: self.revoked.map(|(at, _)| rfc3339(at)),
            ended_by: self.revoked.map(|(_, cause)| cause),
            active: self.is_active,
        }
    }
}
