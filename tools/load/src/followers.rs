//! The sealer and the counter, which follow the decision log in the server's own process. Neither is on the path of an
//! exchange, but their CPU is the server's.

use std::path::Path;
use std::time::Duration;

use countersign::config::Database;
use countersign::store::{AnyConnection, connection};
use diesel::connection::SimpleConnection as _;

use crate::assertions::Who;
use crate::fill::number;
use crate::run::Run;
use crate::scenario::{Load, Place, Plan};
use crate::server::{Server, Setup};
use crate::{Outcome, ROOT, idp, seed};

/// Rows of the log at the least: those of real exchanges, over and over.
const ROWS: u64 = 300_000;
const CONNECTIONS: usize = 32;
/// How long both get.
const PATIENCE: u32 = 1_200;
const TICK: Duration = Duration::from_millis(100);

/// The columns of the log but for its id.
const COLUMNS: &str = "at, teamspace_id, outcome, reason, detail, request_id, client_id, issuer, subject, email, member_id, \
    resource, scopes_asked, scopes_granted, decisions, policy_set, assertion, token_id, facts, grounds, repeated, \
    identity_provider_id";
/// As if the sealer, or the counter, had done its work.
const SEALED: &str = "INSERT INTO log_seals (log, number, format, last_id, row_count, newest_at, sealed_at, digest, key_id, \
    code) SELECT 'decisions', 1, 1, max(id), count(*), max(at), max(at), 'x', '', '' FROM sign_ins;";
const COUNTED: &str = "INSERT INTO log_streams (name, last_id, updated_at) \
    SELECT 'sign-in counts', max(id), max(at) FROM sign_ins;";

/// Measures the CPU of both for each row.
pub async fn measure(run: &mut Run) -> Outcome<()> {
    let (url, _dir) = run.database(Place::Disk)?;
    seed::seed(&url, &idp::issuer())?;
    exchange(run, &url).await?;
    let c = &mut connection::open(&url, &Database::default())?;
    let rows = || format!("INSERT INTO sign_ins ({COLUMNS}) SELECT {COLUMNS} FROM sign_ins");
    while number(c, "SELECT count(*) AS n FROM sign_ins")? < ROWS {
        c.batch_execute(&rows())?;
    }
    let rows = number(c, "SELECT count(*) AS n FROM sign_ins")?;
    let idle = cpu(run, (c, &url), &[SEALED, COUNTED]).await?;
    let sealer = cpu(run, (c, &url), &[COUNTED]).await? - idle;
    let counter = cpu(run, (c, &url), &[SEALED]).await? - idle;
    let each = |seconds: f64| seconds * 1e6 / rows as f64;
    let (sealer, counter) = (each(sealer), each(counter));
    println!("of {rows} rows of the log, each: sealer {sealer:.1} µs of CPU, counter {counter:.1} µs");
    run.note(&serde_json::json!({ "log_rows": rows, "sealer_us": sealer, "counter_us": counter }))
}

/// Real rows.
async fn exchange(run: &mut Run, url: &str) -> Outcome<()> {
    let load = Load::Saturated { connections: CONNECTIONS };
    let exchanges = run.exchanges;
    let plan = Plan { place: Place::Disk, who: Who::Regulars, load, exchanges, replicas: 1 };
    let mut running = run.serve(url, &plan, 0).await?;
    running.saturate(exchanges, CONNECTIONS).await.map(drop)
}

/// Seconds of CPU of a server that does what is not said to be done, from its start until nothing is left.
async fn cpu(run: &Run, (c, url): (&mut AnyConnection, &str), done: &[&str]) -> Outcome<f64> {
    c.batch_execute("DELETE FROM log_seals; DELETE FROM log_streams; DELETE FROM sign_in_counts")?;
    c.batch_execute("DELETE FROM member_exchanges; DELETE FROM policy_counts; DELETE FROM last_assertions")?;
    c.batch_execute(&done.concat())?;
    let (log, policies) = (run.work.path().join("log-followers"), Path::new(ROOT).join("policies"));
    let idp = idp::issuer();
    let setup = Setup { database_url: url, log: &log, policies: &policies, idp: &idp, replica: 0 };
    let server = Server::start(&setup).await?;
    let end = number(c, "SELECT max(id) AS n FROM sign_ins")?;
    let reached = "SELECT min(n) AS n FROM (SELECT coalesce(max(last_id), 0) AS n FROM log_seals WHERE log = 'decisions' \
        UNION ALL SELECT coalesce(max(last_id), 0) FROM log_streams) AS both_of_them";
    for _ in 0..PATIENCE {
        tokio::time::sleep(TICK).await;
        if number(c, reached)? == end {
            return server.cpu();
        }
    }
    Err("the log is not sealed or not counted in time".into())
}
