//! The credentials of a caller, from its header and form (RFC 6749 §2.3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::{ErrorCode, Reason, TokenError, shown};
use super::form::{FormCredentials, form_decode};

/// `client_assertion_type` of RFC 7523 §2.2.
pub const CLIENT_ASSERTION_JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The credentials that a caller presents.
#[derive(Debug)]
pub enum Credentials {
    /// HTTP Basic.
    Basic {
        /// The decoded user-pass.
        user_pass: String,
        /// The `client_id` in the body beside it.
        client_id: Option<String>,
    },
    /// Two parameters of the form.
    Post {
        /// The claimed id.
        client_id: String,
        /// The secret.
        secret: String,
    },
    /// Only a name.
    Public {
        /// The claimed id.
        client_id: String,
    },
    /// A JWT that the caller signed (RFC 7523 §2.2), which nobody has verified yet.
    Assertion {
        /// The `client_id` beside it, which it does not need.
        client_id: Option<String>,
        /// The encoded JWT.
        assertion: String,
    },
}

/// The refusal of credentials. There is one message for an unknown id and a wrong secret, so that nobody learns which ids
/// exist.
pub fn refused(reason: Reason) -> TokenError {
    TokenError::new(ErrorCode::InvalidClient, reason, "Client authentication failed.")
}

impl Credentials {
    /// Reads the credentials from the `Authorization` header and the form; exactly one method is allowed (RFC 6749
    /// §2.3).
    pub fn from_request(header: Option<&[u8]>, form: FormCredentials) -> Result<Self, TokenError> {
        let several = || {
            TokenError::invalid_request("More than one method of client authentication was used: use one.")
        };
        if form.client_assertion.is_some() || form.client_assertion_type.is_some() {
            return match header.is_some() || form.client_secret.is_some() {
                true => Err(several()),
                false => Self::of_assertion(form),
            };
        }
        match (header, form.client_id, form.client_secret) {
            (Some(_), _, Some(_)) => Err(several()),
            (Some(header), client_id, None) => Ok(Self::Basic { user_pass: basic(header)?, client_id }),
            (None, Some(client_id), Some(secret)) => Ok(Self::Post { client_id, secret }),
            (None, Some(client_id), None) => Ok(Self::Public { client_id }),
            (None, None, _) => Err(refused(Reason::CLIENT_AUTH_FAILED)),
        }
    }

    /// RFC 7521 §4.2: the assertion and its type come together.
    fn of_assertion(form: FormCredentials) -> Result<Self, TokenError> {
        let FormCredentials { client_id, client_assertion, client_assertion_type, .. } = form;
        let failed = |detail: String| refused(Reason::CLIENT_AUTH_FAILED).detail(detail);
        let named = client_assertion_type.unwrap_or_default();
        if named != CLIENT_ASSERTION_JWT {
            return Err(failed(format!(
                "client_assertion_type is {}, expected {CLIENT_ASSERTION_JWT}",
                shown(&named)
            )));
        }
        let assertion = client_assertion.ok_or_else(|| failed("client_assertion is missing".to_owned()))?;
        Ok(Self::Assertion { client_id, assertion })
    }

    /// The id that the caller claims, as far as it can be read: for the log and the rate limit. `is_known` says which ids
    /// are registered. What an assertion claims is not read here.
    pub fn claimed_id(&self, is_known: &dyn Fn(&str) -> bool) -> String {
        match self {
            Self::Basic { client_id: Some(id), .. } | Self::Post { client_id: id, .. } => id.clone(),
            Self::Public { client_id } => client_id.clone(),
            Self::Assertion { client_id, .. } => client_id.clone().unwrap_or_default(),
            Self::Basic { user_pass, client_id: None } => {
                let readings = self.readings(is_known).into_iter();
                if let Some(id) = readings.map(|(id, _)| id).find(|id| is_known(id)) {
                    return id;
                }
                // Only the part before a literal colon is an id. The rest may be a secret, and so may a text without a
                // colon, or one whose colon was encoded.
                user_pass.split_once(':').map(|(id, _)| id.to_owned()).unwrap_or_default()
            }
        }
    }

    /// The possible readings of id and secret; none where there is no secret. Basic comes in two encodings: form-encoded as RFC 6749 §2.3.1 says, and
    /// raw as some SDKs send it.
    pub fn readings(&self, is_known: &dyn Fn(&str) -> bool) -> Vec<(String, String)> {
        match self {
            Self::Post { client_id, secret } => vec![(client_id.clone(), secret.clone())],
            Self::Assertion { .. } | Self::Public { .. } => Vec::new(),
            Self::Basic { user_pass, client_id } => {
                let mut readings = Vec::new();
                if let Some((id, secret)) = user_pass.split_once(':') {
                    let decoded = (form_decode(id.as_bytes()), form_decode(secret.as_bytes()));
                    if let (Some(id), Some(secret)) = decoded {
                        readings.push((id, secret));
                    }
                }
                readings.extend(raw_reading(user_pass, client_id.as_deref(), is_known));
                readings.retain(|(id, _)| client_id.as_ref().is_none_or(|named| named == id));
                readings
            }
        }
    }
}

/// Splits a raw pair whose id contains colons, such as a URL, after a registered id.
fn raw_reading(
    user_pass: &str,
    client_id: Option<&str>,
    is_known: &dyn Fn(&str) -> bool,
) -> Option<(String, String)> {
    let cut = |id: &str| Some((id.to_owned(), user_pass.strip_prefix(id)?.strip_prefix(':')?.to_owned()));
    if let Some(id) = client_id {
        return cut(id);
    }
    let colons = user_pass.match_indices(':').map(|(position, _)| position).take(8);
    let ids = colons.filter_map(|position| user_pass.get(..position));
    ids.filter(|id| is_known(id)).filter_map(cut).next()
}

fn basic(header: &[u8]) -> Result<String, TokenError> {
    let malformed = || refused(Reason::CLIENT_AUTH_FAILED);
    let header = std::str::from_utf8(header).map_err(|_| malformed())?;
    let (scheme, value) = header.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(value.trim()).map_err(|_| malformed())?;
    String::from_utf8(decoded).map_err(|_| malformed())
}
