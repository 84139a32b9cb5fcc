//! Teamspaces, the customers.

use crate::clock::UnixSeconds;
use crate::email::domain_of;
use crate::text_enum::text_enum;

text_enum! {
    /// The plan that a teamspace has bought.
    Plan {
        /// Costs nothing.
        Free = "free",
        /// Paid, for small teams.
        Pro = "pro",
        /// Paid, for companies.
        Enterprise = "enterprise",
    }
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Teamspace {
    /// A random identifier, unique in the deployment, which never changes.
    pub id: String,
    /// The short name in URLs and policies: unique, and an administrator can change it.
    pub slug: String,
    /// The name for people.
    pub name: String,
    /// The plan that the customer pays for; policies read it.
    pub plan: Plan,
    /// Most active and invited members; none means unlimited.
    pub member_limit: Option<i64>,
    /// Lower case; empty means any.
    pub email_domains: Vec<String>,
    /// By its IANA name, such as `Europe/Berlin`.
    pub time_zone: String,
    /// The time at which it was added.
    pub created_at: UnixSeconds,
}

impl Teamspace {
    /// Whether people with such an email may be invited.
    pub fn admits_email(&self, email: &str) -> bool {
        let domain = domain_of(email).unwrap_or_default();
        self.email_domains.is_empty() || self.email_domains.iter().any(|own| own == domain)
    }
}

/// The time zone where none is named.
pub const UTC: &str = "UTC";

/// Whether a time zone is the one where none is named.
pub fn is_utc(time_zone: &str) -> bool {
    time_zone == UTC
}

/// The name of a time zone as the database of time zones writes it; none where it has no such zone.
pub fn known_time_zone(name: &str) -> Option<String> {
    let zone = jiff::tz::TimeZone::get(name).ok()?;
    zone.iana_name().map(str::to_owned)
}

/// Whether a text has the form of a slug.
pub fn is_slug(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}
