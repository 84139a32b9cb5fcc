//! `countersign console`, and how the first operator gets in.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use clap::Subcommand;

use super::{CommandError, CommandResult, End, now};
use crate::admin::console;
use crate::app::App;
use crate::config::Config;
use crate::store::Store;
use crate::terminal::out::{self, complain};

#[derive(Debug, Subcommand)]
pub(super) enum ConsoleCommand {
    /// Make a set-up token and print it: it signs an operator in to the console once, within a day.
    #[command(after_help = "Example: countersign console token --config /etc/countersign.toml")]
    Token,
}

impl ConsoleCommand {
    pub(super) async fn run(self, config: Config) -> CommandResult {
        let Self::Token = self;
        let url = config.console_url().ok_or("the console is off: `console.enabled` = false")?;
        let store = Store::open(&config.database_url, &config.database)?;
        let made = console::create_setup_token(&store, now()).await;
        store.close().await;
        out::whole(&made?).map_err(|error| {
            CommandError::from(format!("the token could not be printed ({error}); make another"))
        })?;
        complain!("Enter it at {url}/sign-in within a day. It works once.");
        Ok(End::Fine)
    }
}

/// Says where the console is. On a database that never had a set-up token, makes one and puts it where only the operator
/// sees it: on the terminal, and in a file beside an SQLite database. It is in no log.
pub(super) async fn invite(app: &App) -> Result<(), CommandError> {
    let Some(url) = app.config.console_url() else { return Ok(()) };
    tracing::info!(url, "the console is here");
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
