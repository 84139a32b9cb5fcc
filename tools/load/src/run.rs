//! One run: a fresh database and fresh servers for each scenario, in one order, with one set of assertions.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use countersign::config::Database;
use countersign::store::connection;
use diesel::connection::SimpleConnection as _;
use tempfile::TempDir;

use crate::assertions::{self, PEOPLE, Parties, Requests, Who};
use crate::checks::CheckTask;
use crate::driver::open_loop;
use crate::figures::Figures;
use crate::floor::Floor;
use crate::running::Running;
use crate::scenario::{Load, Place, Plan, Scenario};
use crate::server::{Server, Setup};
use crate::{Measure, Outcome, ROOT, checks, idp, machine, number, seed, server, with_keys};

/// Exchanges before each measurement: keys are fetched, members known, connections warm.
const WARM_UP: usize = 1_000;
/// A policy that reads what differs in each assertion and forbids nothing, so that this alone is what differs.
const APART: &str = r#"@id("bench.apart")
@reason("never")
@error("invalid_scope")
@message("Never.")
forbid (principal is User, action == Action::"GrantScope", resource is Scope)
when { context.claims has acr && context.claims.acr == "never" };
"#;

/// The state that the scenarios share.
pub struct Run {
    pub options: Measure,
    /// Keeps the assertions from run to run.
    dir: PathBuf,
    /// Databases and logs of this run, on the same disk.
    pub work: TempDir,
    pub exchanges: usize,
    out: File,
    results: Vec<Figures>,
    regulars: Option<Rc<Requests>>,
    everybody: Option<Rc<Requests>>,
    apart: Option<Rc<Requests>>,
    databases: usize,
}

impl Run {
    /// Looks at the machine, and measures the floor.
    pub fn new(options: Measure) -> Outcome<Self> {
        let program = std::env::current_exe()?;
        let dir = program.ancestors().nth(2).ok_or("this program is in no target directory")?.join("bench");
        fs::create_dir_all(&dir)?;
        let filesystem = machine::filesystem(&dir)?;
        if filesystem == "tmpfs" {
            return Err(format!("{} is in memory: nothing would be durable there", dir.display()).into());
        }
        let floor = Floor::measure()?;
        println!(
            "RS256 verification {:.1} µs, ES256 signature {:.1} µs: the floor",
            floor.verify, floor.sign
        );
        let path = options.out.clone().unwrap_or_else(|| dir.join("results.jsonl"));
        let mut out = File::create(path)?;
        let mut about = machine::describe(&dir)?;
        about["floor"] = serde_json::json!({ "verify_us": floor.verify, "sign_us": floor.sign });
        about["quick"] = options.quick.into();
        writeln!(out, "{about}")?;
        Ok(Self {
            exchanges: number("LOAD_EXCHANGES", if options.quick { 20_000 } else { 100_000 }),
            work: tempfile::Builder::new().prefix("work-").tempdir_in(&dir)?,
            options,
            dir,
            out,
            results: Vec::new(),
            regulars: None,
            everybody: None,
            apart: None,
            databases: 0,
        })
    }

    /// Measures the scenarios that were asked for, or those of every day.
    pub async fn scenarios(&mut self) -> Outcome<()> {
        idp::serve(&assertions::key(&self.dir)?).await?;
        let options = &self.options;
        let has_others = options.growth.is_some() || options.pages.is_some() || options.profile.is_some();
        if options.scenarios.is_empty() && !has_others && !options.followers {
            self.options.scenarios = vec![Scenario::Paced50, Scenario::Durable];
        }
        for scenario in self.options.scenarios.clone() {
            let figures =
                self.scenario(scenario).await.map_err(|error| format!("{}: {error}", scenario.name()))?;
            self.record(figures)?;
        }
        Ok(())
    }

    /// Prints a scenario's figures and writes them down.
    pub fn record(&mut self, figures: Figures) -> Outcome<()> {
        println!("{}", figures.line());
        writeln!(self.out, "{}", serde_json::to_string(&figures)?)?;
        self.results.push(figures);
        Ok(())
    }

    /// Writes down what is no scenario.
    pub fn note(&mut self, value: &serde_json::Value) -> Outcome<()> {
        Ok(writeln!(self.out, "{value}")?)
    }

    async fn scenario(&mut self, scenario: Scenario) -> Outcome<Figures> {
        let plan = scenario.plan(self.exchanges, self.options.quick);
        let mut running = self.start(&plan).await?;
        let name = scenario.name();
        match plan.load {
            Load::Overload => self.overload(&mut running, &name).await,
            Load::Checks(endpoint) => {
                let log = self.work.path().join("log-marks");
                let (exchanges, quick) = (self.exchanges, self.options.quick);
                let task = CheckTask { name: &name, endpoint, exchanges, quick, log: &log };
                checks::measure(&mut running, &task).await
            }
            Load::WithKeys => with_keys::measure(&mut running, &self.dir, self.exchanges).await,
            Load::Paced { per_second } => {
                let (requests, port) = (Rc::clone(&running.requests), running.port());
                let span = running.take(plan.exchanges)?;
                let phase = open_loop(&requests, span, f64::from(per_second), port);
                let (phase, usage) = running.measured(phase).await?;
                Ok(Figures::new(&name, &phase, &usage))
            }
            Load::Saturated { connections } => {
                let early = (scenario == Scenario::Million).then_some(10_000);
                let mut first = None;
                if let Some(early) = early {
                    running.saturate(early, connections).await?;
                    first = Some(running.memory()?);
                }
                let count = plan.exchanges - early.unwrap_or_default();
                let (phase, usage) = running.saturate(count, connections).await?;
                let figures = Figures::new(&name, &phase, &usage);
                Ok(self.compared(scenario, figures, first))
            }
        }
    }

