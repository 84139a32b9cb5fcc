//! `application/x-www-form-urlencoded`, as forms and as queries.

use super::error::TokenError;

/// More parameters than any client sends.
const MAX_PARAMETERS: usize = 64;

/// Parameters that may carry a client's credentials.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FormCredentials {
    /// The client's identifier (RFC 6749 §2.3.1); allowed beside HTTP Basic if it names the same client.
    pub client_id: Option<String>,
    /// The client's secret, for `client_secret_post`.
    pub client_secret: Option<String>,
    /// An assertion by which the client authenticates (RFC 7521 §4.2).
    pub client_assertion: Option<String>,
    /// The kind of that assertion.
    pub client_assertion_type: Option<String>,
}

/// The parameters of a form. A repeated name is an error, but for `resource`; an empty value counts as absent and
/// unknown names are ignored (RFC 6749 §3.2).
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `name=value&…`, strictly.
    pub fn parse(body: &[u8]) -> Result<Self, TokenError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in split(body, b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
            let malformed =
                || TokenError::invalid_request("The form is not well encoded: send UTF-8, percent-encoded.");
            let name = form_decode(name).ok_or_else(malformed)?;
            let value = form_decode(value).ok_or_else(malformed)?;
            if name != "resource" && pairs.iter().any(|(known, _)| *known == name) {
                return Err(TokenError::invalid_request(
                    "A parameter is repeated: send each once, but for resource.",
                ));
            }
            if pairs.len() == MAX_PARAMETERS {
                return Err(TokenError::invalid_request(
                    "There are too many parameters: send 64 at the most.",
                ));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// Takes the value of a parameter.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let position = self.0.iter().position(|(known, value)| known == name && !value.is_empty())?;
        Some(self.0.remove(position).1)
    }

    /// Every value of a parameter that may be repeated.
    pub fn take_all(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(known, value)| known == name && !value.is_empty());
        values.map(|(_, value)| value.clone()).collect()
    }

    /// Takes the parameters that may carry credentials.
    pub fn take_credentials(&mut self) -> FormCredentials {
        FormCredentials {
            client_id: self.take("client_id"),
            client_secret: self.take("client_secret"),
            client_assertion: self.take("client_assertion"),
            client_assertion_type: self.take("client_assertion_type"),
        }
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
