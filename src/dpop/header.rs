//! The header that a proof comes in (RFC 9449 §4.1).

use axum::http::{HeaderMap, HeaderName};

/// The header's name.
pub const DPOP: HeaderName = HeaderName::from_static("dpop");

/// The header of an answer with the nonce for the next proof (RFC 9449 §8.1).
pub const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The `DPoP` headers of a request, as they came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProofHeader<'a> {
    /// There is none: the request proves nothing.
    #[default]
    Absent,
    /// There is one, which may hold anything.
    One(&'a [u8]),
    /// There are several, which §4.3 refuses whatever they hold.
    Several,
}

impl<'a> ProofHeader<'a> {
    /// Those of a request.
    pub fn of(headers: &'a HeaderMap) -> Self {
        let mut values = headers.get_all(DPOP).iter();
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(only), None) => Self::One(only.as_bytes()),
            (Some(_), Some(_)) => Self::Several,
        }
    }
}
