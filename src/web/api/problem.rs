//! Refusals as RFC 9457 problem details, each with a stable `code`.

use std::borrow::Cow;
use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use diesel::result::Error as DieselError;
use serde_json::{Value, json};

use crate::admin::AdminError;
use crate::limits::Limited;
use crate::random::NoEntropy;
use crate::store::{StoreError, is_duplicate};

/// A refused request of the admin API.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: Cow<'static, str>,
    /// An extension member (RFC 9457 §3.2).
    member: Option<Box<(&'static str, Value)>>,
    header: Option<(Header, Cow<'static, str>)>,
}

/// What a problem says in a header besides.
#[derive(Debug, Clone, Copy)]
enum Header {
    WwwAuthenticate,
    RetryAfter,
}

impl Header {
    const fn name(self) -> HeaderName {
        match self {
            Self::WwwAuthenticate => header::WWW_AUTHENTICATE,
            Self::RetryAfter => header::RETRY_AFTER,
        }
    }
}

impl Problem {
    /// A problem with its status, its stable code and a text for the person who reads it.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code: code.into(), detail: detail.into(), member: None, header: None }
    }

    /// 422: well-formed, and not acceptable.
    pub fn invalid(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 409: it collides with what is there.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 404: also for what exists and is not the caller's, so that nobody learns of it.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here.")
    }

    /// 401. `challenge` is the `WWW-Authenticate` value (RFC 6750 §3).
    pub fn unauthorized(challenge: &'static str, detail: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).header(Header::WwwAuthenticate, challenge)
    }

    /// 403: the caller's token is a teamspace's, and this is the operator's business.
    pub fn operator_only() -> Self {
        Self::new(StatusCode::FORBIDDEN, "operator_only", "This needs an operator's token.")
    }

    /// 503. The cause is logged and not told.
    pub fn unavailable(cause: &dyn fmt::Display) -> Self {
        tracing::error!(error = %cause, "the admin API cannot answer");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable; try again later.")
            .header(Header::RetryAfter, "5")
    }

    /// The same with an extension member.
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.member = Some(Box::new((name, value)));
        self
    }

    /// The same with a text of its own.
    fn detail(mut self, detail: String) -> Self {
        self.detail = detail.into();
        self
    }

    fn header(mut self, header: Header, value: impl Into<Cow<'static, str>>) -> Self {
        self.header = Some((header, value.into()));
        self
    }

    /// A unique violation as this problem; every other error stays what it is.
    pub fn if_duplicate(self, error: impl Into<StoreError>) -> Self {
        match error.into() {
            StoreError::Database(error) if is_duplicate(&error) => self,
            other => other.into(),
        }
    }
}

/// The status and the stable code of each error: the only place where they stand.
fn wire(error: &AdminError) -> (StatusCode, Cow<'static, str>) {
    use AdminError as E;
    const INVALID: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
    let (status, code) = match error {
        E::NotFound => (StatusCode::NOT_FOUND, "not_found"),
        E::OperatorOnly => (StatusCode::FORBIDDEN, "operator_only"),
        E::Limited(_) => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
        E::NameInvalid => (INVALID, "name_invalid"),
        E::ScopeInvalid(_) => (INVALID, "scope_invalid"),
        E::GroupsInvalid(_) => (INVALID, "groups_invalid"),
        E::GrantTypesInvalid(_) => (INVALID, "grant_types_invalid"),
        E::TeamspaceUnknown(_) => (INVALID, "teamspace_unknown"),
        E::EmailDomainInvalid(_) => (INVALID, "email_domain_invalid"),
        E::GroupsClaimInvalid => (INVALID, "groups_claim_invalid"),
        E::ScopeUnknown(_) => (INVALID, "scope_unknown"),
        E::NotAcceptable(failed) => return (INVALID, failed.code.clone()),
        E::IssuerTaken => (StatusCode::CONFLICT, "issuer_taken"),
        E::IssuerUnavailable => (StatusCode::CONFLICT, "issuer_unavailable"),
        E::SeveralIdentityProviders => (StatusCode::CONFLICT, "several_identity_providers"),
        E::ChangedMeanwhile => (StatusCode::CONFLICT, "changed_meanwhile"),
        E::NotInForce(_) | E::Store(_) | E::NoEntropy(_) | E::BrokenOff(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
    };
    (status, code.into())
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        let (status, code) = wire(&error);
        let problem = |text: String| Self::new(status, code, text);
        match error {
            AdminError::NotInForce(ref cause) => Self::unavailable(cause).detail(error.to_string()),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Self::unavailable(&error),
            AdminError::Limited(limited) => {
                problem(error.to_string()).header(Header::RetryAfter, limited.retry_after.to_string())
            }
            AdminError::NotAcceptable(failed) => problem(failed.message).with("checks", failed.checks),
            error => problem(error.to_string()),
        }
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        AdminError::from(limited).into()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::unavailable(&error)
    }
}

impl From<DieselError> for Problem {
    fn from(error: DieselError) -> Self {
        Self::unavailable(&error)
    }
}

impl From<NoEntropy> for Problem {
    fn from(error: NoEntropy) -> Self {
        Self::unavailable(&error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let (Some(object), Some(member)) = (body.as_object_mut(), self.member) {
            object.insert(member.0.to_owned(), member.1);
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let header =
            self.header.and_then(|(header, value)| Some((header, HeaderValue::try_from(&*value).ok()?)));
        if let Some((header, value)) = header {
            headers.insert(header.name(), value);
        }
        (self.status, headers, body.to_string()).into_response()
    }
}
