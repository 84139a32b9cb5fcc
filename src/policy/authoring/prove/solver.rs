//! The solver: a process that answers one query after another, each within a time limit.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::time::Duration;

use cedar_policy_symcc::CedarSymCompiler;
use cedar_policy_symcc::err::Error as SymbolicError;
use cedar_policy_symcc::solver::LocalSolver;
use tokio::process::Command;
use tokio::time::timeout;

/// The environment variable that names the solver.
const VARIABLE: &str = "CVC5";

/// How much longer we wait for a query than the solver's own limit.
const GRACE: Duration = Duration::from_secs(1);

pub(super) type Compiler = CedarSymCompiler<LocalSolver>;

/// Why there is no solver.
#[derive(Debug, thiserror::Error)]
pub enum SolverError {
    /// The environment variable `CVC5` is not set, or empty.
    #[error(
        "no solver: set the environment variable CVC5 to a cvc5 executable, 1.3 or newer, from \
        https://github.com/cvc5/cvc5/releases; or to `scripts/cvc5` of the source, which needs \
        `pip install cvc5==1.4.2`"
    )]
    Absent,
    /// The program cannot be started, or is no cvc5 that is new enough.
    #[error("cannot run the solver `{executable}` (environment variable CVC5): {cause}")]
    Unusable {
        /// The path that was tried.
        executable: String,
        /// The error from the system or the program.
        cause: String,
    },
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undecided(String);

impl Undecided {
    pub(super) fn because(cause: impl ToString) -> Self {
        Self(cause.to_string())
    }
}

/// The solver. After a failed query, the next one gets a new process.
#[derive(Debug)]
pub struct Prover {
    executable: OsString,
    limit: Duration,
    version: String,
    idle: Option<Compiler>,
}

impl Prover {
    /// The solver that the environment variable `CVC5` names; `limit` is for each query.
    pub async fn from_environment(limit: Duration) -> Result<Self, SolverError> {
        let executable = std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
        Self::start(executable.ok_or(SolverError::Absent)?, limit).await
    }

    /// Starts the solver at this path and reads its version; `limit` applies to each query.
    pub async fn start(executable: impl Into<OsString>, limit: Duration) -> Result<Self, SolverError> {
        let executable = executable.into();
        let unusable = |cause: String| SolverError::Unusable {
            executable: executable.to_string_lossy().into_owned(),
            cause,
        };
        let asked = Command::new(&executable).arg("--version").kill_on_drop(true).output();
        let output = timeout(limit + GRACE, asked)
            .await
            .map_err(|_| unusable("`--version` does not answer".to_owned()))?
            .map_err(|error| unusable(error.to_string()))?;
        let first =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned();
        match (output.status.success(), first(&output.stdout)) {
            (true, version) if !version.is_empty() => Ok(Self { executable, limit, version, idle: None }),
            _ => Err(unusable(format!("`--version`: {}; {}", output.status, first(&output.stderr)))),
        }
    }

    /// The solver's own name and version.
    pub fn version(&self) -> &str {
        &self.version
    }

    fn spawn(&self) -> Result<Compiler, Undecided> {
        let mut command = Command::new(&self.executable);
        command.args(["--lang", "smt"]);
        // The solver has its own limit, so it ends even if this process is killed.
        command.arg(format!("--tlimit-per={}", self.limit.as_millis())).kill_on_drop(true);
        let solver =
            LocalSolver::from_command(&mut command).map_err(|error| Undecided(told(&error.into())))?;
        CedarSymCompiler::new(solver).map_err(|error| Undecided(told(&error)))
    }

    pub(super) async fn ask<T>(
        &mut self,
        query: impl AsyncFnOnce(&mut Compiler) -> Result<T, SymbolicError>,
    ) -> Result<T, Undecided> {
        let mut compiler = self.idle.take().map_or_else(|| self.spawn(), Ok)?;
        match timeout(self.limit + GRACE, query(&mut compiler)).await {
            Ok(Ok(answer)) => {
                self.idle = Some(compiler);
                Ok(answer)
            }
            Ok(Err(error)) => Err(Undecided(told(&error))),
            Err(_) => Err(Undecided(format!("the solver did not answer within {:?}", self.limit))),
        }
    }
}

/// The error with its causes, on one line.
pub(super) fn told(error: &SymbolicError) -> String {
    if matches!(error, SymbolicError::SolverUnknown) {
        return "the solver answered `unknown`, as it does when its time is up".to_owned();
    }
    let causes = || std::iter::successors(error.source(), |&cause| cause.source());
    // The solver's end is noticed when writing the question or when reading the answer, whichever comes first.
    if causes()
        .any(|cause| cause.downcast_ref().is_some_and(|io: &io::Error| io.kind() == ErrorKind::BrokenPipe))
    {
        return "the solver ended before it answered".to_owned();
    }
    let mut told = error.to_string();
    for cause in causes().map(ToString::to_string) {
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}
