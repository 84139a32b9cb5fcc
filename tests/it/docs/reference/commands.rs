//! `docs/reference/commands.md`, from the command line.

use std::fmt::Write as _;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory as _};
use countersign::cli::Cli;

use super::{cell, notice};
use crate::docs::assert_generated;

const HEAD: &str = "# Commands

Every command with its options, as `--help` shows them. Each ends with 0 when all is well, with 1 when it found or refused something, and
with 2 when it could not run.

";

/// The words of an argument: `--days <N>`, `<FILE>…`.
fn written(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let takes_value = arg.get_num_args().is_none_or(|range| range.takes_values());
    let names: Vec<String> = match names {
        [] => vec![format!("<{}>", arg.get_id().as_str().to_uppercase())],
        names => names.iter().map(|name| format!("<{name}>")).collect(),
    };
    let values = names.join(" ");
    let many = if arg.get_num_args().is_some_and(|range| range.max_values() > 1) { "…" } else { "" };
    match (arg.get_long(), arg.get_short()) {
        (Some(long), Some(short)) if takes_value => format!("`-{short}`, `--{long} {values}{many}`"),
        (Some(long), None) if takes_value => format!("`--{long} {values}{many}`"),
        (Some(long), Some(short)) => format!("`-{short}`, `--{long}`"),
        (Some(long), None) => format!("`--{long}`"),
        (None, Some(short)) => format!("`-{short} {values}`"),
        (None, None) => format!("`{values}{many}`"),
    }
}

/// What an argument means, with its values and its default.
fn meaning(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(StyledStr::to_string).unwrap_or_default();
    // Clap leaves out the last full stop.
    let mut parts = vec![cell(&help).trim_end_matches('.').to_owned() + "."];
    let possible = arg.get_possible_values();
    let values: Vec<String> =
        possible.iter().filter(|v| !v.is_hide_set()).map(|v| format!("`{}`", v.get_name())).collect();
    let takes_value = arg.get_num_args().is_none_or(|range| range.takes_values());
    if takes_value && !values.is_empty() {
        parts.push(format!("One of {}.", values.join(", ")));
    }
    let defaults: Vec<String> =
        arg.get_default_values().iter().map(|v| format!("`{}`", v.to_string_lossy())).collect();
    if takes_value && !defaults.is_empty() {
        parts.push(format!("Default: {}.", defaults.join(", ")));
    }
    parts.join(" ")
}

/// A table of the arguments that the command adds to those of the commands above it.
fn arguments(command: &Command, inherited: &[String]) -> String {
    let is_left_out = |arg: &Arg| {
        let id = arg.get_id().as_str();
        arg.is_hide_set() || ["help", "version"].contains(&id) || inherited.iter().any(|known| known == id)
    };
    let args = command.get_arguments().filter(|arg| !is_left_out(arg));
    let rows: Vec<String> =
        args.map(|arg| format!("| {} | {} |\n", cell(&written(arg)), meaning(arg))).collect();
    match rows.is_empty() {
        true => String::new(),
        false => format!("| | |\n| --- | --- |\n{}\n", rows.concat()),
    }
}

fn is_told(command: &Command) -> bool {
    !command.is_hide_set() && command.get_name() != "help"
}

fn about(command: &Command) -> String {
    let about = command.get_long_about().or(command.get_about());
    let about =
        about.map(StyledStr::to_string).unwrap_or_default().trim_end_matches(['.', '\n']).to_owned() + ".";
    let aliases: Vec<String> =
        command.get_visible_aliases().map(|alias| format!("Also: `{alias}`.")).collect();
    [about, aliases.join(" ")].join(" ").trim().to_owned()
}

/// Adds a command and those below it. `inherited` are the arguments that commands above it tell of already.
fn add(command: &mut Command, path: &str, depth: usize, inherited: &[String], text: &mut String) {
    write!(text, "{} {path}\n\n{}\n\n", "#".repeat(depth.min(4)), about(command)).unwrap();
    if !command.has_subcommands() {
        let usage = command.render_usage().to_string();
        write!(text, "```text\n{}\n```\n\n", usage.trim_start_matches("Usage:").trim()).unwrap();
    }
    text.push_str(&arguments(command, inherited));
    let after = command.get_after_long_help().or(command.get_after_help()).map(StyledStr::to_string);
    if let Some(after) = after {
        write!(text, "```text\n{}\n```\n\n", after.trim()).unwrap();
    }
    let globals = command.get_arguments().filter(|arg| arg.is_global_set());
    let globals: Vec<String> = globals.map(|arg| arg.get_id().to_string()).collect();
    let subcommands: Vec<&mut Command> =
        command.get_subcommands_mut().filter(|inner| is_told(inner)).collect();
    for inner in subcommands {
        let path = format!("{path} {}", inner.get_name());
        add(inner, &path, depth + 1, &globals, text);
    }
}

fn page() -> String {
    let mut cli = Cli::command();
    cli.build();
    let mut text = HEAD.to_owned() + &notice("`src/cli/`") + "\nWith every command:\n\n";
    text.push_str(&arguments(&cli, &[]));
    let globals: Vec<String> = cli.get_arguments().map(|arg| arg.get_id().to_string()).collect();
    let commands: Vec<&mut Command> = cli.get_subcommands_mut().filter(|command| is_told(command)).collect();
    for command in commands {
        let path = format!("countersign {}", command.get_name());
        add(command, &path, 2, &globals, &mut text);
    }
    text.trim_end().to_owned() + "\n"
}

#[test]
fn the_page_is_generated() {
    assert_generated("docs/reference/commands.md", &page());
}
