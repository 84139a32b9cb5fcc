//! Logout tokens of OpenID Connect Back-Channel Logout 1.0. A provider takes part once the client id is configured under
//! which it knows this service.

use std::sync::Arc;

use super::authenticate::authenticate;
use super::claims::EventFault;
use super::end_sessions::Ending;
use super::refusal::SignalRefusal;
use super::subject::Subject;
use crate::admin::Origin;
use crate::app::App;
use crate::model::revocation::RevocationCause;

/// The event that makes a token a logout token (§2.4).
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Takes a logout token, and ends the person's sessions. A person without a member here has none, so that is no fault
/// (§2.7).
pub async fn log_out(app: &Arc<App>, slug: &str, token: &str, origin: &Origin) -> Result<(), SignalRefusal> {
    // Older providers give their logout tokens the type of any other token, or none.
    let signed = authenticate(app, slug, token, |typ| matches!(typ, "logout+jwt" | "jwt" | "")).await?;
    let client_id = signed.provider.logout_client_id.as_deref();
    let client_id = client_id.ok_or_else(|| SignalRefusal::unauthenticated("back-channel logout is off"))?;
    if !signed.claims.is_for(&[client_id]) {
        return Err(SignalRefusal::Audience);
    }
    signed.claims.id()?;
    let life = signed.claims.life(signed.clock)?;
    let event = signed.claims.get("events").and_then(|events| events.get(LOGOUT_EVENT));
    if !event.is_some_and(serde_json::Value::is_object) {
        return Err(EventFault("events must have the logout event, which is an object.").into());
    }
    if signed.claims.0.contains_key("nonce") {
        return Err(EventFault("A logout token has no nonce.").into());
    }
    let (iss, sub) = (signed.provider.issuer.clone(), signed.claims.text("sub", 255).map(str::to_owned));
    let sub = sub.ok_or(EventFault("sub is missing or malformed; sid alone is not supported."))?;
    let (subject, cause) = (Subject::IssuerSubject { iss, sub }, RevocationCause::BackChannelLogout);
    match Ending::of(&signed, subject, cause, (life.issued_at, life.dead_at), origin).perform(app).await {
        Err(SignalRefusal::UnknownUser) => Ok(()),
        done => done,
    }
}
