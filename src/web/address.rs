//! Who is calling, as far as the network tells.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{FromRequestParts as _, Request};
use axum_client_ip::ClientIp;

use crate::app::App;
use crate::limits::Limited;

/// The caller's address, as a request extension.
#[derive(Debug, Clone, Copy)]
pub struct CallerAddress(pub IpAddr);

/// Finds the caller's address: the connection's, or the one that the operator's proxy names. Without
/// either all callers share one address, and so one budget. Refuses callers that come too often, when
/// that limit is on.
pub async fn admit(app: &App, request: Request) -> Result<Request, Limited> {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(app.config.client_ip_source.clone());
    let found = ClientIp::from_request_parts(&mut parts, &()).await;
    let address = found.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ip| ip.0);
    parts.extensions.insert(CallerAddress(address));
    app.limits.check_address(address)?;
    Ok(Request::from_parts(parts, body))
}
