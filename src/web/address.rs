//! Who is calling, as far as the network tells.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_client_ip::ClientIp;

use crate::app::App;
use crate::exchange::error::TokenError;

/// The caller's address, as a request extension.
#[derive(Debug, Clone, Copy)]
pub struct CallerAddress(pub IpAddr);

/// Finds the caller's address: the connection's, or the one that the operator's proxy names. Without
/// either all callers share one address, and so one budget. Refuses callers that come too often, when
/// that limit is on.
pub async fn limit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(app.config.client_ip_source.clone());
    let found = ClientIp::from_request_parts(&mut parts, &()).await;
    let address = found.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ip| ip.0);
    parts.extensions.insert(CallerAddress(address));
    match app.limits.check_address(address) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(limited) => TokenError::from(limited).into_response(),
    }
}
