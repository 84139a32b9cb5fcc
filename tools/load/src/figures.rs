//! The results of a scenario: one line of JSON, and one of text.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::driver::Phase;
use crate::server::Counts;

/// One scenario. Where there is no value, the server does not count it, or it makes no sense there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    pub scenario: String,
    pub exchanges: usize,
    pub per_second: f64,
    /// Exchanges per second of CPU of the server's process, or processes.
    pub per_core_second: f64,
    pub cpu_us: f64,
    /// `cpu_us` in units of one RS256 verification and one ES256 signature.
    pub times_floor: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub memory_mib: f64,
    pub start_ms: f64,
    pub commits_per_exchange: Option<f64>,
    pub writes_per_commit: Option<f64>,
    /// Share of the time that the driver's core was busy with driving.
    pub driver_busy: f64,
    /// The figures that only this scenario has.
    #[serde(default)]
    pub more: BTreeMap<String, f64>,
}

/// The resources that the processes used during a phase.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Seconds of CPU.
    pub server: f64,
    pub driver: f64,
    pub before: Counts,
    pub after: Counts,
    /// MiB, afterwards.
    pub memory: f64,
    pub start: Duration,
    /// Microseconds of one verification and one signature, on the average of before and after: machines that are
    /// shared change their speed from minute to minute.
    pub floor: f64,
}

impl Figures {
    /// Those of a phase.
    pub fn new(scenario: &str, phase: &Phase, usage: &Usage) -> Self {
        let (count, seconds) = (phase.latencies.len() as f64, phase.took.as_secs_f64());
        let mut sorted = phase.latencies.clone();
        sorted.sort_unstable();
        let cpu_us = usage.server * 1e6 / count;
        let rise = |before: Option<f64>, after: Option<f64>| Some(after? - before?);
        let commits = rise(usage.before.commits, usage.after.commits);
        let writes = rise(usage.before.writes, usage.after.writes);
        Self {
            scenario: scenario.to_owned(),
            exchanges: phase.latencies.len(),
            per_second: count / seconds,
            per_core_second: count / usage.server,
            cpu_us,
            times_floor: cpu_us / usage.floor,
            p50_ms: quantile(&sorted, 0.5),
            p99_ms: quantile(&sorted, 0.99),
            p999_ms: quantile(&sorted, 0.999),
            memory_mib: usage.memory,
            start_ms: usage.start.as_secs_f64() * 1e3,
            commits_per_exchange: commits.map(|commits| commits / count),
            writes_per_commit: commits.and_then(|commits| Some(writes? / commits)),
            driver_busy: usage.driver / seconds,
            more: BTreeMap::new(),
        }
    }

    /// Those of several phases together.
    pub fn of_rounds(scenario: &str, rounds: &[(Phase, Usage)]) -> Self {
        let (mut all, mut sum) = (Phase::default(), Usage::default());
        let add = |a: Option<f64>, b: Option<f64>| Some(a.unwrap_or_default() + b?);
        for (phase, usage) in rounds {
            all.latencies.extend(&phase.latencies);
            all.took += phase.took;
            sum.server += usage.server;
            sum.driver += usage.driver;
            for (sum, counts) in [(&mut sum.before, usage.before), (&mut sum.after, usage.after)] {
                sum.commits = add(sum.commits, counts.commits);
                sum.writes = add(sum.writes, counts.writes);
            }
            sum.floor += usage.floor / rounds.len() as f64;
            (sum.memory, sum.start) = (usage.memory, usage.start);
        }
        Self::new(scenario, &all, &sum)
    }

    /// Adds what only this scenario has.
    pub fn with(mut self, name: &str, value: f64) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// For the terminal.
    pub fn line(&self) -> String {
        let more: String = self.more.iter().map(|(name, value)| format!("; {name} {value:.2}")).collect();
        format!(
            "{:<22} {:>7.0}/s {:>7.0}/core-s {:>6.1} µs = {:>4.1} floors; p50 {:.2}, p99 {:.2}, p99.9 {:.2} ms; \
             {:.0} MiB; commits per exchange {}, writes per commit {}; driver {:.0}% busy{more}",
            self.scenario,
            self.per_second,
            self.per_core_second,
            self.cpu_us,
            self.times_floor,
            self.p50_ms,
            self.p99_ms,
            self.p999_ms,
            self.memory_mib,
            optional(self.commits_per_exchange, 3),
            optional(self.writes_per_commit, 1),
            self.driver_busy * 100.0
        )
    }
}

/// A value that may be absent.
pub fn optional(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "n/a".to_owned(), |value| format!("{value:.digits$}"))
}

/// Quantiles in milliseconds.
pub fn quantiles<const N: usize>(latencies: &[Duration], of: [f64; N]) -> [f64; N] {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    of.map(|q| quantile(&sorted, q))
}

/// Milliseconds.
fn quantile(sorted: &[Duration], q: f64) -> f64 {
    let index = ((sorted.len() as f64 * q) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, Duration::as_secs_f64) * 1e3
}
