//! Growth: the same load on a database that years of use have filled, against an empty one in the same run.

use std::process::Command;

use crate::assertions::Who;
use crate::figures::Figures;
use crate::fill::{Size, fill};
use crate::run::{Run, Running};
use crate::scenario::{Load, Place, Plan};
use crate::{Outcome, idp, machine, seed};

/// Connections of every phase.
const CONNECTIONS: usize = 32;
/// Bytes of a filled teamspace, member, sign-in and used assertion, with indexes and something to spare; rows of
/// PostgreSQL weigh more.
const WEIGHTS: [f64; 4] = [700.0, 500.0, 220.0, 60.0];

/// Fills a database, measures an empty one, and then that one.
pub async fn measure(run: &mut Run, scale: f64) -> Outcome<()> {
    let scaled = |full: f64| (full * scale) as u64;
    let size = Size {
        teamspaces: scaled(1e5),
        members: scaled(5e6),
        sign_ins: scaled(1e8),
        // Those of the other sign-ins have expired and were pruned: these could be of the last ten minutes at 1,600
        // sign-ins a second, a hundred times the average of these 80 days.
        assertions: scaled(1e6),
    };
    let place = if run.options.growth_on_postgres { Place::Postgres } else { Place::Disk };
    check_space(run, &size, place)?;
    let plan = Plan {
        place,
        who: Who::Regulars,
        load: Load::Saturated { connections: CONNECTIONS },
        exchanges: run.exchanges / 2,
        replicas: 1,
    };
    let (filled_url, _dir) = run.database(place)?;
    seed::seed(&filled_url, &idp::issuer())?;
    let filled = fill(&filled_url, &size, &idp::issuer())?;
    let weights: Vec<_> = filled.iter().map(|f| serde_json::json!([f.table, f.rows, f.bytes])).collect();
    run.note(&serde_json::json!({ "filled": weights }))?;
    settle(run)?;

    let (url, _dir) = run.database(place)?;
    seed::seed(&url, &idp::issuer())?;
    let mut empty = run.serve(&url, &plan).await?;
    let at_start = empty.memory_at_start();
    let baseline = phase(&mut empty, &plan, "growth: empty").await?;
    drop(empty);
    run.record(baseline.clone())?;
    for (who, name) in [(Who::Regulars, "growth: 64 members"), (Who::Everybody, "growth: random members")] {
        let plan = Plan { who, ..plan };
        let mut running = run.serve(&filled_url, &plan).await?;
        let heavier = running.memory_at_start() - at_start;
        let figures = phase(&mut running, &plan, name).await?;
        let ratio = figures.times_floor / baseline.times_floor;
        let each = heavier * 1024.0 * 1024.0 / size.teamspaces.max(1) as f64;
        run.record(figures.with("bytes of memory per teamspace", each).with("CPU / empty", ratio))?;
        drop(running);
    }
    Ok(())
}

/// What is compared is to be measured without a break: all assertions are signed and all rows are on disk before.
fn settle(run: &mut Run) -> Outcome<()> {
    for who in [Who::Regulars, Who::Everybody] {
        run.requests(who)?;
    }
    Command::new("sync").status()?;
    Ok(())
}

async fn phase(running: &mut Running, plan: &Plan, name: &str) -> Outcome<Figures> {
    let (phase, usage) = running.saturate(plan.exchanges, CONNECTIONS).await?;
    let figures = Figures::new(name, &phase, &usage);
    let start = figures.start_ms;
    Ok(figures.with("start ms", start))
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
