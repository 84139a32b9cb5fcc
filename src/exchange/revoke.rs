//! A client revokes a token that it got (RFC 7009).

use crate::app::App;
use crate::idp::client_assertion::assertion_replayed;
use crate::model::revocation::{Revocation, RevocationCause};
use crate::oauth::credentials::Credentials;
use crate::oauth::error::{Reason, TokenError};
use crate::oauth::presented_token::PresentedToken;
use crate::token::{AccessToken, TokenMarks, verify};

use super::TokenCall;
use super::client::authenticate;

/// Revokes the presented token if it is the client's and still active. Anything else counts as revoked already, and is
/// answered alike, so that a client learns nothing about the tokens of others (RFC 7009 §2.2).
pub async fn revoke(app: &App, call: TokenCall<'_>) -> Result<(), TokenError> {
    let mut presented = PresentedToken::parse(call.body)?;
    let credentials =
        Credentials::from_request(call.authorization, std::mem::take(&mut presented.credentials));
    let client =
        authenticate(app, &app.snapshot(), credentials, call.address).await.map_err(|failed| failed.error)?;
    let token = verify(&presented.token()?, &app.signer(), &app.config.issuer);
    let own = token.filter(|token| token.client_id == client.registered().client_id);
    let revocation = own.and_then(|token| to_record(app, &token));
    let revocation = revocation.map(|revocation| revocation.by_request(call.request_id));
    let revocations: Vec<Revocation> = revocation.into_iter().collect();
    let revoked = match client.assertion().cloned() {
        Some(used) => app.revoke_once(used, revocations).await,
        None if revocations.is_empty() => return Ok(()),
        None => app.revoke(revocations).await.map(|()| None),
    };
    match revoked {
        Ok(None) => Ok(()),
        Ok(Some(conflict)) => Err(assertion_replayed(conflict)),
        Err(error) => Err(TokenError::unavailable(Reason::INTERNAL, error)),
    }
}

/// The revocation of a token; none if it is over already, so that the same request over and over writes once.
fn to_record(app: &App, token: &AccessToken) -> Option<Revocation> {
    let now = app.clock.now();
    let snapshot = app.snapshot();
    let resource_id = snapshot.resource_named(&token.audience).map(|resource| resource.id.as_str());
    let marks = TokenMarks::of(token, resource_id.unwrap_or_default());
    if token.expires_at <= now || app.revoked.is_revoked(&marks, token.issued_at) {
        return None;
    }
    Some(Revocation::of_token(
        (&token.token_id, token.issued_at),
        &token.teamspace_id,
        resource_id,
        RevocationCause::RevokedByClient,
        now,
    ))
}
