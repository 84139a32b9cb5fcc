//! Searches of the decision log, as somebody typed them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::clock::UnixSeconds;
use crate::store::sign_ins::Filter;

/// A search. What is blank is not searched for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignInSearch {
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub request_id: Option<String>,
    pub client_id: Option<String>,
    /// An email, a subject or a member's id.
    pub person: Option<String>,
    /// The id of an identity provider.
    pub identity_provider: Option<String>,
    pub issuer: Option<String>,
    /// A day, or a time in UTC or with an offset.
    pub from: Option<String>,
    /// The same; a day is meant with all its hours.
    pub to: Option<String>,
}

/// Why a search cannot be run, by the field that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SearchFault {
    #[error("outcome must be granted or refused.")]
    Outcome,
    #[error("from must be a day such as 2026-11-22, or a time such as 2026-11-22T14:00:00Z.")]
    From,
    #[error("to must be a day such as 2026-11-22, or a time such as 2026-11-22T14:00:00Z.")]
    To,
    #[error("from must be before to.")]
    Order,
    #[error("the character NUL cannot be searched for.")]
    Nul,
}

impl SignInSearch {
    /// The filter that finds the rows.
    pub fn filter(&self) -> Result<Filter, SearchFault> {
        let texts = [&self.reason, &self.request_id, &self.client_id, &self.person, &self.issuer];
        if texts.into_iter().chain([&self.identity_provider]).flatten().any(|text| text.contains('\0')) {
            return Err(SearchFault::Nul);
        }
        let outcome = typed(&self.outcome);
        // Without this, a mistyped outcome would look like an empty log.
        if outcome.as_deref().is_some_and(|outcome| !["granted", "refused"].contains(&outcome)) {
            return Err(SearchFault::Outcome);
        }
        let (from, to) = times(&self.from, &self.to)?;
        // Emails are kept in lower case; subjects are not.
        let person =
            typed(&self.person).map(|text| if text.contains('@') { text.to_lowercase() } else { text });
        Ok(Filter {
            outcome,
            reason: typed(&self.reason),
            request_id: typed(&self.request_id),
            client_id: typed(&self.client_id),
            person,
            identity_provider: typed(&self.identity_provider),
            issuer: typed(&self.issuer),
            from,
            to,
            ..Filter::default()
        })
    }
}

/// The earliest time, and the time before which a row must have been written.
pub(super) fn times(
    from: &Option<String>,
    to: &Option<String>,
) -> Result<(Option<UnixSeconds>, Option<UnixSeconds>), SearchFault> {
    let time = |text: &Option<String>, end: bool, fault| {
        typed(text).map(|text| time(&text, end).ok_or(fault)).transpose()
    };
    let (from, to) = (time(from, false, SearchFault::From)?, time(to, true, SearchFault::To)?);
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(SearchFault::Order);
    }
    Ok((from, to))
}

/// A text without surrounding blanks; none when nothing is left.
pub(super) fn typed(text: &Option<String>) -> Option<String> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A time, or the beginning or the `end` of a day in UTC.
fn time(text: &str, end: bool) -> Option<UnixSeconds> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_second());
    }
    if let Ok(day) = text.parse::<Date>()
        && !text.contains(['T', ' '])
    {
        let day = if end { day.tomorrow().ok()? } else { day };
        return Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second());
    }
    let time = text.parse::<DateTime>().ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}