    fn compared(&self, scenario: Scenario, figures: Figures, first: Option<f64>) -> Figures {
        let durable = self.results.iter().find(|known| known.scenario == Scenario::Durable.name());
        match (scenario, durable, first) {
            (Scenario::InMemory, Some(durable), _) => {
                let ratio = durable.per_second / figures.per_second;
                figures.with("durable / in-memory", ratio)
            }
            (Scenario::Million, _, Some(first)) => figures.with("MiB after 10,000", first),
            _ => figures,
        }
    }

    /// Twice what it can serve, after what it can was measured.
    async fn overload(&self, running: &mut Running, name: &str) -> Outcome<Figures> {
        let (peak, _) = running.saturate(self.exchanges / 4, 128).await?;
        let peak = peak.latencies.len() as f64 / peak.took.as_secs_f64();
        let (rate, seconds) = (2.0 * peak, if self.options.quick { 2.0 } else { 10.0 });
        let count = (running.requests.len() - running.used).min((rate * seconds) as usize);
        let (span, requests, port) = (running.take(count)?, Rc::clone(&running.requests), running.port());
        let (phase, usage) = running.measured(open_loop(&requests, span, rate, port)).await?;
        let figures = Figures::new(name, &phase, &usage);
        let served = figures.per_second / peak;
        Ok(figures
            .with("offered per second", rate)
            .with("served / peak", served)
            .with("503", phase.shed as f64)
            .with("broken", phase.broken as f64)
            .with("unsent", phase.unsent as f64))
    }

    /// The requests of those people, as many as any scenario of this run may need.
    pub fn requests(&mut self, who: Who) -> Outcome<Rc<Requests>> {
        let million = self.options.scenarios.contains(&Scenario::Million);
        let (count, known) = match who {
            Who::Everybody => ((self.exchanges + WARM_UP).min(PEOPLE as usize), &mut self.everybody),
            Who::Regulars if million => (1_000_000 + WARM_UP, &mut self.regulars),
            Who::Regulars => (2 * self.exchanges + WARM_UP, &mut self.regulars),
            Who::Apart => (self.exchanges + WARM_UP, &mut self.apart),
            Who::WithKeys => return Err("their requests have assertions of their client too".into()),
        };
        if let Some(requests) = known.as_ref().filter(|requests| requests.is_fresh()) {
            return Ok(Rc::clone(requests));
        }
        let (idp, issuer) = (idp::issuer(), server::issuer());
        let parties = Parties { idp: &idp, issuer: &issuer };
        let requests = Rc::new(Requests::prepare(&self.dir, who, count as u64, &parties)?);
        *known = Some(Rc::clone(&requests));
        Ok(requests)
    }

    /// An empty database's URL, with the directory that it lives in unless that is the run's.
    pub fn database(&mut self, place: Place) -> Outcome<(String, Option<TempDir>)> {
        self.databases += 1;
        let name = format!("bench_{}", self.databases);
        let file = |dir: &Path| format!("sqlite://{}", dir.join(format!("{name}.db")).display());
        match place {
            Place::Disk => {
                let dir = TempDir::new_in(self.work.path())?;
                Ok((file(dir.path()), Some(dir)))
            }
            Place::Memory => {
                let dir = TempDir::new_in("/dev/shm")?;
                Ok((file(dir.path()), Some(dir)))
            }
            Place::Postgres => {
                let cluster = self.options.postgres.as_deref().ok_or("give --postgres URL")?;
                connection::open(cluster, &Database::default())?
                    .batch_execute(&format!("CREATE DATABASE {name}"))?;
                let base = cluster.rsplit_once('/').ok_or("the URL names no database")?.0;
                Ok((format!("{base}/{name}"), None))
            }
        }
    }

    /// Servers of a fresh database, warmed up.
    pub async fn start(&mut self, plan: &Plan) -> Outcome<Running> {
        let (url, place) = self.database(plan.place)?;
        seed::seed(&url, &idp::issuer())?;
        let mut running = self.serve(&url, plan, 0).await?;
        running.place = place;
        Ok(running)
    }

    /// Servers of a database that is there, warmed up. Their numbers, which choose their ports, begin with `first`.
    pub async fn serve(&mut self, url: &str, plan: &Plan, first: u16) -> Outcome<Running> {
        let requests = self.requests(plan.who)?;
        let policies =
            if plan.who == Who::Apart { self.policies_apart()? } else { Path::new(ROOT).join("policies") };
        let mut servers = Vec::new();
        for replica in first..first + plan.replicas {
            let log = self.work.path().join(format!("log-{replica}"));
            let (policies, idp) = (&policies, &idp::issuer());
            let setup = Setup { database_url: url, log: &log, policies, idp, replica };
            servers.push(Server::start(&setup).await?);
        }
        let mut running = Running { servers, requests, used: 0, url: url.to_owned(), place: None };
        // One after another first: of people who are no members yet, several sign-ins at once are tried again.
        let alone = if plan.who != Who::Everybody { assertions::REGULARS as usize } else { 1 };
        running.saturate(alone, 1).await?;
        if plan.who == Who::Regulars {
            running.saturate(WARM_UP - alone, 32).await?;
        }
        Ok(running)
    }

    fn policies_apart(&self) -> Outcome<PathBuf> {
        let dir = self.work.path().join("policies");
        fs::create_dir_all(&dir)?;
        for entry in fs::read_dir(Path::new(ROOT).join("policies"))?.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "cedar") {
                fs::copy(entry.path(), dir.join(entry.file_name()))?;
            }
        }
        fs::write(dir.join("apart.cedar"), APART)?;
        Ok(dir)
    }
}
