//! The command line. Every command ends with 0 (fine), 1 (a finding or refusal) or 2 (could not run).

mod admin_token;
mod api;
mod apply;
mod audit;
mod audit_list;
mod client;
mod config;
mod conformance;
mod console;
mod console_session;
mod db;
#[cfg(feature = "demo")]
mod demo;
#[cfg(feature = "demo")]
mod dev_idp;
mod doctor;
mod doctor_text;
mod explain;
mod export;
mod healthcheck;
mod init;
mod key;
mod kill_switch;
mod member;
mod migrate;
mod noun;
mod openapi;
mod policy;
mod policy_set;
mod provider;
mod reason;
mod resource;
mod scim_token;
mod secret_file;
mod serve;
mod setup_link;
mod sign_ins;
mod teamspace;

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use noun::Noun;

use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::telemetry;
use crate::terminal::out::{self, complain};

/// Where to begin.
#[cfg(feature = "demo")]
const FIRST: &str = "Try it: countersign demo\nSet it up: countersign init";
#[cfg(not(feature = "demo"))]
const FIRST: &str = "Set it up: countersign init";

/// Policy-driven authorization server for MCP's Enterprise-Managed Authorization.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = FIRST)]
pub struct Cli {
    /// Configuration file [default: countersign.toml, if it exists].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a configuration, the shipped policies and their schema. What is there already is kept.
    #[command(
        after_help = "Examples:\n  countersign init                    here\n  countersign init /etc/countersign\n\
        Exit: 0 everything is there, 2 something is in the way or cannot be written"
    )]
    Init(init::Init),
    /// Run the service.
    #[command(after_help = "Example: countersign serve --config /etc/countersign.toml")]
    Serve {
        /// Do not apply pending migrations to an SQLite database, and do not create one: if any are pending, report
        /// that and end. PostgreSQL is always treated so.
        #[arg(long)]
        no_migrate: bool,
    },
    /// Run everything on loopback in a temporary directory and show a whole exchange.
    #[cfg(feature = "demo")]
    #[command(after_help = demo::HELP)]
    Demo(demo::Args),
    /// Run a made-up identity provider, to try everything without a real one. Not for production.
    #[cfg(feature = "demo")]
    #[command(after_help = dev_idp::HELP)]
    DevIdp(dev_idp::DevIdpArgs),
    /// Examine the live deployment from here: its issuer through the proxy, clocks, database, policies, keys, identity
    /// providers, MCP servers and listeners. Changes nothing, and ends within 15 seconds.
    #[command(after_help = doctor::HELP)]
    Doctor(doctor::DoctorArgs),
    /// Try the rules of ID-JAG and Enterprise-Managed Authorization on any authorization server, from outside.
    #[command(after_help = conformance::HELP)]
    Conformance(Box<conformance::ConformanceArgs>),
    /// Ask the running service whether it is alive, for Docker and systemd. Ends with 0 or 1.
    #[command(after_help = healthcheck::HELP)]
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Apply pending database migrations.
    Migrate,
    /// The whole database: copies and backups.
    #[command(subcommand)]
    Db(db::DbCommand),
    /// Resources: the MCP servers that tokens are issued for.
    Resource(Noun<resource::ResourceCommand>),
    /// Clients of the token endpoint, and their secrets.
    Client(Noun<client::ClientCommand>),
    /// Teamspaces: customers, or parts of one company.
    Teamspace(Noun<teamspace::TeamspaceCommand>),
    /// Identity providers of teamspaces.
    Provider(Noun<provider::ProviderCommand>),
    /// Members of teamspaces: people.
    Member(Noun<member::MemberCommand>),
    /// Links that let a customer's administrator in to a teamspace.
    SetupLink(Noun<setup_link::SetupLinkCommand>),
    /// Sessions of the console: who is signed in, and ending it.
    ConsoleSession(Noun<console_session::ConsoleSessionCommand>),
    /// Kill switches: stop sign-ins and tokens at once, everywhere.
    KillSwitch(Noun<kill_switch::KillSwitchCommand>),
    /// Tokens by which a teamspace's identity provider changes its members with SCIM.
    ScimToken(Noun<scim_token::ScimTokenCommand>),
    /// The decision log: who asked for a token, and what was decided.
    SignIns(Noun<sign_ins::SignInsCommand>),
    /// Explain what the token endpoint would answer to an assertion, check by check. Ends with 1 if it would refuse.
    #[command(
        after_help = "Examples:\n  countersign explain --teamspace acme --client-id mcp-client id-jag.jwt\n  \
        echo \"$ID_JAG\" | countersign explain --teamspace acme --client-id mcp-client\n\
        Nothing is changed or stored. `countersign policy explain` explains test cases and past sign-ins."
    )]
    Explain(explain::ExplainCommand),
    /// Policy sets that are or were in force in the service.
    PolicySet(Noun<policy_set::PolicySetCommand>),
    /// Reasons for refusals, and what to do about them.
    Reason(Noun<reason::ReasonCommand>),
    /// Make a service have what files declare: resources and their credentials, clients, teamspaces, identity providers,
    /// invited members.
    #[command(
        after_help = "Examples:\n  countersign apply -f manifests --dry-run   print the plan; exit 1 if there is anything to do\n  \
        countersign apply -f acme.yaml -f globex.toml\n  \
        countersign apply -f manifests --prune --yes"
    )]
    Apply(apply::ApplyArgs),
    /// Print what a service has as a file that `apply` reads.
    #[command(after_help = "Examples:\n  countersign export > countersign.yaml\n  \
        countersign export --teamspace acme --format toml")]
    Export(export::ExportArgs),
    /// Access-token signing keys.
    #[command(visible_alias = "keys")]
    Key(key::KeyCommand),
    /// Tokens of the admin API.
    AdminToken(admin_token::AdminTokenCommand),
    /// The console's sign-in.
    #[command(subcommand)]
    Console(console::ConsoleCommand),
    /// The chains of the decision log and the audit log.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Cedar policies.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Print the description of the admin API, in OpenAPI 3.1.
    #[command(after_help = "Example: countersign openapi > openapi.json")]
    Openapi,
    /// Print a completion script.
    #[command(after_help = "Example: countersign completions bash > /etc/bash_completion.d/countersign")]
    Completions { shell: clap_complete::Shell },
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything was done, and nothing is wrong; the process ends with 0.
    Fine,
    /// Something was found or refused.
    Finding,
}

