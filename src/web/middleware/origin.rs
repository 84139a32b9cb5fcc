//! The origin of a request, for the audit log.

use axum::http::Extensions;

use super::caller_address::CallerAddress;
use super::request_id::RequestId;
use crate::admin::Origin;

/// The id and the caller's address of a request.
pub fn origin(request: &Extensions) -> Origin {
    let request_id = request.get::<RequestId>().map(|id| id.0.to_string()).unwrap_or_default();
    let CallerAddress(address) = CallerAddress::of(request);
    let address = if address.is_unspecified() { String::new() } else { address.to_string() };
    Origin { request_id, address }
}
