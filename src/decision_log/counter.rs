//! Counts the decision log as it grows. One process reads the rows and adds to the counts that pages show. Sign-ins do
//! no extra work, and nothing is lost or counted twice when a process is killed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::reader::LogReader;
use crate::app::App;
use crate::clock::{DAY, UnixSeconds, month_of};
use crate::policy::PolicyAnswer;
use crate::store::StoreError;
use crate::store::log_streams;
use crate::store::sign_in_counts::{
    self, CountedRow, Counts, DayCount, EVERYWHERE, LastAssertion, MemberExchanges, PolicyCount, READER,
};

/// Rows that are read at once.
const READ: i64 = 10_000;
/// Roughly the most counts that one transaction adds to: sign-ins wait behind it.
const MOST_KEYS: usize = 500;
/// The most decision bodies whose policies are kept in memory; beyond that, the memory is emptied.
const MOST_BODIES: usize = 4096;

/// The counter in this process.
pub struct SignInCounter {
    app: Arc<App>,
    reader: LogReader,
    /// The policies of bodies of decisions, by the key of the body.
    policies: HashMap<String, Vec<CountedAnswer>>,
}

/// A policy that determined an answer, and whether the answer was yes.
type CountedAnswer = (String, bool);

impl SignInCounter {
    /// A counter that has read nothing yet. The database says how far others have counted.
    pub fn new(app: &Arc<App>) -> Self {
        let holder = uuid::Uuid::new_v4().to_string();
        Self { app: Arc::clone(app), reader: LogReader::new(READER, &holder), policies: HashMap::new() }
    }

    /// Counts all rows that no process has counted.
    pub async fn catch_up(&mut self) -> Result<(), StoreError> {
        while self.turn().await? {}
        Ok(())
    }

    /// Lets other processes count at once.
    pub async fn release(&self) -> Result<(), StoreError> {
        self.reader.release(&self.app.store).await
    }

    /// Counts some rows. Returns whether there may be more.
    async fn turn(&mut self) -> Result<bool, StoreError> {
        let settled = self.reader.settled();
        let look = move |c: &mut _| {
            let (position, view) = log_streams::look(c, READER)?;
            let end = log_streams::complete_to(c, &view, settled);
            Ok((position, view, end))
        };
        let (position, view, end) = self.app.store.read(look).await?;
        self.reader.see(view);
        let mut from = position.last_id;
        if end <= from || !self.reader.hold(&self.app.store, &*self.app.clock, &position).await? {
            return Ok(false);
        }
        let lines = self.app.store.list(move |c| sign_in_counts::lines(c, (from, end), READ)).await?;
        self.learn(&lines).await?;
        let mut rest = lines.as_slice();
        while let Some((counts, taken)) = self.count(rest) {
            let (counted, after) = rest.split_at(taken);
            let (start, to) = (from, counted.last().map_or(from, |line| line.id));
            let lease = self.reader.lease(&*self.app.clock);
            let add = move |c: &mut _| sign_in_counts::add(c, (start, to), &lease, &counts);
            if !self.app.store.write::<_, StoreError, _>(add).await? {
                return Ok(false);
            }
            (from, rest) = (to, after);
        }
        Ok(i64::try_from(lines.len()).is_ok_and(|number| number == READ))
    }

    /// Finds out which policies stand behind rows.
    async fn learn(&mut self, lines: &[CountedRow]) -> Result<(), StoreError> {
        let of_bodies = lines.iter().map(|line| &line.grounds).filter(|key| !key.is_empty());
        let mut unknown: Vec<String> =
            of_bodies.filter(|key| !self.policies.contains_key(*key)).cloned().collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        if self.policies.len() + unknown.len() > MOST_BODIES {
            self.policies.clear();
            unknown = lines.iter().map(|line| line.grounds.clone()).filter(|key| !key.is_empty()).collect();
            unknown.sort_unstable();
            unknown.dedup();
        }
        let find =
            move |c: &mut _| sign_in_counts::decisions(c, unknown.iter().map(String::as_str).collect());
        for (key, decisions) in self.app.store.list(find).await? {
            self.policies.insert(key, answers(&decisions));
        }
        Ok(())
    }

    /// Counts the first rows. Returns the counts and the number of rows; none when there is no row.
    fn count(&self, lines: &[CountedRow]) -> Option<(Counts, usize)> {
        let mut tally = Tally::default();
        let mut taken = 0;
        for line in lines {
            tally.add(line, self.policies.get(&line.grounds).map_or(&[], Vec::as_slice));
            taken += 1;
            if tally.keys() >= MOST_KEYS {
                break;
            }
        }
        (taken > 0).then(|| (tally.into_counts(), taken))
    }
}

/// The policies behind decisions, each as often as it determined an answer.
fn answers(decisions: &str) -> Vec<CountedAnswer> {
    let answers: Vec<PolicyAnswer> = serde_json::from_str(decisions).unwrap_or_default();
    let of_answer = |answer: PolicyAnswer| {
        let allowed = answer.allowed;
        answer.policies.into_iter().map(move |policy| (policy, allowed))
    };
    answers.into_iter().flat_map(of_answer).collect()
}

/// Counts in the making.
#[derive(Default)]
struct Tally {
    days: BTreeMap<(String, UnixSeconds, String), i64>,
    members: BTreeMap<(i64, String, String), i64>,
    providers: BTreeMap<String, LastAssertion>,
    policies: BTreeMap<(UnixSeconds, String), (i64, i64)>,
}

impl Tally {
    fn keys(&self) -> usize {
        self.days.len() + self.members.len() + self.providers.len() + self.policies.len()
    }

    fn add(&mut self, line: &CountedRow, answers: &[CountedAnswer]) {
        let number = 1 + line.repeated;
        let day = line.at - line.at.rem_euclid(DAY);
        let teamspace = line.teamspace_id.clone().unwrap_or_default();
        for teamspace in [teamspace, EVERYWHERE.to_owned()] {
            *self.days.entry((teamspace, day, line.reason.clone())).or_default() += number;
        }
        let is_granted = line.outcome == "granted";
        if is_granted && !line.member_id.is_empty() {
            let key = (month_of(line.at), line.member_id.clone(), line.client_id.clone());
            *self.members.entry(key).or_default() += number;
        }
        if !line.identity_provider_id.is_empty() {
            self.note_assertion(line, is_granted);
        }
        for (policy, allowed) in answers {
            let (yes, no) = self.policies.entry((day, policy.clone())).or_default();
            *if *allowed { yes } else { no } += number;
        }
    }

    fn note_assertion(&mut self, line: &CountedRow, is_granted: bool) {
        let id = &line.identity_provider_id;
        let before = self.providers.get(id).and_then(|last| last.granted_at);
        let last = LastAssertion {
            identity_provider_id: id.clone(),
            at: line.at,
            reason: line.reason.clone(),
            request_id: line.request_id.clone(),
            granted_at: if is_granted { Some(line.at) } else { before },
        };
        self.providers.insert(id.clone(), last);
    }

    fn into_counts(self) -> Counts {
        let requests = |((teamspace_id, day, reason), number)| DayCount { teamspace_id, day, reason, number };
        let member =
            |((month, member_id, client_id), number)| MemberExchanges { month, member_id, client_id, number };
        let policy = |((day, policy), (allowed, refused))| PolicyCount { day, policy, allowed, refused };
        Counts {
            days: self.days.into_iter().map(requests).collect(),
            members: self.members.into_iter().map(member).collect(),
            providers: self.providers.into_values().collect(),
            policies: self.policies.into_iter().map(policy).collect(),
        }
    }
}
