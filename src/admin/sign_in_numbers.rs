//! The numbers of sign-ins, read from stored counts that are at most a few seconds old.

use std::collections::BTreeMap;

use super::caller::{Admin, InTeamspace, Operator};
use super::error::AdminError;
use crate::clock::{DAY, UnixSeconds};
use crate::oauth::reason::Reason;
use crate::policy::ConsoleAction;
use crate::store::sign_in_counts::{self, DayCount, EVERYWHERE, LastAssertion};

/// The number of days shown, today included.
pub const DAYS: i64 = 28;

/// The numbers of some weeks.
#[derive(Debug, Default)]
pub struct Numbers {
    /// Every day, oldest first, including days without sign-ins.
    pub days: Vec<Day>,
    /// The reasons for refusals, the most frequent first.
    pub reasons: Vec<(String, i64)>,
    pub granted: i64,
    pub refused: i64,
    /// The newest assertion from any of the identity providers.
    pub last: Option<LastAssertion>,
}

/// The numbers of one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Day {
    /// When it begins, in UTC.
    pub start: UnixSeconds,
    pub granted: i64,
    pub refused: i64,
}

/// Returns a teamspace's numbers. Its own people see only the reasons that the service and the shipped policies give.
/// Other reasons count as `policy_denied`, since a policy may be about another teamspace.
pub async fn of_teamspace(at: &InTeamspace) -> Result<Numbers, AdminError> {
    at.may(ConsoleAction::ViewActivity)?;
    let config = at.teamspace_config();
    let providers = config.identity_providers.iter().map(|provider| provider.id.clone()).collect();
    let mut numbers = read(at, config.teamspace.id.clone(), providers).await?;
    // A deleted provider may have had the same id.
    let first = config.identity_providers.iter().map(|provider| provider.created_at).min();
    numbers.last = numbers.last.filter(|last| first.is_some_and(|first| last.at >= first));
    if !at.is_operator() {
        numbers.reasons = without_secrets(numbers.reasons);
    }
    Ok(numbers)
}

/// Returns the numbers of all requests, including those that led to no teamspace.
pub async fn of_all(operator: &Operator) -> Result<Numbers, AdminError> {
    operator.may_everywhere(ConsoleAction::ViewActivity)?;
    read(operator, EVERYWHERE.to_owned(), Vec::new()).await
}

async fn read(admin: &Admin, id: String, providers: Vec<String>) -> Result<Numbers, AdminError> {
    let today = admin.app.clock.now().div_euclid(DAY) * DAY;
    let since = today - (DAYS - 1) * DAY;
    let read = move |c: &mut _| {
        let last = sign_in_counts::of_providers(c, &providers)?;
        Ok((sign_in_counts::by_day(c, &id, since)?, last))
    };
    let (counts, last) = admin.app.store.list(read).await?;
    let last = last.into_iter().max_by_key(|last| last.at);
    Ok(Numbers { last, ..Numbers::of(&counts, since) })
}

impl Numbers {
    fn of(counts: &[DayCount], since: UnixSeconds) -> Self {
        let start = |number: i64| Day { start: since + number * DAY, ..Day::default() };
        let mut days: Vec<Day> = (0..DAYS).map(start).collect();
        let mut reasons: BTreeMap<&str, i64> = BTreeMap::new();
        for count in counts {
            let place = usize::try_from((count.day - since).div_euclid(DAY)).ok();
            let Some(day) = place.and_then(|place| days.get_mut(place)) else { continue };
            if count.reason.is_empty() {
                day.granted += count.number;
            } else {
                day.refused += count.number;
                *reasons.entry(&count.reason).or_default() += count.number;
            }
        }
        let reasons = reasons.into_iter().map(|(reason, number)| (reason.to_owned(), number));
        Self {
            reasons: sorted(reasons.collect()),
            granted: days.iter().map(|day| day.granted).sum(),
            refused: days.iter().map(|day| day.refused).sum(),
            days,
            last: None,
        }
    }
}

fn sorted(mut reasons: Vec<(String, i64)>) -> Vec<(String, i64)> {
    reasons.sort_by(|(one, few), (other, many)| many.cmp(few).then(one.cmp(other)));
    reasons
}

fn without_secrets(reasons: Vec<(String, i64)>) -> Vec<(String, i64)> {
    let mut told: BTreeMap<String, i64> = BTreeMap::new();
    for (reason, number) in reasons {
        let is_public = Reason::TABLE.iter().any(|about| about.reason == reason);
        let name = if is_public { reason } else { Reason::POLICY_DENIED.as_str().to_owned() };
        *told.entry(name).or_default() += number;
    }
    sorted(told.into_iter().collect())
}
