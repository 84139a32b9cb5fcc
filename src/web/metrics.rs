//! `/metrics`, on the private listener.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::metrics::CONTENT_TYPE;

/// The metrics, for Prometheus and the like.
pub async fn show(State(app): State<Arc<App>>) -> Response {
    match app.render_metrics() {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
