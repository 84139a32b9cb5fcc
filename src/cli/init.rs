//! `countersign init`: writes a configuration, the shipped policies and their schema, each where nothing stands yet.

mod part;

use std::path::{Path, PathBuf};

use clap::Args;

use super::{CommandResult, End};
use crate::config::{DEFAULT_FILE, DEFAULT_POLICY_DIR, DEFAULT_SCHEMA_FILE};
use crate::doctor::exposed::quoted;
use crate::shipped;
use crate::terminal::out::say;
use part::{InitError, InitPart, PartContent};

/// The keys of the written configuration that are set; all others are comments that show the defaults.
const SET: [&str; 6] = ["issuer", "listen", "management_listen", "database_url", "policy_dir", "schema_file"];
const HEAD: &str = "\
# Written by `countersign init`. The keys that most people need come first and are set. Every other key is a comment
# that shows its default: take away the `# ` in front of a key to set it.
";

#[derive(Debug, Args)]
pub(super) struct Init {
    /// Where to write; made if it is missing.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

impl Init {
    pub(super) fn run(self) -> CommandResult {
        let dir = &self.dir;
        let parts = parts();
        // Nothing is written unless everything can stand where it belongs.
        let wanted = parts.iter().map(|part| Ok((part, part.stands_in(dir)?)));
        let wanted: Vec<(&InitPart, bool)> = wanted.collect::<Result<_, InitError>>()?;
        for (part, stands) in wanted {
            let place = dir.join(part.name);
            let place = place.strip_prefix(".").unwrap_or(&place).display();
            match !stands && part.write_in(dir)? {
                true => say!("wrote  {place}{}", part.size()),
                false => say!("kept   {place}, which was here before"),
            }
        }
        say!("\n{}", next(dir));
        Ok(End::Fine)
    }
}

/// The configuration comes last: where it is, the rest is.
fn parts() -> [InitPart; 3] {
    let files = shipped::policy_files().filter_map(|path| {
        let text = shipped::text(&path)?;
        Some((path.strip_prefix("policies/")?.to_owned(), text))
    });
    [
        InitPart { name: DEFAULT_SCHEMA_FILE, content: PartContent::File(shipped::SCHEMA.to_owned()) },
        InitPart { name: DEFAULT_POLICY_DIR, content: PartContent::Directory(files.collect()) },
        InitPart { name: DEFAULT_FILE, content: PartContent::File(configuration()) },
    ]
}

/// The example with every key, in which only the keys in [`SET`] are set.
fn configuration() -> String {
    let mut text = HEAD.to_owned();
    for line in shipped::CONFIG.lines() {
        let key = line.split_once(" = ").map(|(key, _)| key).filter(|key| !key.starts_with(['#', '[']));
        if key.is_some_and(|key| !SET.contains(&key)) {
            text.push_str("# ");
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn next(dir: &Path) -> String {
    let go = match dir == Path::new(".") {
        true => String::new(),
        false => format!("cd {} && ", quoted(dir)),
    };
    format!(
        "Next:\n  {go}countersign serve\nand beside it, in the same directory, for a token of the admin API:\n  \
        countersign admin-token create --name setup --expires 12h"
    )
}
