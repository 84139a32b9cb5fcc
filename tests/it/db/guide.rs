//! The guides of the database say what is so.

use clap::CommandFactory as _;
use countersign::cli::Cli;

#[test]
fn every_verb_and_option_of_db_is_told() {
    let pages = ["docs/guides/backup.md", "docs/guides/many-machines.md"];
    let guide = pages.map(|page| std::fs::read_to_string(page).unwrap()).concat();
    let cli = Cli::command();
    let db = cli.find_subcommand("db").unwrap();
    for verb in db.get_subcommands() {
        assert!(guide.contains(&format!("countersign db {}", verb.get_name())), "db {}", verb.get_name());
        for option in verb.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(guide.contains(&format!("`--{option}`")), "db {} --{option}", verb.get_name());
        }
    }
}
