//! Authentication of the requesting client (RFC 6749 section 2.3.1).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::directory::Directory;
use super::error::IdpTokenError;
use super::parameters::Parameters;

/// The id of the client that authenticated with `client_secret_basic` or `client_secret_post`.
pub(super) fn authenticate(
    directory: &Directory,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<String, IdpTokenError> {
    match basic_credentials(headers)? {
        Some(credentials) => client_secret_basic(directory, &credentials, parameters),
        None => client_secret_post(directory, parameters),
    }
}

fn client_secret_basic(
    directory: &Directory,
    credentials: &str,
    parameters: &Parameters,
) -> Result<String, IdpTokenError> {
    // RFC 6749 section 2.3: a client uses one authentication method per request.
    if parameters.get("client_secret").is_some() {
        return Err(IdpTokenError::InvalidRequest("the client authenticates in two ways at once"));
    }
    let client_id = directory
        .clients()
        .find(|(id, secret)| basic_matches(credentials, id, secret))
        .map(|(id, _)| id.to_owned())
        .ok_or(IdpTokenError::InvalidClient("unknown client or wrong secret"))?;
    match parameters.get("client_id") {
        Some(repeated) if repeated != client_id => {
            Err(IdpTokenError::InvalidClient("client_id is not the client that authenticated"))
        }
        _ => Ok(client_id),
    }
}

fn client_secret_post(directory: &Directory, parameters: &Parameters) -> Result<String, IdpTokenError> {
    let absent = IdpTokenError::InvalidClient("the client did not authenticate");
    let (Some(id), Some(secret)) = (parameters.get("client_id"), parameters.get("client_secret")) else {
        return Err(absent);
    };
    if !directory.secret_matches(id, secret) {
        return Err(IdpTokenError::InvalidClient("unknown client or wrong secret"));
    }
    Ok(id.to_owned())
}

/// The decoded user-pass of a Basic header (RFC 7617 section 2), when there is one.
fn basic_credentials(headers: &HeaderMap) -> Result<Option<String>, IdpTokenError> {
    let malformed = || IdpTokenError::InvalidClient("the Authorization header is not usable");
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed());
    }
    let (scheme, encoded) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    String::from_utf8(decoded).map(Some).map_err(|_| malformed())
}

/// RFC 6749 section 2.3.1 form-encodes both parts; several MCP clients send them raw. The
/// raw pair is compared whole, because an id that is a URL contains the separating colon.
fn basic_matches(credentials: &str, id: &str, secret: &str) -> bool {
    let expected = format!("{id}:{secret}");
    let decoded = credentials
        .split_once(':')
        .and_then(|(id, secret)| Some(format!("{}:{}", form_decode(id)?, form_decode(secret)?)));
    let matches = |given: &str| verify_slices_are_equal(given.as_bytes(), expected.as_bytes()).is_ok();
    matches(credentials) || decoded.is_some_and(|given| matches(&given))
}

/// Undoes `application/x-www-form-urlencoded` (RFC 6749 appendix B) for one value.
fn form_decode(value: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
