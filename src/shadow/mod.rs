//! A second policy set, which answers the questions that the one in force has decided, and decides nothing itself.

mod difference;
pub(crate) mod report;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use tokio::sync::mpsc;

use crate::clock::UnixSeconds;
use crate::policy::facts::{Facts, Wanted};
use crate::policy::reload::PolicyReloader;
use crate::policy::reload::{PolicyFiles, Watch};
use crate::policy::{
    CacheControl, Decision, Policies, TokenFacts, ToolDecision, ToolQuestion, decide, decide_tool,
};
use crate::store::shadow::{self, Run, ShadowDifference};
use crate::store::sign_ins::NewSignIn;
use crate::store::{Store, StoreError};
pub use difference::DecisionOutcome;
use difference::{difference, tool_difference};

/// The most differences that wait to be written; further ones are only counted. They are written every few seconds, so
/// this also limits the disk time for a set that always differs.
pub const QUEUE: usize = 1024;

/// The most differences in one write: sign-ins must not wait behind a long write.
const BATCH: usize = 128;

/// The most decisions about tools that are known to be compared already; beyond that, all are compared anew.
const MOST_COMPARED: usize = 65_536;

/// A decision that took effect, with its basis.
pub struct ActualDecision<'a> {
    /// The policies that decided.
    pub policies: &'a Policies,
    /// The facts that they decided on.
    pub facts: &'a Facts,
    /// Their decision.
    pub decision: &'a Decision,
}

/// A decision about a tool that took effect, with its basis.
pub struct ActualToolDecision<'a> {
    /// The policies that decided.
    pub policies: &'a Policies,
    /// The facts that they decided on.
    pub facts: &'a TokenFacts,
    /// The question.
    pub asked: ToolQuestion<'a>,
    /// Their decision.
    pub decision: &'a ToolDecision,
    /// The `jti` of the token.
    pub token_id: &'a str,
    /// The id of its teamspace.
    pub teamspace_id: &'a str,
    /// The identifier of the request at forward-auth.
    pub request_id: &'a str,
    /// The time of the decision.
    pub at: UnixSeconds,
}

/// Numbers of decisions since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShadowCounts {
    /// Decisions that the shadow set made as well.
    pub evaluated: u64,
    /// Decisions that it made differently.
    pub different: u64,
    /// Differences that were not recorded.
    pub dropped: u64,
}

/// The shadow set with its results.
pub struct Shadow {
    /// Where the set comes from.
    pub files: PolicyReloader,
    policies: ArcSwapOption<Policies>,
    tally: Mutex<ShadowTally>,
    compared_tools: Mutex<ComparedTools>,
    queue: mpsc::Sender<ShadowDifference>,
    waiting: tokio::sync::Mutex<mpsc::Receiver<ShadowDifference>>,
}

#[derive(Default)]
struct ShadowTally {
    total: ShadowCounts,
    /// The unwritten counts, by shadow set and policy set.
    runs: HashMap<(String, String), Run>,
}

/// The result of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShadowVerdict {
    Same,
    Different,
    /// Different, or impossible to compare, and not recorded.
    Dropped,
}

