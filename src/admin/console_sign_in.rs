//! Signing in to the console with OpenID Connect: who comes in, and as what.

use super::caller::{ChangeAuthor, Origin};
use super::change::Change;
use super::console::{MOST_PLACES, SignedIn};
use crate::app::App;
use crate::model::actor_kind::ActorKind;
use crate::openid::{Attempt, LIFETIME, SignInError, SignedInPerson};
use crate::store::console_sessions::SessionKind;
use crate::store::{StoreError, finished_sign_ins, members};

/// Signs in somebody whom the provider knows: an operator, or an active member of a teamspace. An attempt is finished
/// once only, over all replicas.
pub async fn finish(
    app: &App,
    person: SignedInPerson,
    attempt: &Attempt,
    origin: &Origin,
) -> Result<SignedIn, SignInError> {
    let kind = kind_of(app, &person).await?.ok_or_else(|| SignInError::Nobody(person.email.clone()))?;
    let (digest, now) = (attempt.digest(), app.clock.now());
    let (email, origin) = (person.email.clone(), origin.clone());
    let finish = app.store.write(move |c| -> Result<bool, StoreError> {
        let is_first = finished_sign_ins::finish(c, &digest, now + LIFETIME)?;
        if is_first {
            let actor =
                ChangeAuthor { kind: ActorKind::Person, id: String::new(), name: email.clone(), origin };
            Change::noted("console.sign_in", email, None).record(c, actor, now)?;
        }
        Ok(is_first)
    });
    if !finish.await? {
        return Err(SignInError::Finished);
    }
    Ok(SignedIn {
        kind,
        email: person.email,
        name: person.name,
        teamspace_id: None,
        link_id: String::new(),
        groups: person.groups,
        lifetime: app.config.console.session_lifetime.as_secs(),
    })
}

/// The kind of session that a person may have, if any.
async fn kind_of(app: &App, person: &SignedInPerson) -> Result<Option<SessionKind>, StoreError> {
    if app.config.console.is_operator(&person.email, &person.groups) {
        return Ok(Some(SessionKind::Operator));
    }
    let email = person.email.clone();
    let places = app.store.read(move |c| members::places_of(c, &email, MOST_PLACES)).await?;
    Ok((!places.is_empty()).then_some(SessionKind::Member))
}
