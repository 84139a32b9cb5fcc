//! Whether details are about the resource that the token is for.

use url::Url;

use super::detail::{Detail, MCP_TOOL};
use super::fault::DetailsFault;
use crate::oauth::resource::normalize;

/// Checks that every location is the resource or below it, and that the server of a tool limit is the resource.
pub fn check_places(details: &[Detail], resource: &str) -> Result<(), DetailsFault> {
    details.iter().try_for_each(|detail| {
        let elsewhere = |member| {
            let detail_type = detail.detail_type().to_owned();
            Err(DetailsFault::Elsewhere { detail_type, member })
        };
        if !detail.list("locations").all(|location| is_within(location, resource)) {
            return elsewhere("locations");
        }
        let server = detail.text("server").filter(|_| detail.detail_type() == MCP_TOOL);
        match server.is_none_or(|server| is_same(server, resource)) {
            true => Ok(()),
            false => elsewhere("server"),
        }
    })
}

/// Resources are compared as they are in the `resource` parameter.
fn is_same(named: &str, resource: &str) -> bool {
    named == resource || normalize(named).is_some_and(|named| normalize(resource) == Some(named))
}

/// Whether a location is a resource, or below its path. One below must be written in the normal form: two readers of one
/// text could otherwise see two places.
fn is_within(location: &str, resource: &str) -> bool {
    if is_same(location, resource) {
        return true;
    }
    let (Some(below), Ok(above)) = (plain(location), Url::parse(resource)) else { return false };
    if above.query().is_some() || below.origin() != above.origin() || !below.origin().is_tuple() {
        return false;
    }
    let segments = |url: &Url| {
        let path = url.path().trim_start_matches('/').trim_end_matches('/').to_owned();
        path.split('/').filter(|_| !path.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    segments(&below).starts_with(&segments(&above))
}

/// A URL without what a server might read as another path: user, query, fragment, dot segments (also with parameters),
/// encoded dots, slashes and backslashes.
fn plain(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| url.as_str() == text)?;
    let lower = text.to_ascii_lowercase();
    let is_hidden = ["%2e", "%2f", "%5c"].iter().any(|encoded| lower.contains(encoded));
    let is_dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    let is_bare = url.username().is_empty() && url.password().is_none();
    let is_path = url.query().is_none() && url.fragment().is_none() && !url.path().split('/').any(is_dots);
    (is_bare && is_path && !is_hidden).then_some(url)
}
