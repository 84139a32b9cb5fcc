//! Why a request to the admin API failed, in one sentence. The token is never in it.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::idp::fetch::{FetchError, FetcherError};
use crate::terminal::out::inline;

/// Why a command did not get what it asked the admin API for.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ApiProblem {
    /// A text that no id can be.
    #[error("`{0}` cannot be an id")]
    NotAnId(String),
    /// The address of the service is not one.
    #[error("--server `{0}` is not an address; expected a URL such as https://auth.example.com")]
    ServerInvalid(String),
    /// The token would travel in the clear.
    #[error(
        "--server {0} is not https, so others could read the token on its way; use https, or --allow-http if the \
         network is yours"
    )]
    PlainHttp(String),
    /// There is a service to ask, and no token.
    #[error(
        "a token is needed for --server: give --token-file FILE, or set COUNTERSIGN_TOKEN; `countersign admin-token \
         create` makes one"
    )]
    NoToken,
    /// A token that no header can hold.
    #[error("the token is not one: it has characters that no token has")]
    TokenInvalid,
    /// A file cannot be read.
    #[error("--token-file {}: {source}", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The client cannot be set up.
    #[error(transparent)]
    Client(#[from] FetcherError),
    /// No answer.
    #[error("{address} {}", not_reached(why))]
    NotReached {
        /// The service.
        address: String,
        /// Why.
        why: FetchError,
    },
    /// An answer that is not the admin API's.
    #[error(
        "the answer (status {0}) is not from the admin API of Countersign; --server must be the issuer's URL"
    )]
    NotTheApi(u16),
    /// A list without items.
    #[error("the answer of {0} is not a list")]
    NotAList(String),
    /// The service refuses.
    #[error(transparent)]
    Refused(Box<ApiRefusal>),
}

/// A refusal of the admin API (RFC 9457).
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) struct ApiRefusal {
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// The sentence for people.
    detail: String,
    /// The checks of an identity provider, if it failed one.
    pub checks: Vec<Value>,
    /// The path that was asked for.
    path: String,
    /// The cause of a failure, where it is known.
    cause: Option<String>,
}

impl ApiProblem {
    /// Reads a refusal. Anything that is no problem comes from another service.
    pub(super) fn refused(status: u16, answer: Value, path: &str, cause: Option<String>) -> Self {
        let Value::Object(mut members) = answer else { return Self::NotTheApi(status) };
        let mut text = |name| match members.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (Some(code), Some(detail)) = (text("code"), text("detail")) else {
            return Self::NotTheApi(status);
        };
        let checks = match members.remove("checks") {
            Some(Value::Array(checks)) => checks,
            _ => Vec::new(),
        };
        Self::Refused(Box::new(ApiRefusal { status, code, detail, checks, path: path.to_owned(), cause }))
    }
}

impl fmt::Display for ApiRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, detail) = (inline(&self.code), inline(&self.detail));
        match (self.status, &self.cause) {
            (401, _) => f.write_str(
                "the service does not accept the token: it is unknown or has expired; make another with `countersign \
                 admin-token create`",
            ),
            (404, _) => {
                let path = self.path.split('?').next().unwrap_or_default();
                let path = percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy();
                write!(f, "there is nothing at {} that you may see ({code})", inline(&path))
            }
            (_, Some(cause)) => write!(f, "{} ({code})", inline(cause)),
            _ => write!(f, "{} ({code})", detail.trim_end_matches('.')),
        }
    }
}

/// Why there was no answer, and what to do.
fn not_reached(why: &FetchError) -> String {
    let remedy = match why {
        FetchError::Unreachable(_) | FetchError::Lookup(_) => {
            "; is the service running there, and is --server right?"
        }
        FetchError::Redirect => "; give --server the address that it redirects to",
        _ => "",
    };
    format!("{why}{remedy}")
}
