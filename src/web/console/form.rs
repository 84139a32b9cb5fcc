//! Forms: reads the input and reports the mistakes in it.

use axum::body::{Body, to_bytes};
use axum::extract::{Form, FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use super::answer::PageError;
use crate::admin::AdminError;
use crate::web::MAX_BODY;

/// A form's fields.
pub struct Typed<T>(pub T);

/// The type of what browsers send.
const FORM: &str = "application/x-www-form-urlencoded";

/// Whether a body is a form.
pub fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM)
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Typed<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        if !is_form(request.headers()) {
            return Err(PageError::Form("it is of another type".to_owned()));
        }
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, MAX_BODY).await;
        let body = body.map_err(|_| PageError::Form("it is too long, or did not arrive whole".to_owned()))?;
        // PostgreSQL stores it in no text.
        if body.windows(3).any(|window| window == b"%00") || body.contains(&0) {
            return Err(PageError::Form("a field has the character NUL in it".to_owned()));
        }
        let read = Form::from_request(Request::from_parts(parts, Body::from(body)), state).await;
        read.map(|Form(fields)| Self(fields)).map_err(|error| PageError::Form(error.body_text()))
    }
}

/// The mistakes in a form, by field.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

/// One mistake.
#[derive(Debug)]
pub struct Fault {
    /// The field's name, which is its id as well.
    pub field: &'static str,
    pub text: String,
}

impl Faults {
    /// One mistake in a field.
    pub fn of(field: &'static str, text: impl Into<String>) -> Self {
        Self(vec![Fault { field, text: text.into() }])
    }

    /// The mistake behind a refusal. `field_of` finds its field; without one, it is not a mistake in the form.
    pub fn from_refusal(
        error: AdminError,
        field_of: impl Fn(&AdminError) -> Option<&'static str>,
    ) -> Result<Self, PageError> {
        match field_of(&error) {
            Some(field) => Ok(Self::of(field, error.to_string())),
            None => Err(error.into()),
        }
    }

    /// Adds a mistake.
    pub fn add(&mut self, field: &'static str, text: impl Into<String>) {
        self.0.push(Fault { field, text: text.into() });
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, for the summary.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// The mistake in one field.
    pub fn at(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|fault| fault.field == field).map(|fault| fault.text.as_str())
    }
}

/// The entries of a field with one in each line.
pub fn lines_of(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The entries of a field that are separated by white space or commas.
pub fn words_of(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || c == ',');
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
