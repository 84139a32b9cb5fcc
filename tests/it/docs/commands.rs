//! Every command of the documents is one that the command line takes.

use clap::{Command, CommandFactory as _, Parser as _};
use countersign::cli::Cli;

use super::markdown::{Block, DOCUMENTS};
use super::shell;

/// Words before a command that are not it.
const BEFORE: [&str; 8] = ["then", "do", "else", "if", "while", "until", "!", "sudo"];

/// The arguments of a call of ours; none when the words call something else.
fn arguments(words: &[String]) -> Option<&[String]> {
    let is_before = |word: &String| {
        let is_variable = word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        });
        BEFORE.contains(&word.as_str()) || is_variable
    };
    let start = words.iter().position(|word| !is_before(word))?;
    let (program, rest) = words[start..].split_first()?;
    if program == "cargo" && rest.first()? == "run" {
        let end = rest.iter().position(|word| word == "--")?;
        return Some(&rest[end + 1..]);
    }
    (program == "countersign" || program.ends_with("/countersign")).then_some(rest)
}

/// The script of a block: of a session, what was typed.
fn script(block: &Block) -> Option<String> {
    match block.language.as_str() {
        "sh" | "bash" => Some(block.text.clone()),
        "console" => {
            let typed = block.text.lines().filter_map(|line| line.strip_prefix("$ "));
            Some(typed.collect::<Vec<_>>().join("\n"))
        }
        _ => None,
    }
}

/// What the command line says about its arguments, when it refuses them. A value that the shell fills in may be right.
fn refusal(arguments: &[String]) -> Option<String> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let all = std::iter::once("countersign").chain(arguments.iter().map(String::as_str));
    let error = Cli::try_parse_from(all).err()?;
    let value = error.get(ContextKind::InvalidValue);
    let is_filled_in = matches!(value, Some(ContextValue::String(value)) if value.contains('$'));
    let is_fine = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    (!is_fine && !is_filled_in).then(|| error.to_string())
}

#[test]
fn every_command_of_a_block_is_one_that_the_command_line_takes() {
    let (mut problems, mut seen) = (Vec::new(), 0);
    for document in DOCUMENTS.values() {
        for block in &document.blocks {
            let commands = script(block).map(|script| shell::commands(&script)).unwrap_or_default();
            for arguments in commands.iter().filter_map(|words| arguments(words)) {
                seen += 1;
                let why = refusal(arguments);
                let said = arguments.join(" ");
                problems.extend(why.map(|why| format!("{}: {said}\n{why}", document.at(block.line))));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(seen > 40, "{seen}");
}

/// The first word or option of a mention that the command line does not have.
fn unknown_word(mention: &str) -> Option<String> {
    let mut cli = Cli::command();
    cli.build();
    let mut command: &Command = &cli;
    for word in mention.split_whitespace().skip(1) {
        let word = word.trim_start_matches('[').trim_end_matches(']');
        if let Some(option) = word.strip_prefix("--") {
            let name = option.split(['=', ']']).next().unwrap();
            let has = |command: &Command| command.get_arguments().any(|arg| arg.get_long() == Some(name));
            if !has(command) && !["help", "version"].contains(&name) {
                return Some(word.to_owned());
            }
        } else if let Some(next) = command.find_subcommand(word) {
            command = next;
        } else if command.has_subcommands() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
            return Some(word.to_owned());
        }
    }
    None
}

#[test]
fn every_command_in_a_sentence_has_its_words_and_options() {
    let (mut problems, mut seen) = (Vec::new(), 0);
    for document in DOCUMENTS.values().filter(|document| document.path != "CHANGELOG.md") {
        for (line, span) in document.spans.iter().filter(|(_, span)| span.starts_with("countersign ")) {
            seen += 1;
            let unknown = unknown_word(span);
            problems
                .extend(unknown.map(|word| format!("{}: `{span}`: there is no {word}", document.at(*line))));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(seen > 40, "{seen}");
}

#[test]
fn a_command_that_does_not_exist_is_noticed() {
    let words = |text: &str| shell::commands(text).remove(0);
    for wrong in ["countersign keys rotat", "A=b countersign keys rotate --later", "cargo run -q -- nothing"]
    {
        assert!(refusal(arguments(&words(wrong)).unwrap()).is_some(), "{wrong}");
    }
    for other in ["cargo test -- keys rotat", "echo countersign", "curl --nothing"] {
        assert!(arguments(&words(other)).is_none(), "{other}");
    }
    assert_eq!(unknown_word("countersign keys rotat").as_deref(), Some("rotat"));
    assert_eq!(unknown_word("countersign keys rotate --later").as_deref(), Some("--later"));
    assert_eq!(unknown_word("countersign policy explain CASE --config FILE"), None);
}
