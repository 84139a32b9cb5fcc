//! A handler's answer: a page, the form again, a redirect to the next page, or an error.

use std::any::Any;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::notice::SetNotice;
use super::openid_words;
use crate::admin::AdminError;
use crate::admin::export::Export;
use crate::limits::Limited;
use crate::openid::SignInError;
use crate::store::StoreError;
use crate::web::api::problem::wire;
use crate::web::error::Cause;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The place to sign in, which leads back.
    #[error("nobody is signed in")]
    SignIn(String),
    #[error("Nothing is here. The address may be wrong, or what it led to was removed.")]
    NotFound,
    #[error("This page does not work that way. Go back and use its buttons.")]
    MethodNotAllowed,
    #[error("The form could not be read: {0}.")]
    Form(String),
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A sign-in with OpenID Connect did not come about.
    #[error(transparent)]
    OpenId(#[from] SignInError),
    #[error("the session cannot be kept: {0}")]
    Session(#[from] tower_sessions::session::Error),
    #[error("a page cannot be made: {0}")]
    Template(#[from] askama::Error),
}

/// A failure that gets a page of its own. It travels with the response until
/// [`super::layers::explain_failures`] makes that page.
#[derive(Debug, Clone)]
pub struct Failure {
    pub title: &'static str,
    pub text: String,
}

/// Marks a response: the visitor must sign in first.
#[derive(Debug, Clone, Copy)]
pub struct SignInNeeded;

/// A page.
pub fn page(template: &impl Template) -> Result<Response, PageError> {
    Ok(Html(template.render()?).into_response())
}

/// A page with a form that has mistakes.
pub fn form_again(template: &impl Template) -> Result<Response, PageError> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page(template)?).into_response())
}

/// Rows as a file to download: `json`, or else CSV.
pub fn download(export: Export, name: &str, format: &str) -> Result<Response, PageError> {
    let (kind, ending, body) = match format {
        "json" => ("application/json", "json", export.json().to_string().into_bytes()),
        _ => ("text/csv; charset=utf-8", "csv", export.csv().map_err(cannot_export)?),
    };
    let disposition = format!("attachment; filename=\"{name}.{ending}\"");
    let disposition = HeaderValue::from_str(&disposition).map_err(|_| PageError::NotFound)?;
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, body).into_response())
}

fn cannot_export(error: csv::Error) -> PageError {
    tracing::error!(%error, "rows cannot be written as CSV");
    PageError::Form("the rows cannot be written as CSV".to_owned())
}

/// The way to another page.
pub fn go(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => PageError::NotFound.into_response(),
    }
}

/// A redirect to another page, which shows the notice.
pub fn go_with_notice(location: &str, notice: impl Into<String>) -> Response {
    let mut response = go(location);
    response.extensions_mut().insert(SetNotice(notice.into()));
    response
}

impl PageError {
    fn failure(&self) -> (StatusCode, Failure) {
        let (status, title, text) = match self {
            Self::SignIn(_) => (StatusCode::UNAUTHORIZED, "Sign in", self.to_string()),
            Self::NotFound | Self::Admin(AdminError::NotFound) => {
                (StatusCode::NOT_FOUND, "Not found", Self::NotFound.to_string())
            }
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "That did not work", self.to_string()),
            Self::Form(_) => (StatusCode::BAD_REQUEST, "That did not work", self.to_string()),
            Self::Admin(AdminError::OperatorOnly) => {
                let text = "Only an operator of this deployment can see this page.";
                (StatusCode::FORBIDDEN, "Not allowed", text.to_owned())
            }
            Self::Admin(error @ AdminError::NotPermitted(_)) => {
                (StatusCode::FORBIDDEN, "Not allowed", error.to_string())
            }
            Self::Admin(AdminError::Limited(Limited { retry_after })) => {
                let text = format!("That were many requests in a short time. Try again in {retry_after} s.");
                (StatusCode::TOO_MANY_REQUESTS, "Too many requests", text)
            }
            Self::Admin(error @ AdminError::SetupLinkInvalid) => {
                (StatusCode::GONE, "This link does not work", error.to_string())
            }
            Self::OpenId(error) => openid_words::explain(error),
            Self::Admin(error) if wire(error).0 != StatusCode::SERVICE_UNAVAILABLE => {
                (wire(error).0, "That did not work", error.to_string())
            }
            Self::Admin(_) | Self::Session(_) | Self::Template(_) => {
                tracing::error!(error = %self, "the console cannot answer");
                let text = "Something is out of order at the moment. Nothing is lost: try again in a minute.";
                (StatusCode::SERVICE_UNAVAILABLE, "Temporarily unavailable", text.to_owned())
            }
        };
        (status, Failure { title, text })
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        Self::Admin(error.into())
    }
}

impl From<Limited> for PageError {
    fn from(limited: Limited) -> Self {
        Self::Admin(limited.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if let Self::SignIn(location) = &self {
            let mut response = go(location);
            response.extensions_mut().insert(SignInNeeded);
            return response;
        }
        let (status, failure) = self.failure();
        let mut response = status.into_response();
        if let Self::Admin(AdminError::Limited(limited)) = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(limited.retry_after));
        }
        if let Self::OpenId(error) = &self {
            response.extensions_mut().insert(Cause(error.to_string()));
        }
        response.extensions_mut().insert(failure);
        response
    }
}

/// A defect: the process goes on, and the person gets a page.
pub fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    tracing::error!(panic = text, "a page of the console panicked");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
