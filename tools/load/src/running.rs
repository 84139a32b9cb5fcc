//! The servers of a scenario, and the measurement of a phase.

use std::rc::Rc;

use tempfile::TempDir;

use crate::assertions::Requests;
use crate::driver::{Phase, Span, saturate};
use crate::figures::Usage;
use crate::floor::Floor;
use crate::server::{Counts, Server};
use crate::{Outcome, machine};

/// Servers of one fresh database, and how many of the requests they have seen.
pub struct Running {
    pub servers: Vec<Server>,
    pub requests: Rc<Requests>,
    pub used: usize,
    /// Of the database.
    pub url: String,
    /// The directory of the database, unless that is the run's.
    pub place: Option<TempDir>,
}

impl Running {
    /// Where the first server listens.
    pub fn port(&self) -> u16 {
        self.servers.first().map_or(0, |server| server.port)
    }

    /// The next `count` requests.
    pub fn take(&mut self, count: usize) -> Outcome<Span> {
        let span = Span { first: self.used, end: (self.used + count).min(self.requests.len()) };
        self.used = span.end;
        if span.first == span.end { Err("too few requests were prepared".into()) } else { Ok(span) }
    }

    /// As fast as so many connections allow.
    pub async fn saturate(&mut self, count: usize, connections: usize) -> Outcome<(Phase, Usage)> {
        let (span, requests) = (self.take(count)?, Rc::clone(&self.requests));
        let ports: Vec<u16> = self.servers.iter().map(|server| server.port).collect();
        self.measured(saturate(&requests, span, connections, &ports)).await
    }

    /// The resources that the servers and the driver use during a phase.
    pub async fn measured(&self, phase: impl Future<Output = Outcome<Phase>>) -> Outcome<(Phase, Usage)> {
        let (before, floor) = (self.counts().await?, Floor::measure()?.total());
        let (server, driver) = (self.cpu()?, machine::thread_cpu()?);
        let phase = phase.await?;
        let (server, driver) = (self.cpu()? - server, machine::thread_cpu()? - driver);
        let start = self.servers.first().map(|server| server.start).unwrap_or_default();
        let (after, memory) = (self.counts().await?, self.memory()?);
        let floor = f64::midpoint(floor, Floor::measure()?.total());
        Ok((phase, Usage { server, driver, before, after, memory, start, floor }))
    }

    /// MiB of all servers when they became ready.
    pub fn memory_at_start(&self) -> f64 {
        self.servers.iter().map(|server| server.memory_at_start).sum()
    }

    fn cpu(&self) -> Outcome<f64> {
        self.servers.iter().map(Server::cpu).sum()
    }

    /// MiB of all servers.
    pub fn memory(&self) -> Outcome<f64> {
        self.servers.iter().map(|server| machine::memory(server.id())).sum()
    }

    /// Of all servers together.
    async fn counts(&self) -> Outcome<Counts> {
        let mut sum = Counts { commits: Some(0.0), writes: Some(0.0) };
        for server in &self.servers {
            let counts = server.counts().await?;
            sum.commits = sum.commits.and_then(|sum| Some(sum + counts.commits?));
            sum.writes = sum.writes.and_then(|sum| Some(sum + counts.writes?));
        }
        Ok(sum)
    }
}
