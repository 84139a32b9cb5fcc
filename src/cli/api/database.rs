//! The way in this process: the same routes, on the database of the configuration. Nothing listens and nothing runs in
//! the background. A running service learns of the changes as it does of another replica's.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::request::Builder;
use tower::ServiceExt as _;

use super::ApiAnswer;
use super::problem::ApiProblem;
use crate::app::App;
use crate::cli::CommandError;
use crate::cli::policy::cannot_start;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::store::connection::shown;
use crate::web::api::{FailureCause, command_line_router};

/// Longest accepted answer.
const LONGEST: usize = 256 * 1024 * 1024;

/// The database of a configuration.
pub(super) struct DatabaseApi {
    app: Arc<App>,
    router: Router,
}

impl DatabaseApi {
    /// Opens it, which must exist and have every migration.
    pub(super) async fn open(config: Option<&Path>) -> Result<Self, CommandError> {
        let config = Config::load(config)?;
        let app = App::inspect(config, Arc::new(SystemClock)).await.map_err(cannot_start)?;
        Ok(Self { router: command_line_router(Arc::clone(&app)), app })
    }

    /// Its URL without a password.
    pub(super) fn shown(&self) -> String {
        shown(&self.app.config.database_url)
    }

    pub(super) async fn send(
        &self,
        request: Builder,
        path: &str,
        body: Vec<u8>,
    ) -> Result<ApiAnswer, ApiProblem> {
        let request = request.uri(path).body(Body::from(body));
        let request = request.map_err(|_| ApiProblem::NotAnId(path.to_owned()))?;
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let cause = parts.extensions.get().map(|FailureCause(cause)| cause.clone());
        let body = to_bytes(body, LONGEST).await.map_err(|_| ApiProblem::NotTheApi(parts.status.as_u16()))?;
        Ok(ApiAnswer { status: parts.status, body, cause })
    }

    pub(super) async fn close(self) {
        let store = self.app.store.clone();
        // Whoever else holds the store keeps its connections open, and closing it would wait in vain.
        drop(self);
        store.close().await;
    }
}
