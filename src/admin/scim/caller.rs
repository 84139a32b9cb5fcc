//! The holder of a SCIM token.

use std::sync::Arc;

use super::error::ScimError;
use crate::admin::caller::{ChangeAuthor, Origin};
use crate::admin::change::{Change, carry_out};
use crate::app::App;
use crate::model::actor_kind::ActorKind;
use crate::random::digest;
use crate::store::scim_tokens::{self, ScimToken};
use crate::store::snapshot::TeamspaceConfig;
use crate::store::{AnyConnection, StoreError};

/// How old the note of a token's last use may become, in seconds.
const USE_NOTED_EVERY: i64 = 15 * 60;

/// The holder of a SCIM token in its teamspace. Whoever made the token was allowed to let them change its members.
pub struct ScimCaller {
    /// The parts of the service that the request needs.
    pub app: Arc<App>,
    /// The teamspace, as it was when the request came in.
    pub(super) teamspace_config: Arc<TeamspaceConfig>,
    token: ScimToken,
    origin: Origin,
}

impl ScimCaller {
    /// Finds whose token was presented. None if it is not a good token of the teamspace with this slug, whatever the
    /// reason.
    pub async fn find(
        app: &Arc<App>,
        slug: &str,
        presented: &str,
        origin: Origin,
    ) -> Result<Option<Self>, StoreError> {
        let (digest, now) = (digest(presented), app.clock.now());
        let found = app.store.read(move |c| scim_tokens::find(c, &digest)).await?;
        let Some(token) = found.filter(|token| token.expires_at.is_none_or(|at| now < at)) else {
            return Ok(None);
        };
        let snapshot = app.snapshot();
        let named = snapshot.teamspace_config(slug).cloned();
        let Some(teamspace_config) = named.filter(|named| named.teamspace.id == token.teamspace_id) else {
            return Ok(None);
        };
        if token.last_used_at.is_none_or(|last| now - last >= USE_NOTED_EVERY) {
            let id = token.id.clone();
            app.store.write(move |c| scim_tokens::note_use(c, &id, now)).await?;
        }
        Ok(Some(Self { app: Arc::clone(app), teamspace_config, token, origin }))
    }

    /// The id of the teamspace.
    pub fn teamspace_id(&self) -> &str {
        &self.teamspace_config.teamspace.id
    }

    /// The slug of the teamspace.
    pub fn slug(&self) -> &str {
        &self.teamspace_config.teamspace.slug
    }

    /// Makes a change in one transaction with its audit row. Returns once it is in force in this process.
    pub(super) async fn change<T, F>(&self, job: F) -> Result<T, ScimError>
    where
        F: FnOnce(&mut AnyConnection) -> Result<(T, Option<Change>), ScimError> + Send + 'static,
        T: Send + 'static,
    {
        let author = ChangeAuthor {
            kind: ActorKind::ScimToken,
            id: self.token.id.clone(),
            name: self.token.name.clone(),
            origin: self.origin.clone(),
        };
        carry_out(Arc::clone(&self.app), author, |_| false, job).await
    }
}
