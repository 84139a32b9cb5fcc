//! How two texts that must be the same differ, where the difference is easily overlooked.

use super::error::shown;

/// A small difference between two identifiers, told after "they differ only".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// One has a slash more at its end.
    #[error("by a trailing slash")]
    TrailingSlash,
    /// One is http, the other https.
    #[error("by http and https")]
    Scheme,
    /// Only the case of letters differs.
    #[error("in upper and lower case")]
    Case,
    /// One has no port, and the other has one, often the default one.
    #[error("by the port")]
    Port,
    /// The hosts differ, and one looks like a custom domain of the other.
    #[error("by the host, and one may be a custom domain of the other")]
    CustomDomain,
}

/// A URL as it is written, in parts that keep every character.
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    /// Empty without one.
    port: &'a str,
    /// Everything behind the port.
    rest: &'a str,
}

impl Difference {
    /// The one small difference between two texts; none when they are the same, or differ in more than that.
    pub fn between(one: &str, other: &str) -> Option<Self> {
        if one == other {
            None
        } else if one.trim_end_matches('/') == other.trim_end_matches('/') {
            Some(Self::TrailingSlash)
        } else if one.eq_ignore_ascii_case(other) {
            Some(Self::Case)
        } else {
            Self::of_urls(&Parts::of(one)?, &Parts::of(other)?)
        }
    }

    fn of_urls(one: &Parts<'_>, other: &Parts<'_>) -> Option<Self> {
        let same = |part: for<'p> fn(&Parts<'p>) -> &'p str| part(one) == part(other);
        let found = [
            (!same(|parts| parts.scheme), Self::Scheme),
            (!same(|parts| parts.port), Self::Port),
            (!same(|parts| parts.host), Self::CustomDomain),
        ];
        let mut found = found.into_iter().filter_map(|(differs, how)| differs.then_some(how));
        let (Some(how), None) = (found.next(), found.next()) else { return None };
        let is_small = match how {
            Self::Port => one.port.is_empty() || other.port.is_empty(),
            Self::CustomDomain => may_be_custom_domain(one.host, other.host),
            _ => true,
        };
        (same(|parts| parts.rest) && is_small).then_some(how)
    }
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, behind) =
            url.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
        let (authority, rest) = behind.split_at(behind.find(['/', '?', '#']).unwrap_or(behind.len()));
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if is_port(port) => (host, port),
            _ => (authority, ""),
        };
        Some(Self { scheme, host, port, rest })
    }
}

/// The labels of a host that an organization chose: those before the ending that a registry gave (`com`, `co.uk`).
pub fn chosen_labels(host: &str) -> impl Iterator<Item = &str> {
    let labels: Vec<&str> = host.split('.').collect();
    let ending = labels.iter().rev().take_while(|label| label.len() <= 3).count().max(1);
    let chosen = labels.len().saturating_sub(ending);
    labels.into_iter().take(chosen)
}

/// Whether one host is named, at a vendor, as the other's domain is: `acme.okta.com` and `login.acme.com`.
fn may_be_custom_domain(one: &str, other: &str) -> bool {
    let is_named_as = |vendors: &str, domain: &str| {
        let (mut at_vendor, name) = (chosen_labels(vendors), chosen_labels(domain).last());
        let organization = at_vendor.next();
        at_vendor.next().is_some() && name.is_some_and(|name| name.len() > 2) && organization == name
    };
    is_named_as(one, other) || is_named_as(other, one)
}

/// Names the expected and the received text; if they are almost the same, also how they differ and what to do.
pub fn expectation(what: &str, expected: &str, found: &str, remedy: &str) -> String {
    let remark = match Difference::between(expected, found) {
        Some(difference) => format!("; they differ only {difference}. {remedy}"),
        None => String::new(),
    };
    format!("{what}: expected {}, got {}{remark}", shown(expected), shown(found))
}
