//! Growth: the same loads on a database that years of use have filled, and where there is nothing else, in one run.

use std::process::Command;

use tempfile::TempDir;

use crate::assertions::{PEOPLE, Who};
use crate::figures::Figures;
use crate::fill::{Size, fill};
use crate::run::Run;
use crate::scenario::{Load, Place, Plan};
use crate::{Outcome, idp, machine, seed};

/// Connections of every phase.
const CONNECTIONS: usize = 32;
/// Bytes of a filled teamspace, member, sign-in and used assertion, with indexes and something to spare; rows of
/// PostgreSQL weigh more.
const WEIGHTS: [f64; 4] = [700.0, 500.0, 220.0, 60.0];

/// Fills a database, and measures loads on it that were measured where there is nothing else just before.
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
    let (before, at_start) = phase(run, &regulars, &empty, "growth: empty").await?;
    run.record(before.clone())?;
    let (after, heavier) = phase(run, &regulars, &grown, "growth: 64 members").await?;
    let each = (heavier - at_start) * 1024.0 * 1024.0 / size.teamspaces.max(1) as f64;
    let ratio = after.times_floor / before.times_floor;
    run.record(after.with("bytes of memory per teamspace", each).with("CPU / empty", ratio))?;

    let (few, _) = phase(run, &everybody, &alone, "growth: random members alone").await?;
    run.record(few.clone())?;
    let (many, _) = phase(run, &everybody, &grown, "growth: random members").await?;
    let ratios = [few.times_floor, before.times_floor].map(|base| many.times_floor / base);
    run.record(many.with("CPU / alone", ratios[0]).with("CPU / empty", ratios[1]))
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

/// A database of this size, which is noted.
fn filled(run: &mut Run, place: Place, size: &Size) -> Outcome<(String, Option<TempDir>)> {
    let (url, dir) = run.database(place)?;
    seed::seed(&url, &idp::issuer())?;
    let tables = fill(&url, size, &idp::issuer())?;
    if size.sign_ins > 0 {
        let weights: Vec<_> = tables.iter().map(|f| serde_json::json!([f.table, f.rows, f.bytes])).collect();
        run.note(&serde_json::json!({ "filled": weights }))?;
    }
    Ok((url, dir))
}

/// What is compared is to be measured without a break: all assertions are signed and all rows are on disk before.
fn settle(run: &mut Run) -> Outcome<()> {
    for who in [Who::Regulars, Who::Everybody] {
        run.requests(who)?;
    }
    Command::new("sync").status()?;
    Ok(())
}

/// What came of a load, and the MiB of the server when it had started.
async fn phase(run: &mut Run, plan: &Plan, url: &str, name: &str) -> Outcome<(Figures, f64)> {
    let mut running = run.serve(url, plan).await?;
    let at_start = running.memory_at_start();
    let (phase, usage) = running.saturate(plan.exchanges, CONNECTIONS).await?;
    let figures = Figures::new(name, &phase, &usage);
    let start = figures.start_ms;
    Ok((figures.with("start ms", start), at_start))
}

/// Before half an hour of filling ends with a full disk.
fn check_space(run: &Run, size: &Size, place: Place) -> Outcome<()> {
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