impl Shadow {
    /// Nothing is read yet.
    pub fn new(place: PolicyFiles) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        Self {
            files: PolicyReloader::new("shadow", Watch::new(place)),
            policies: ArcSwapOption::empty(),
            tally: Mutex::default(),
            compared_tools: Mutex::default(),
            queue,
            waiting: tokio::sync::Mutex::new(waiting),
        }
    }

    /// The set; none while it could never be read.
    pub fn policies(&self) -> Option<Arc<Policies>> {
        self.policies.load_full()
    }

    /// The facts that are collected only if one of its policies reads them.
    pub fn wanted(&self) -> Wanted {
        self.policies.load().as_ref().map(|policies| policies.compiled.wanted().clone()).unwrap_or_default()
    }

    /// Has another set asked from now on.
    pub fn set(&self, policies: Arc<Policies>) {
        self.policies.store(Some(policies));
    }

    /// The counts since the start.
    pub fn counts(&self) -> ShadowCounts {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    /// Asks the shadow set about a decision. It never waits, and its failures affect nothing else.
    pub fn compare(&self, decided: &ActualDecision<'_>, sign_in: &NewSignIn) {
        let Some(shadow) = self.policies() else { return };
        let verdict = catch_unwind(AssertUnwindSafe(|| self.judge(decided, &shadow, sign_in)));
        let verdict = verdict.unwrap_or_else(|_| {
            tracing::error!(request_id = sign_in.request_id, "the shadow set's decision panicked");
            ShadowVerdict::Dropped
        });
        self.count(verdict, &shadow.hash, &decided.policies.hash, sign_in.at);
    }

    /// Asks the shadow set about a decision on a tool, once for each token, tool and answer: an agent calls the same tool
    /// again and again.
    pub fn compare_tool(&self, decided: &ActualToolDecision<'_>, control: &CacheControl) {
        let Some(shadow) = self.policies() else { return };
        let mut compared = self.compared_tools.lock().unwrap_or_else(PoisonError::into_inner);
        if !compared.is_new(decided, &shadow.hash) {
            return;
        }
        drop(compared);
        let verdict = catch_unwind(AssertUnwindSafe(|| self.judge_tool(decided, &shadow, control)));
        let verdict = verdict.unwrap_or_else(|_| {
            tracing::error!(request_id = decided.request_id, "the shadow set's decision panicked");
            ShadowVerdict::Dropped
        });
        self.count(verdict, &shadow.hash, &decided.policies.hash, decided.at);
    }

    fn judge(&self, decided: &ActualDecision<'_>, shadow: &Policies, sign_in: &NewSignIn) -> ShadowVerdict {
        let other = decide(&shadow.compiled, decided.facts);
        match DecisionOutcome::of(decided.decision) == DecisionOutcome::of(&other) {
            true => ShadowVerdict::Same,
            false => self.note(|| difference(decided, (shadow, &other), sign_in)),
        }
    }

    fn judge_tool(
        &self,
        decided: &ActualToolDecision<'_>,
        shadow: &Policies,
        control: &CacheControl,
    ) -> ShadowVerdict {
        let other = decide_tool(shadow, decided.facts, decided.asked, decided.at, control);
        let of = |decision| DecisionOutcome::of_tool(decided.asked, decision);
        match of(decided.decision) == of(&other) {
            true => ShadowVerdict::Same,
            false => self.note(|| tool_difference(decided, (shadow, &other))),
        }
    }

    fn note(&self, difference: impl FnOnce() -> ShadowDifference) -> ShadowVerdict {
        match self.queue.try_reserve() {
            Ok(place) => {
                place.send(difference());
                ShadowVerdict::Different
            }
            Err(_) => ShadowVerdict::Dropped,
        }
    }

    fn count(&self, verdict: ShadowVerdict, shadow_set: &str, policy_set: &str, now: UnixSeconds) {
        let (different, dropped) = (verdict != ShadowVerdict::Same, verdict == ShadowVerdict::Dropped);
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.total.evaluated += 1;
        tally.total.different += u64::from(different);
        tally.total.dropped += u64::from(dropped);
        let run = tally.run(shadow_set, policy_set, now);
        run.until = now;
        run.evaluated += 1;
        run.different += i64::from(different);
        run.dropped += i64::from(dropped);
    }

    /// Writes the results since the last call. Those that cannot be written are kept for the next call, as far as
    /// there is room.
    pub async fn flush(&self, store: &Store) -> Result<(), StoreError> {
        let mut waiting = self.waiting.lock().await;
        for _ in 0..QUEUE / BATCH {
            let next = std::iter::from_fn(|| waiting.try_recv().ok());
            let differences: Vec<ShadowDifference> = next.take(BATCH).collect();
            let runs = std::mem::take(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner).runs);
            if differences.is_empty() && runs.is_empty() {
                break;
            }
            self.write(store, differences, runs.into_values().collect()).await?;
        }
        Ok(())
    }

    async fn write(
        &self,
        store: &Store,
        differences: Vec<ShadowDifference>,
        runs: Vec<Run>,
    ) -> Result<(), StoreError> {
        let found = Arc::new((differences, runs));
        let rows = Arc::clone(&found);
        let written = store.write(move |c| shadow::record(c, &rows.0, &rows.1)).await;
        if written.is_err() {
            self.take_back(&found.0, &found.1);
        }
        written
    }

    fn take_back(&self, differences: &[ShadowDifference], runs: &[Run]) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        for run in runs {
            let known = tally.run(&run.shadow_set, &run.policy_set, run.since);
            known.since = known.since.min(run.since);
            known.until = known.until.max(run.until);
            known.evaluated += run.evaluated;
            known.different += run.different;
            known.dropped += run.dropped;
        }
        for row in differences {
            if self.queue.try_send(row.clone()).is_err() {
                tally.total.dropped += 1;
                tally.run(&row.shadow_set, &row.policy_set, row.at).dropped += 1;
            }
        }
    }
}

/// The decisions about tools that were compared lately, as hashes. Two with one hash would only mean that one of them is
/// not compared.
#[derive(Default)]
struct ComparedTools {
    hasher: RandomState,
    seen: HashSet<u64>,
}

impl ComparedTools {
    /// Whether a decision is compared for the first time.
    fn is_new(&mut self, decided: &ActualToolDecision<'_>, shadow_set: &str) -> bool {
        let ActualToolDecision { policies, asked, decision, token_id, .. } = decided;
        let allowed = decision.outcome.is_ok();
        let hash = self.hasher.hash_one((shadow_set, &policies.hash, token_id, asked, allowed));
        if self.seen.len() >= MOST_COMPARED {
            self.seen.clear();
        }
        self.seen.insert(hash)
    }
}

impl ShadowTally {
    /// The run of two sets, begun if there is none.
    fn run(&mut self, shadow_set: &str, policy_set: &str, now: UnixSeconds) -> &mut Run {
        let key = (shadow_set.to_owned(), policy_set.to_owned());
        self.runs.entry(key).or_insert_with_key(|(shadow_set, policy_set)| Run {
            shadow_set: shadow_set.clone(),
            policy_set: policy_set.clone(),
            since: now,
            until: now,
            evaluated: 0,
            different: 0,
            dropped: 0,
        })
    }
}
