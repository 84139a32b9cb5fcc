//! The page about the decision log says what is so.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use countersign::config::{Config, LogStream};
use serde_json::json;

use super::{Running, app_with, stream, wait_for};
use crate::commands::{countersign, text, write};
use crate::reload::private;

static PAGE: LazyLock<String> = LazyLock::new(|| std::fs::read_to_string("docs/decision-log.md").unwrap());

/// The words in back quotes of the first cells of a table.
fn first_words(heading: &str) -> BTreeSet<String> {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let words: BTreeSet<String> = rows.map(|row| row.split('`').next().unwrap().to_owned()).collect();
    assert!(!words.is_empty(), "there is no table below {heading}");
    words
}

fn blocks() -> Vec<&'static str> {
    PAGE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[tokio::test]
async fn the_tables_of_fields_and_metrics_are_what_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows");
    let to = stream("archive", &format!("file://{}", path.display()));
    let app = app_with(LogStream { email: true, facts: true, ..to }).await;
    app.granted(json!({})).await;
    let running = Running::start(&app);
    let line =
        wait_for("the row", async || std::fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n')))
            .await;
    running.stop().await;
    let row: serde_json::Map<_, _> = serde_json::from_str(&line).unwrap();
    assert_eq!(first_words("A row"), row.keys().cloned().collect());
    let metrics = private(&app, "/metrics").await.body;
    let names =
        metrics.lines().filter_map(|line| line.split_once("{stream=")).map(|(name, _)| name.to_owned());
    assert_eq!(first_words("Watch it"), names.collect());
}

#[test]
fn the_tables_of_keys_are_the_configuration() {
    let schema = Config::json_schema();
    for (table, heading) in [("LogStream", "Send it elsewhere"), ("Retention", "Retention")] {
        let keys = schema["$defs"][table]["properties"].as_object().unwrap();
        assert_eq!(first_words(heading), keys.keys().cloned().collect());
    }
    let default = Config::default().retention;
    for (key, value) in [("sign_ins", default.sign_ins), ("unsent", default.unsent)] {
        assert!(PAGE.contains(&format!("| `{key}` | `{value}` |")), "{key}");
    }
}

#[test]
fn the_examples_are_valid_and_each_kind_of_place_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let blocks = blocks();
    assert!(blocks.len() > 2);
    write(dir.path(), "countersign.toml", &blocks.concat());
    let out = countersign(dir.path(), &["config", "show"], &[]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    for scheme in
        ["file:///", "syslog+udp://", "syslog+tcp://", "syslog+unix:///", "otlp+http://", "otlp+https://"]
    {
        assert!(PAGE.contains(scheme), "{scheme}");
    }
    // The example of all keys has them commented out.
    let example = std::fs::read_to_string("examples/config.toml").unwrap();
    let (_, table) = example.split_once("# [[log_stream]]\n").unwrap();
    let keys: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("# ")?.split_once(" = "))
        .map(|(key, _)| key)
        .collect();
    assert_eq!(
        keys.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(),
        first_words("Send it elsewhere")
    );
}

#[test]
fn every_link_leads_somewhere() {
    let headings: BTreeSet<String> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| format!("#{}", heading.to_lowercase().replace(' ', "-")))
        .collect();
    let links: BTreeSet<String> =
        PAGE.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect();
    assert_eq!(links, headings, "each section is in the list, and nothing else is linked");
}
