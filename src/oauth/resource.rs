//! How resources are named: RFC 8707 §2.

use url::Url;

/// Whether a text can name a resource: an absolute URI without fragment (RFC 8707 §2).
pub fn is_resource_identifier(text: &str) -> bool {
    parse(text).is_some()
}

fn parse(text: &str) -> Option<Url> {
    // The URL parser would mend white space, backslashes and a missing `//`: two readers of one text
    // could then see two resources.
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'\\' | b'"' | b'<' | b'>' | b'#' | b'^' | b'`');
    let written_out = |url: &Url| !url.has_host() || text.split_once("://").is_some();
    (text.len() <= 2048 && text.bytes().all(plain)).then_some(())?;
    Url::parse(text).ok().filter(written_out)
}

/// The syntax normalization of RFC 3986 §6.2.2 and nothing more: scheme and host in lower case, no
/// default port, `/` for an empty path. Paths, other trailing slashes and queries stay as they are.
pub fn normalize(text: &str) -> Option<String> {
    parse(text).map(String::from)
}
