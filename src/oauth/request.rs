//! The token request, from its form (RFC 6749 §3.2, RFC 7523 §2.1, RFC 8707 §2).

use super::error::{ErrorCode, Reason, TokenError};
use super::scope::{ScopeFault, split_scope};

/// `grant_type` of RFC 7523 §2.1.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// More parameters than any client sends.
const MAX_PARAMETERS: usize = 64;

/// Parameters that may carry a client's credentials.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FormCredentials {
    /// The client's identifier (RFC 6749 §2.3.1); allowed beside HTTP Basic if it names the same client.
    pub client_id: Option<String>,
    /// The client's secret, for `client_secret_post`.
    pub client_secret: Option<String>,
    /// RFC 7521 §4.2: not supported, but never ignored.
    pub client_assertion: bool,
}

/// A well-formed token request of any grant type.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TokenRequest {
    /// The grant that is asked for; never empty.
    pub grant_type: String,
    /// The encoded assertion (RFC 7521 §4.1); none when absent or empty.
    pub assertion: Option<String>,
    /// The scopes asked for, without repetition; none when the parameter is absent or empty.
    pub scope: Option<Vec<String>>,
    /// The values of `resource` (RFC 8707 §2) in the order of the form; it may be repeated.
    pub resource: Vec<String>,
    /// Whether `authorization_details` (RFC 9396) was sent, which we refuse.
    pub authorization_details: bool,
    /// The client's credentials, if the form has any.
    pub credentials: FormCredentials,
}

/// A request for the JWT bearer grant (RFC 7523 §2.1).
#[derive(Debug, PartialEq, Eq)]
pub struct BearerRequest {
    /// The encoded assertion, which nobody has verified yet.
    pub assertion: String,
    /// The scopes asked for, without repetition; none when the client leaves them to us.
    pub scope: Option<Vec<String>>,
    /// The values of `resource` as they were sent.
    pub resource: Vec<String>,
}

impl TokenRequest {
    /// Parses a form. A repeated name is an error, but for `resource`; an empty value counts as absent
    /// and unknown names are ignored (RFC 6749 §3.2).
    pub fn parse(body: &[u8]) -> Result<Self, TokenError> {
        let mut form = Form::parse(body)?;
        let scope = form.take("scope").map(|text| parse_scope(&text)).transpose()?;
        Ok(Self {
            grant_type: form
                .take("grant_type")
                .ok_or_else(|| TokenError::invalid_request("grant_type is missing."))?,
            assertion: form.take("assertion"),
            scope,
            resource: form.take_all("resource"),
            authorization_details: form.take("authorization_details").is_some(),
            credentials: FormCredentials {
                client_id: form.take("client_id"),
                client_secret: form.take("client_secret"),
                client_assertion: form.take("client_assertion").is_some()
                    || form.take("client_assertion_type").is_some(),
            },
        })
    }

    /// The JWT bearer request, if the grant is that one.
    pub fn into_bearer(self) -> Result<BearerRequest, TokenError> {
        if self.grant_type != JWT_BEARER {
            return Err(TokenError::new(
                ErrorCode::UnsupportedGrantType,
                Reason::GRANT_UNSUPPORTED,
                "Only the JWT bearer grant is supported.",
            ));
        }
        // RFC 9396 §5: details that cannot be processed refuse the request.
        if self.authorization_details {
            return Err(TokenError::new(
                ErrorCode::InvalidRequest,
                Reason::DETAILS_UNSUPPORTED,
                "authorization_details are not supported.",
            ));
        }
        let assertion = self.assertion.ok_or_else(|| TokenError::invalid_request("assertion is missing."))?;
        Ok(BearerRequest { assertion, scope: self.scope, resource: self.resource })
    }
}

/// The scope parameter.
pub fn parse_scope(text: &str) -> Result<Vec<String>, TokenError> {
    split_scope(text).map_err(|fault| match fault {
        ScopeFault::TooLong => TokenError::invalid_request("scope is too long."),
        ScopeFault::TooMany => TokenError::invalid_request("scope lists too many scopes."),
        ScopeFault::Character => TokenError::new(
            ErrorCode::InvalidScope,
            Reason::REQUEST_MALFORMED,
            "scope has characters that are not allowed in it.",
        ),
    })
}

struct Form(Vec<(String, String)>);

impl Form {
    fn parse(body: &[u8]) -> Result<Self, TokenError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in split(body, b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
            let malformed = || TokenError::invalid_request("The form is not well encoded.");
            let name = form_decode(name).ok_or_else(malformed)?;
            let value = form_decode(value).ok_or_else(malformed)?;
            if name != "resource" && pairs.iter().any(|(known, _)| *known == name) {
                return Err(TokenError::invalid_request("A parameter is repeated."));
            }
            if pairs.len() == MAX_PARAMETERS {
                return Err(TokenError::invalid_request("There are too many parameters."));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let position = self.0.iter().position(|(known, value)| known == name && !value.is_empty())?;
        Some(self.0.remove(position).1)
    }

    fn take_all(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(known, value)| known == name && !value.is_empty());
        values.map(|(_, value)| value.clone()).collect()
    }
}

/// The parts between the separators. An assertion is long, so the search takes many bytes at a time.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memchr::memchr_iter(separator, text).chain(std::iter::once(text.len()));
    ends.map(move |end| {
        let part = text.get(start..end).unwrap_or_default();
        start = end + 1;
        part
    })
}

/// `application/x-www-form-urlencoded` text, strictly: a broken escape, a NUL or text that is not UTF-8
/// is refused instead of being repaired into something else.
pub fn form_decode(text: &[u8]) -> Option<String> {
    if memchr::memchr3(b'+', b'%', 0, text).is_none() {
        // As most are, and the assertion always is.
        return std::str::from_utf8(text).ok().map(str::to_owned);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(*bytes.next()?)? << 4 | hex(*bytes.next()?)?,
            other => *other,
        });
    }
    String::from_utf8(decoded).ok().filter(|text| !text.contains('\0'))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
