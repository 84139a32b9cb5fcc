//! Checks a chain, a few seals at a time: memory is bounded, and nobody waits behind it for long.

use std::collections::HashSet;

use super::content::{self, LogRow};
use super::key::SealKey;
use super::{MAX_ROWS, Seal, after};
use crate::clock::{UnixSeconds, rfc3339};
use crate::model::log::Log;
use crate::store::decision_body;
use crate::store::{AnyConnection, StoreError};

/// The seals that one step reads, and the number of rows after which it ends.
const STEP: (i64, i64) = (100, 2000);
/// Decisions that are remembered to be sound.
const MAX_SOUND: usize = 16_384;
/// Rows that were older than this when sealed are reported, in seconds.
const LATE: i64 = 600;

/// Something that is not as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SealFinding {
    /// The seal's number.
    pub seal: i64,
    /// The ids that it covers: after this one, up to `rows_to`.
    pub rows_after: i64,
    /// The last id that the seal covers.
    pub rows_to: i64,
    /// The problem, in a sentence for people.
    pub problem: String,
}

/// A seal that was noted elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The log that it is of.
    pub log: Log,
    /// The seal's number in the chain.
    pub number: i64,
    /// The digest that the chain must have there.
    pub digest: String,
}

/// The rules for checking a chain.
pub struct Rules {
    /// The log whose chain is checked.
    pub log: Log,
    /// The key that must have made the seals' codes; without it, codes are not checked.
    pub key: Option<SealKey>,
    /// Rows that are not older than this must be there; none when rows are kept for ever.
    pub pruned_before: Option<UnixSeconds>,
    /// Seals that must be in the chain, as an auditor noted them earlier.
    pub expected: Vec<Expected>,
}

/// A chain that is being checked.
pub struct Verification {
    rules: Rules,
    previous: Option<Seal>,
    /// Decisions that rows refer to and that were found unchanged.
    sound: HashSet<String>,
    /// The number of the oldest seal; none while nothing is checked.
    pub first: Option<i64>,
    /// Seals that were checked.
    pub seals: u64,
    /// Rows that were read and compared.
    pub rows: u64,
    /// The last id of the rows that were deleted for their age; none when none were.
    pub pruned_to: Option<i64>,
    /// Seals that the key has made.
    pub authentic: u64,
    /// The latest sealing: the seal, and how old its oldest row was then, in seconds.
    pub latest: Option<(i64, i64)>,
    /// Everything that is wrong so far, in the order of the chain.
    pub findings: Vec<SealFinding>,
}

