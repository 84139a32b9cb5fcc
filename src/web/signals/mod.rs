//! What identity providers send: one file for each protocol, and here what they have in common. The meaning is in
//! [`crate::signals`].

mod answer;
mod backchannel_logout;
mod global_token_revocation;
mod read;
mod security_events;

use std::sync::Arc;

use axum::Router;
use axum::routing::post;

use crate::app::App;
use crate::metrics::SignalResult;
use crate::model::signal_endpoint::SignalEndpoint;
use crate::signals::SignalRefusal;

/// The routes of an issuer with this path.
pub(super) fn routes(path: &str) -> Router<Arc<App>> {
    let at = |endpoint: SignalEndpoint| format!("{path}/t/{{slug}}/{}", endpoint.name());
    Router::new()
        .route(
            &at(SignalEndpoint::GlobalTokenRevocation),
            post(global_token_revocation::revoke).fallback(answer::method_not_allowed),
        )
        .route(
            &at(SignalEndpoint::SecurityEvents),
            post(security_events::receive).fallback(security_events::method_not_allowed),
        )
        .route(
            &at(SignalEndpoint::BackChannelLogout),
            post(backchannel_logout::log_out).fallback(answer::method_not_allowed),
        )
}

/// Counts what became of a signal.
fn count<T>(app: &App, endpoint: SignalEndpoint, outcome: &Result<T, SignalRefusal>) {
    let result = match outcome {
        Ok(_) => SignalResult::Accepted,
        Err(SignalRefusal::Repeated) => SignalResult::Repeated,
        Err(SignalRefusal::Limited(_) | SignalRefusal::Unavailable(_)) => SignalResult::Unavailable,
        Err(_) => SignalResult::Refused,
    };
    app.metrics.count_signal(endpoint, result);
}
