//! Growth: the same loads on a database that years of use have filled, and where there is nothing else, in one run.

use std::process::Command;

use tempfile::TempDir;

use crate::assertions::{PEOPLE, Who};
use crate::figures::Figures;
use crate::fill::fill;
use crate::rows::Size;
use crate::run::Run;
use crate::scenario::{Load, Place, Plan};
use crate::{Outcome, idp, machine, seed};

/// Connections of every phase.
const CONNECTIONS: usize = 32;
/// How often two databases take turns.
const ROUNDS: usize = 8;
/// Bytes of a filled teamspace, member, sign-in and used assertion, with indexes and something to spare; rows of
/// PostgreSQL weigh more.
const WEIGHTS: [f64; 4] = [6_000.0, 600.0, 220.0, 60.0];

/// Fills a database, and measures loads on it and where there is nothing else.
pub async fn measure(run: &mut Run, scale: f64) -> Outcome<()> {
    let size = size(scale);
    let place = if run.options.growth_on_postgres { Place::Postgres } else { Place::Disk };
    check_space(run, &size, place)?;
    let (grown, _dir) = filled(run, place, &size)?;
    let people = Size { teamspaces: 0, members: size.members.min(PEOPLE), sign_ins: 0, assertions: 0 };
    let (alone, _dir) = filled(run, place, &people)?;
    let (empty, _dir) = run.database(place)?;
    seed::seed(&empty, &idp::issuer())?;
    settle(run)?;

    let plan = |who| Plan {
        place,
        who,
        load: Load::Saturated { connections: CONNECTIONS },
        exchanges: run.exchanges / 2,
        replicas: 1,
    };
    let (regulars, everybody) = (plan(Who::Regulars), plan(Who::Everybody));
    let [(before, at_start), (after, heavier)] =
        by_turns(run, &regulars, [("growth: empty", &empty), ("growth: 64 members", &grown)]).await?;
    let each = (heavier - at_start) * 1024.0 * 1024.0 / size.teamspaces.max(1) as f64;
    let ratio = after.cpu_us / before.cpu_us;
    run.record(before)?;
    run.record(after.with("bytes of memory per teamspace", each).with("CPU / empty", ratio))?;

    let [(few, _), (many, _)] = by_turns(
        run,
        &everybody,
        [("growth: random members alone", &alone), ("growth: random members", &grown)],
    )
    .await?;
    let ratio = many.cpu_us / few.cpu_us;
    run.record(few)?;
    run.record(many.with("CPU / alone", ratio))
}

fn size(scale: f64) -> Size {
    let scaled = |full: f64| (full * scale) as u64;
    Size {
        teamspaces: scaled(1e5),
        members: scaled(5e6),
        sign_ins: scaled(1e8),
        // Those of the other sign-ins have expired and were pruned: these could be of the last ten minutes at 1,600
        // sign-ins a second, a hundred times the average of these 80 days.
        assertions: scaled(1e6),
    }
}

/// A database of this size. What its rows weigh is noted if there are enough of each table to tell.
pub fn filled(run: &mut Run, place: Place, size: &Size) -> Outcome<(String, Option<TempDir>)> {
    let (url, dir) = run.database(place)?;
    seed::seed(&url, &idp::issuer())?;
    let tables = fill(&url, size, &idp::issuer())?;
    if size.sign_ins > 0 {
        let weights: Vec<_> = tables.iter().map(|f| serde_json::json!([f.table, f.rows, f.bytes])).collect();
        run.note(&serde_json::json!({ "filled": weights }))?;
    }
    Ok((url, dir))
}

/// Compared phases must be measured without a break: all assertions are signed and all rows are on disk before.
fn settle(run: &mut Run) -> Outcome<()> {
    for who in [Who::Regulars, Who::Everybody] {
        run.requests(who)?;
    }
    Command::new("sync").status()?;
    Ok(())
}

/// One load on two databases, each with its name, by turns, since shared machines change their speed: what came of it, and
/// the MiB of either server when it had started.
async fn by_turns(run: &mut Run, plan: &Plan, databases: [(&str, &str); 2]) -> Outcome<[(Figures, f64); 2]> {
    let [(one, first), (other, second)] = databases;
    let mut servers = [run.serve(first, plan, 0).await?, run.serve(second, plan, 1).await?];
    let mut rounds = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (running, rounds) in servers.iter_mut().zip(&mut rounds) {
            rounds.push(running.saturate(plan.exchanges / ROUNDS, CONNECTIONS).await?);
        }
    }
    let [figures, others] = [(one, &rounds[0]), (other, &rounds[1])].map(|(name, rounds)| {
        let figures = Figures::of_rounds(name, rounds);
        let start = figures.start_ms;
        figures.with("start ms", start)
    });
    Ok([(figures, servers[0].memory_at_start()), (others, servers[1].memory_at_start())])
}

/// Before half an hour of filling ends with a full disk.
pub fn check_space(run: &Run, size: &Size, place: Place) -> Outcome<()> {
    let rows = [size.teamspaces, size.members, size.sign_ins, size.assertions];
    let needed: f64 = rows.iter().zip(WEIGHTS).map(|(rows, weight)| *rows as f64 * weight).sum();
    let needed = if place == Place::Postgres { 2.0 * needed } else { needed };
    let free = machine::free_space(run.work.path())?;
    if needed > free {
        let (needed, free) = (needed / 1e9, free / 1e9);
        return Err(
            format!("growth needs {needed:.0} GB, and {free:.0} GB are free; see --growth-scale").into()
        );
    }
    Ok(())
}
