//! `countersign console`, and the way in for the first operator.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use clap::Subcommand;

use super::{CommandError, CommandResult, End, now};
use crate::admin::setup_links::{self, NewSetupLink};
use crate::admin::{AdminError, console};
use crate::app::App;
use crate::clock::rfc3339;
use crate::config::{Config, Duration};
use crate::store::Store;
use crate::terminal::out::{self, complain};

#[derive(Debug, Subcommand)]
pub(super) enum ConsoleCommand {
    /// Make a set-up token and print it. It signs an operator in to the console once, within a day.
    #[command(after_help = "Example: countersign console token --config /etc/countersign.toml")]
    Token,
    /// Make a set-up link and print it: it lets a customer's administrator in to one teamspace once.
    #[command(after_help = "Example: countersign console link --teamspace acme --valid-for 72h")]
    Link {
        /// The teamspace that it leads to.
        #[arg(long, value_name = "SLUG")]
        teamspace: String,
        /// How long it can be used, such as 12h or 7d, at most 30d [default: 72h].
        #[arg(long, value_name = "DURATION")]
        valid_for: Option<Duration>,
    },
}

impl ConsoleCommand {
    pub(super) async fn run(self, config: Config) -> CommandResult {
        let url = config.console_url().ok_or("the console is off: `console.enabled` = false")?;
        let store = Store::open(&config.database_url, &config.database)?;
        let made = match self {
            Self::Token => make_token(&store, &url).await,
            Self::Link { teamspace, valid_for } => {
                make_link(&store, &config, teamspace, NewSetupLink { valid_for }).await
            }
        };
        store.close().await;
        let Made { secret, to_do } = made?;
        out::whole(&secret).map_err(|error| {
            CommandError::from(format!("it could not be printed ({error}); make another"))
        })?;
        complain!("{to_do}");
        Ok(End::Fine)
    }
}

/// The secret that a command made, and the instruction for using it.
struct Made {
    secret: String,
    to_do: String,
}

async fn make_token(store: &Store, url: &str) -> Result<Made, AdminError> {
    let secret = console::create_setup_token(store, now()).await?;
    Ok(Made { secret, to_do: format!("Enter it at {url}/sign-in within a day. It works once.") })
}

async fn make_link(
    store: &Store,
    config: &Config,
    slug: String,
    new: NewSetupLink,
) -> Result<Made, AdminError> {
    let made = setup_links::create_by_command(store, config, slug, new, now()).await?;
    let until = rfc3339(made.link.expires_at);
    let to_do = format!("Send it to the customer's administrator. It works once, until {until}.");
    Ok(Made { secret: made.url, to_do })
}

/// Prints the console's address. On a database that never had a set-up token, makes one and shows it only to the
/// operator: on the terminal, and in a file beside an SQLite database. It is never logged.
pub(super) async fn invite(app: &App) -> Result<(), CommandError> {
    let Some(url) = app.config.console_url() else { return Ok(()) };
    tracing::info!(url, "the console is ready");
    let file = console::setup_token_file(&app.config.database_url);
    let terminal = io::stderr().is_terminal();
    if file.is_none() && !terminal {
        return Ok(());
    }
    let Some(token) = console::create_first_setup_token(&app.store, app.clock.now()).await? else {
        return Ok(());
    };
    if let Some(file) = file {
        write_private(&file, &token).map_err(|error| format!("{}: {error}", file.display()))?;
        tracing::info!(file = %file.display(), url, "the set-up token for the first sign-in is in this file");
    }
    if terminal {
        complain!("\nSet up Countersign at {url}/sign-in\nSet-up token: {token}\n");
    }
    Ok(())
}

/// Writes a file that nobody else can read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    // One from before may have another mode.
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")
}
