//! Admits a request, or refuses it at once if too many are under way.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::{Body as _, Incoming};
use tower::ServiceExt as _;

use super::body;
use crate::limits::gate::Gate;

/// Receives a request's body, takes a slot, and has the request answered.
pub(super) async fn admit(
    gate: &Gate,
    router: Router,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response, Infallible> {
    let mut request = if request.body().is_end_stream() {
        request.map(Body::new)
    } else {
        let Ok(_place) = gate.receive() else { return Ok(Gate::refusal()) };
        body::received(request).await
    };
    let Ok(_place) = gate.enter(&request) else { return Ok(Gate::refusal()) };
    // First let everybody who has sent a request by now be admitted or refused. Otherwise, with more requests than the
    // processor can handle, the queue would grow in the sockets, where nobody counts it.
    if gate.is_crowded() {
        tokio::task::yield_now().await;
    }
    request.extensions_mut().insert(ConnectInfo(peer));
    router.oneshot(request).await
}