impl Verification {
    /// Nothing is checked yet.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            previous: None,
            sound: HashSet::new(),
            first: None,
            seals: 0,
            rows: 0,
            pruned_to: None,
            authentic: 0,
            latest: None,
            findings: Vec::new(),
        }
    }

    /// The last seal that was checked.
    pub fn head(&self) -> Option<&Seal> {
        self.previous.as_ref()
    }

    /// Checks the next seals with their rows; false when there are no more.
    pub fn step(&mut self, connection: &mut AnyConnection) -> Result<bool, StoreError> {
        let number = self.previous.as_ref().map_or(0, |seal| seal.number);
        let seals = after(connection, self.rules.log, number, STEP.0)?;
        if seals.is_empty() {
            self.check_end();
            return Ok(false);
        }
        let mut rows = 0;
        for seal in seals {
            rows += seal.row_count.clamp(0, STEP.1);
            self.check(connection, &seal)?;
            self.previous = Some(seal);
            if rows >= STEP.1 {
                break;
            }
        }
        Ok(true)
    }

    /// The oldest row without a seal, by its id and time.
    pub fn unsealed(&self, connection: &mut AnyConnection) -> Result<Option<(i64, UnixSeconds)>, StoreError> {
        let after = self.previous.as_ref().map_or(0, |seal| seal.last_id);
        let Some(table) = content::table_of(self.rules.log, content::FORMAT) else { return Ok(None) };
        let rows = content::read(connection, table, (after, i64::MAX), 1)?;
        Ok(rows.first().map(|row| (row.id, row.at)))
    }

    fn check(&mut self, connection: &mut AnyConnection, seal: &Seal) -> Result<(), StoreError> {
        self.seals += 1;
        self.first.get_or_insert(seal.number);
        self.check_place(seal);
        self.check_code(seal);
        self.check_expected(seal);
        if seal.pruned_before.is_some() {
            self.check_pruned(connection, seal)
        } else {
            self.check_rows(connection, seal)
        }
    }

    fn find(&mut self, seal: &Seal, problem: impl Into<String>) {
        let rows_after = self.previous.as_ref().map_or(0, |previous| previous.last_id);
        let problem = problem.into();
        self.findings.push(SealFinding { seal: seal.number, rows_after, rows_to: seal.last_id, problem });
    }

    /// Checks that the seal before it exists. Meanwhile old rows may have been deleted, and their seals with them.
    fn check_place(&mut self, seal: &Seal) {
        let expected = self.previous.as_ref().map_or(1, |previous| previous.number + 1);
        if seal.number != expected && seal.pruned_before.is_none() {
            self.find(seal, format!("the seals from {expected} to {} are missing", seal.number - 1));
        }
        if self.previous.as_ref().is_some_and(|previous| seal.last_id < previous.last_id) {
            self.find(seal, "the seal ends before the one that precedes it");
        }
    }

    fn check_code(&mut self, seal: &Seal) {
        let Some(key) = &self.rules.key else { return };
        if seal.key_id != key.id() {
            if self.authentic > 0 {
                self.find(seal, "the seal was not made with this encryption key, though an earlier one was");
            }
        } else if key.made(seal) {
            self.authentic += 1;
        } else {
            self.find(seal, "the seal is forged: its code is not of this encryption key");
        }
    }

    fn check_expected(&mut self, seal: &Seal) {
        let same = self.rules.expected.iter().filter(|expected| expected.number == seal.number);
        if same.filter(|expected| expected.digest != seal.digest).count() > 0 {
            self.find(seal, "the seal is not the one that was expected: the chain was made anew");
        }
    }

    fn check_pruned(&mut self, connection: &mut AnyConnection, seal: &Seal) -> Result<(), StoreError> {
        self.pruned_to = Some(seal.last_id);
        let pruned_before = seal.pruned_before.unwrap_or_default();
        if seal.newest_at >= pruned_before {
            self.find(seal, "the seal says that its rows were deleted for their age, and they were not old");
        }
        // The code shows that the service itself did it: `retention` may have been raised since.
        let is_ours = self.rules.key.as_ref().is_some_and(|key| seal.key_id == key.id());
        if !is_ours && self.rules.pruned_before.is_none_or(|may| pruned_before > may) {
            let before = rfc3339(pruned_before);
            self.find(
                seal,
                format!(
                    "rows of before {before} are gone, which `retention` keeps, unless it was raised since"
                ),
            );
        }
        let Some(table) = content::table_of(self.rules.log, seal.format) else { return Ok(()) };
        let start = match &self.previous {
            Some(previous) if previous.number + 1 == seal.number => previous.last_id,
            // The seals before are gone too, with all their rows.
            _ => i64::MIN,
        };
        if !content::read(connection, table, (start, seal.last_id), 1)?.is_empty() {
            self.find(seal, "there are rows where all were deleted for their age");
        }
        Ok(())
    }

    fn check_rows(&mut self, connection: &mut AnyConnection, seal: &Seal) -> Result<(), StoreError> {
        let Some(table) = content::table_of(self.rules.log, seal.format) else {
            self.find(
                seal,
                format!("the seal is of format {}, which this version does not know", seal.format),
            );
            return Ok(());
        };
        let start = self.previous.as_ref().map_or(0, |previous| previous.last_id);
        let rows = content::read(connection, table, (start, seal.last_id), MAX_ROWS + 1)?;
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        self.rows += rows.len() as u64;
        let follows = self.previous.as_ref().map_or(1, |previous| previous.number + 1) == seal.number;
        let previous = self.previous.as_ref().map_or("", |previous| &previous.digest);
        if count != seal.row_count {
            self.find(seal, format!("{} rows were sealed, and {} are there", seal.row_count, shown(&rows)));
        } else if follows && content::digest(seal, previous, &rows) != seal.digest {
            self.find(seal, "a row or the seal was changed, or rows were put in another order");
        }
        if let Some(oldest) = rows.iter().map(|row| row.at).min() {
            let late = seal.sealed_at - oldest;
            if late > self.latest.map_or(LATE, |(_, late)| late) {
                self.latest = Some((seal.number, late));
            }
        }
        self.check_decisions(connection, seal, &rows)
    }

    /// Checks that the shared parts of decisions exist and are unchanged: the rows hold their digests.
    fn check_decisions(
        &mut self,
        connection: &mut AnyConnection,
        seal: &Seal,
        rows: &[LogRow],
    ) -> Result<(), StoreError> {
        if self.sound.len() > MAX_SOUND {
            self.sound.clear();
        }
        let mut named: Vec<&str> = rows.iter().filter_map(LogRow::grounds).collect();
        named.retain(|key| !self.sound.contains(*key));
        named.sort_unstable();
        named.dedup();
        if named.is_empty() || self.rules.log != Log::Decisions {
            return Ok(());
        }
        let found = decision_body::find(connection, named.clone())?;
        for key in named {
            match found.get(key).map(decision_body::Stored::key) {
                Some(found) if found.as_str() == key => drop(self.sound.insert(key.to_owned())),
                Some(_) => self.find(seal, format!("the decision {key} was changed")),
                None => self.find(seal, format!("the decision {key} is missing")),
            }
        }
        Ok(())
    }

    fn check_end(&mut self) {
        let head = self.previous.clone();
        let newest = head.as_ref().map_or(0, |seal| seal.number);
        for expected in &self.rules.expected {
            let problem = if expected.number > newest {
                format!(
                    "seal {} was expected, and the newest is {newest}: the end was cut off",
                    expected.number
                )
            } else if self.first.is_some_and(|first| expected.number < first) {
                let first = self.first.unwrap_or_default();
                format!("seal {} was expected, and the oldest that is kept is {first}", expected.number)
            } else {
                continue;
            };
            self.findings.push(SealFinding { seal: expected.number, rows_after: 0, rows_to: 0, problem });
        }
        if let (Some(key), Some(head)) = (&self.rules.key, &head)
            && self.authentic == 0
            && head.key_id != key.id()
        {
            self.find(
                head,
                "no seal was made with this encryption key: the chain was made anew, or the key was set \
                 and the service has not run since",
            );
        }
    }
}

/// The number of rows, as far as they were read.
fn shown(rows: &[LogRow]) -> String {
    if rows.len() > MAX_ROWS { format!("more than {MAX_ROWS}") } else { rows.len().to_string() }
}