/// Why a command could not run.
#[derive(Debug)]
pub struct CommandError(String);

impl<E: Display> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

type CommandResult = Result<End, CommandError>;

/// Runs the command line.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let ended = cli.run().and_then(|end| Ok(out::finish().map(|()| end)?));
    let code = match ended {
        Ok(End::Fine) => 0,
        Ok(End::Finding) => 1,
        Err(CommandError(message)) => {
            complain!("error: {message}");
            2
        }
    };
    telemetry::flush();
    ExitCode::from(code)
}

impl Cli {
    fn run(self) -> CommandResult {
        let file = self.config.as_deref();
        match self.command {
            Command::Init(init) => init.run(),
            Command::Serve { no_migrate } => block_on(async {
                let signals = serve::Signals::listen()?;
                serve::run(Config::load(file)?, signals, !no_migrate).await
            }),
            #[cfg(feature = "demo")]
            Command::Demo(args) => block_on(demo::run(args)),
            #[cfg(feature = "demo")]
            Command::DevIdp(args) => block_on(args.run()),
            Command::Doctor(args) => block_on(args.run(Config::load(file)?)),
            Command::Conformance(args) => block_on(args.run()),
            Command::Healthcheck(args) => block_on(args.run(file)),
            Command::Migrate => block_on(migrate::run(Config::load(file)?)),
            Command::Db(command) => command.run(file),
            Command::Resource(noun) => block_on(noun.run(file)),
            Command::Client(noun) => block_on(noun.run(file)),
            Command::Teamspace(noun) => block_on(noun.run(file)),
            Command::Provider(noun) => block_on(noun.run(file)),
            Command::Member(noun) => block_on(noun.run(file)),
            Command::SetupLink(noun) => block_on(noun.run(file)),
            Command::ConsoleSession(noun) => block_on(noun.run(file)),
            Command::KillSwitch(noun) => block_on(noun.run(file)),
            Command::ScimToken(noun) => block_on(noun.run(file)),
            Command::SignIns(noun) => block_on(noun.run(file)),
            Command::Explain(command) => block_on(command.run(file)),
            Command::PolicySet(noun) => block_on(noun.run(file)),
            Command::Reason(noun) => block_on(noun.run(file)),
            Command::Key(command) => block_on(command.run(Config::load(file)?)),
            Command::Apply(args) => block_on(args.run(file)),
            Command::Export(args) => block_on(args.run(file)),
            Command::AdminToken(command) => block_on(command.run(Config::load(file)?)),
            Command::Console(command) => block_on(command.run(Config::load(file)?)),
            Command::Audit(command) => block_on(command.run(file)),
            Command::Config(command) => command.run(file),
            Command::Policy(command) => command.run(file),
            Command::Openapi => openapi::run(),
            Command::Completions { shell } => {
                let mut command = Self::command();
                // It panics when it cannot write.
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut command, "countersign", &mut script);
                out::text(String::from_utf8_lossy(&script));
                Ok(End::Fine)
            }
        }
    }
}

fn block_on<T>(task: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // Proofs walk policies as deeply nested as policies may be.
    let ended = crate::policy::with_stack(|| runtime.block_on(task));
    // A task that hangs, such as a name look-up, must not keep the command from ending.
    runtime.shutdown_background();
    ended
}

/// The current time, for commands that write to the database beside a running service.
pub(super) fn now() -> i64 {
    SystemClock.now()
}
