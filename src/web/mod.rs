//! The edge: bytes to types and back, no decisions.

/// The id under which a request's log lines and decision-log row are found; answered as `X-Request-Id`.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);
