//! `docs/reference/metrics.md`, from the metrics of a service that has every part.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use countersign::tls::ServerTls;
use serde_json::json;

use super::{cell, notice};
use crate::docs::assert_generated;
use crate::harness::TestApp;
use crate::log_stream::stream;
use crate::reload::{Rules, private};
use crate::tls::{Files, Pair};

const HEAD: &str = "# Metrics

What `/metrics` at `management_listen` tells, in the OpenMetrics text format, for Prometheus and its like. All counts begin at zero with
the process. [What to alert on](../operations.md#what-to-watch).

";

/// A family of samples.
#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    unit: String,
    help: String,
    labels: BTreeSet<String>,
    /// The names of its samples.
    samples: BTreeSet<String>,
}

fn families(text: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            families.push(Family { name: name.to_owned(), help: help.to_owned(), ..Family::default() });
            continue;
        }
        let family = families.last_mut().unwrap();
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family.kind = rest.rsplit_once(' ').unwrap().1.to_owned();
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            family.unit = rest.rsplit_once(' ').unwrap().1.to_owned();
        } else {
            let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
            family.samples.insert(name.to_owned());
            let labels = rest.strip_prefix('{').and_then(|rest| rest.rsplit_once('}'));
            let names =
                labels.map(|(labels, _)| labels.split("\",").filter_map(|label| label.split_once('=')));
            family.labels.extend(names.into_iter().flatten().map(|(name, _)| name.to_owned()));
        }
    }
    families
}

fn row(family: &Family) -> String {
    let list = |names: &BTreeSet<String>| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    let labels = family.labels.iter().filter(|label| *label != "le").cloned().collect();
    // A histogram has several samples, of which the family's name is the beginning.
    let name = match family.samples.len() {
        1 => list(&family.samples),
        _ => format!("`{}`", family.name),
    };
    let help = cell(family.help.trim_end_matches('.'));
    format!("| {name} | {} | {} | {help} | {} |", family.kind, family.unit, list(&labels))
}

async fn page() -> String {
    let dir = tempfile::tempdir().unwrap();
    let place = format!("file://{}", dir.path().join("rows").display());
    let trial = Rules::shipped();
    let shadow_dir = trial.policies();
    let app = TestApp::start_with(|config| {
        config.log_stream.push(stream("archive", &place));
        config.policy.shadow_dir = Some(shadow_dir);
    })
    .await;
    app.app.metrics.of_stream("archive");
    let files = Files::with(&Pair::until(2090));
    assert!(app.app.tls.set(ServerTls::of(&files.settings()).unwrap().unwrap()).is_ok());
    app.granted(json!({})).await;
    let mut text = HEAD.to_owned() + &notice("`src/metrics/` and `src/app/gauges.rs`");
    text.push_str("\n| Name | Type | Unit | What it tells | Labels |\n| --- | --- | --- | --- | --- |\n");
    for family in families(&private(&app, "/metrics").await.body) {
        writeln!(text, "{}", row(&family)).unwrap();
    }
    text.push_str(
        "\n`reason` is one of [the reasons](reasons.md), or one that a policy gives; a reason of no known policy counts as `other`.\n\
         The metrics of log streams, of the shadow set and of TLS are there if the configuration has these; those of the\n\
         process on Linux.\n",
    );
    text
}

#[tokio::test]
async fn sqlite_the_page_is_generated() {
    assert_generated("docs/reference/metrics.md", &page().await);
}
