//! Answers of the SCIM endpoint.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::admin::AdminError;
use crate::admin::scim::ScimError;
use crate::limits::Limited;
use crate::scim::ScimFault;
use crate::store::StoreError;
use crate::web::api::problem::wire;

/// The media type of RFC 7644 §3.1.
pub const MEDIA_TYPE: &str = "application/scim+json";

/// A SCIM object with a status and headers.
pub struct ScimAnswer {
    status: StatusCode,
    body: Value,
    headers: HeaderMap,
}

impl ScimAnswer {
    /// An object.
    pub fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body, headers: HeaderMap::new() }
    }

    /// The same with a header, unless its value cannot be one.
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::try_from(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

impl IntoResponse for ScimAnswer {
    fn into_response(mut self) -> Response {
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        (self.status, self.headers, self.body.to_string()).into_response()
    }
}

/// A list of RFC 7644 §3.4.2.
pub fn list(items: Vec<Value>, total: i64, start: i64) -> ScimAnswer {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": items.len(),
        "Resources": items,
    });
    ScimAnswer::new(StatusCode::OK, body)
}

/// A refused SCIM request (RFC 7644 §3.12).
#[derive(Debug)]
pub struct ScimProblem {
    status: StatusCode,
    scim_type: Option<&'static str>,
    detail: Cow<'static, str>,
    header: Option<(HeaderName, String)>,
}

impl ScimProblem {
    /// A problem with its status and a text for people.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, scim_type: None, detail: detail.into(), header: None }
    }

    /// 401: whatever is wrong with the token or the teamspace, the answer is the same.
    pub fn unauthorized() -> Self {
        let problem = Self::new(StatusCode::UNAUTHORIZED, "A valid SCIM token of this teamspace is needed.");
        Self { header: Some((header::WWW_AUTHENTICATE, "Bearer".to_owned())), ..problem }
    }

    /// 404: there is no such resource.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is nothing here.")
    }

    /// 405: the path does not have the method.
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "This path does not have that method; see the Allow header.",
        )
    }

    fn of_type(scim_type: &'static str, status: StatusCode, detail: String) -> Self {
        Self { scim_type: Some(scim_type), ..Self::new(status, detail) }
    }

    fn unavailable(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "the SCIM endpoint cannot answer");
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "Temporarily unavailable; try again later.");
        Self { header: Some((header::RETRY_AFTER, "5".to_owned())), ..problem }
    }
}

impl From<ScimError> for ScimProblem {
    fn from(error: ScimError) -> Self {
        let text = error.to_string();
        match error {
            ScimError::Fault(fault) => fault.into(),
            ScimError::NoSuchUser => Self::new(StatusCode::NOT_FOUND, text),
            ScimError::NotUnique => Self::of_type("uniqueness", StatusCode::CONFLICT, text),
            ScimError::NotAsExpected => Self::new(StatusCode::PRECONDITION_FAILED, text),
            ScimError::Refused(error) => error.into(),
        }
    }
}

impl From<AdminError> for ScimProblem {
    fn from(error: AdminError) -> Self {
        let (text, (status, _)) = (error.to_string(), wire(&error));
        match error {
            AdminError::MemberExists => Self::of_type("uniqueness", StatusCode::CONFLICT, text),
            // A conflict would mean that the user is there already.
            AdminError::MemberLimitReached => Self::new(StatusCode::FORBIDDEN, text),
            AdminError::EmailDomainNotAllowed => Self::of_type("invalidValue", StatusCode::BAD_REQUEST, text),
            // The teamspace was removed or renamed since the token was checked.
            AdminError::NotFound => Self::unauthorized(),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Self::unavailable(&error),
            _ => Self::new(status, text),
        }
    }
}

impl From<ScimFault> for ScimProblem {
    fn from(fault: ScimFault) -> Self {
        Self::of_type(fault.scim_type(), StatusCode::BAD_REQUEST, fault.to_string())
    }
}

impl From<Limited> for ScimProblem {
    fn from(limited: Limited) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests of this teamspace.");
        Self { header: Some((header::RETRY_AFTER, limited.retry_after.to_string())), ..problem }
    }
}

impl From<StoreError> for ScimProblem {
    fn from(error: StoreError) -> Self {
        Self::unavailable(&error)
    }
}

impl IntoResponse for ScimProblem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.as_str(),
            "detail": self.detail,
        });
        if let (Some(body), Some(scim_type)) = (body.as_object_mut(), self.scim_type) {
            body.insert("scimType".to_owned(), scim_type.into());
        }
        let answer = ScimAnswer::new(self.status, body);
        match self.header {
            Some((name, value)) => answer.with(name, &value).into_response(),
            None => answer.into_response(),
        }
    }
}
