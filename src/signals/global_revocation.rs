//! Global Token Revocation (draft-parecki-oauth-global-token-revocation), as Okta's Universal Logout calls it: a request
//! that a signed token authenticates, with the person in its body.

use std::sync::Arc;

use super::authenticate::{SignedEvent, authenticate};
use super::end_sessions::Ending;
use super::refusal::SignalRefusal;
use super::subject::Subject;
use crate::admin::Origin;
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::model::revocation::RevocationCause;
use crate::model::signal_endpoint::SignalEndpoint;
use crate::oauth::json::parse_object;

/// A sender who may end the sessions of the people whom they speak for. The body is read only now.
pub struct GlobalRevocation {
    event: SignedEvent,
    dead_at: UnixSeconds,
}

impl GlobalRevocation {
    /// Authenticates the sender by the token of the `Authorization` header. A token that breaks any rule authenticates
    /// nobody.
    pub async fn authenticate(app: &App, slug: &str, token: &str) -> Result<Self, SignalRefusal> {
        let event = authenticate(app, slug, token, |typ| typ == "global-token-revocation+jwt").await?;
        if !event.claims.is_for(&[&SignalEndpoint::GlobalTokenRevocation.url(&app.config.issuer, slug)]) {
            return Err(SignalRefusal::Audience);
        }
        event.claims.id().map_err(SignalRefusal::unauthenticated)?;
        if event.claims.get("exp").is_none() {
            return Err(SignalRefusal::unauthenticated("exp is missing"));
        }
        let life = event.claims.life(event.clock).map_err(SignalRefusal::unauthenticated)?;
        Ok(Self { event, dead_at: life.dead_at })
    }

    /// Ends the sessions of the person in the body, up to now.
    pub async fn perform(self, app: &Arc<App>, body: &[u8], origin: &Origin) -> Result<(), SignalRefusal> {
        let (subject, cause) = (read_subject(body)?, RevocationCause::GlobalTokenRevocation);
        let times = (self.event.clock.now, self.dead_at);
        Ending::of(&self.event, subject, cause, times, origin).perform(app).await
    }
}

/// The subject: `sub_id`, or `subject` as drafts before 03 call it.
fn read_subject(body: &[u8]) -> Result<Subject, SignalRefusal> {
    let malformed = |text: &str| SignalRefusal::Malformed(text.to_owned());
    let body = parse_object(body).ok_or_else(|| malformed("The body is no JSON object."))?;
    match (body.get("sub_id"), body.get("subject")) {
        (Some(subject), None) | (None, Some(subject)) => Ok(Subject::read(subject)?),
        _ => Err(malformed("The body must have sub_id, and nothing else that names a subject.")),
    }
}
