//! docs/performance.md's results: the part between the markers is written from a run's JSON lines.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::chart::chart;
use crate::figures::{Figures, optional};
use crate::{Outcome, ROOT};

const BEGIN: &str = "<!-- results: written by scripts/bench --publish -->";
const END: &str = "<!-- end of results -->";

/// Writes the results of a run into docs/performance.md and docs/performance.svg.
pub fn publish(results: &Path) -> Outcome<()> {
    let lines = fs::read_to_string(results).map_err(|error| format!("{}: {error}", results.display()))?;
    let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let all: Vec<Figures> =
        lines.iter().filter_map(|line| serde_json::from_value(line.clone()).ok()).collect();
    let docs = Path::new(ROOT).join("docs");
    let page = docs.join("performance.md");
    let text = fs::read_to_string(&page)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("docs/performance.md lost its first marker")?;
    let (_, after) = rest.split_once(END).ok_or("docs/performance.md lost its last marker")?;
    let part = markdown(&lines, &all)?;
    fs::write(page, format!("{before}{BEGIN}\n{part}{END}{after}"))?;
    fs::write(docs.join("performance.svg"), chart(&all)?)?;
    Ok(())
}

fn markdown(lines: &[Value], all: &[Figures]) -> Outcome<String> {
    let mut text = String::new();
    let about = lines.first().ok_or("no results")?;
    let (verify, sign) = (&about["floor"]["verify_us"], &about["floor"]["sign_us"]);
    let word = |name: &str| about[name].as_str().map_or_else(|| about[name].to_string(), str::to_owned);
    writeln!(
        text,
        "\nVersion {} on {}, {} cores, Linux {}, {}. One RS256 verification takes {:.1} µs there, one ES256 \
         signature {:.1} µs: the floor.{}\n",
        word("version"),
        word("cpu"),
        word("cores"),
        word("kernel"),
        word("filesystem"),
        verify.as_f64().unwrap_or_default(),
        sign.as_f64().unwrap_or_default(),
        if about["quick"] == true { " **A quick run: a look, not a measurement.**" } else { "" }
    )?;
    writeln!(text, "![Exchanges per core-second](performance.svg)\n")?;
    text.push_str(&table(all));
    text.push_str(&details(all));
    for line in lines {
        text.push_str(&filled(line).unwrap_or_default());
        text.push_str(&stages(line).unwrap_or_default());
    }
    Ok(text)
}

fn table(all: &[Figures]) -> String {
    let mut text =
        "| scenario | exchanges/s | per core-second | CPU µs | floors | p50 ms | p99 ms | p99.9 ms | MiB | \
                    commits per exchange | writes per commit |\n| --- |"
            .to_owned();
    text.push_str(&" ---: |".repeat(10));
    for f in all {
        // Writing to a String does not fail.
        let _ = write!(
            text,
            "\n| {} | {:.0} | {:.0} | {:.1} | {:.1} | {:.2} | {:.2} | {:.2} | {:.0} | {} | {} |",
            f.scenario,
            f.per_second,
            f.per_core_second,
            f.cpu_us,
            f.times_floor,
            f.p50_ms,
            f.p99_ms,
            f.p999_ms,
            f.memory_mib,
            optional(f.commits_per_exchange, 3),
            optional(f.writes_per_commit, 1)
        );
    }
    text.push_str("\n\n");
    text
}

/// The figures that only single scenarios have, and how close the driver itself came to being the limit.
fn details(all: &[Figures]) -> String {
    let mut text = String::new();
    for f in all.iter().filter(|f| !f.more.is_empty()) {
        let more: Vec<String> =
            f.more.iter().map(|(name, value)| format!("{name} {}", rounded(*value))).collect();
        let _ = writeln!(text, "- {}: {}", f.scenario, more.join("; "));
    }
    let busiest = all.iter().map(|f| f.driver_busy).fold(0.0, f64::max);
    let _ = writeln!(text, "- The driver was busy for {:.0}% of the time at the most.\n", busiest * 100.0);
    text
}

fn rounded(value: f64) -> String {
    if value.abs() < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

fn filled(line: &Value) -> Option<String> {
    let mut text = "| filled table | rows | bytes each, with indexes |\n| --- | ---: | ---: |\n".to_owned();
    for row in line.get("filled")?.as_array()? {
        let (table, rows, bytes) = (row.get(0)?.as_str()?, row.get(1)?.as_u64()?, row.get(2)?.as_u64()?);
        let _ = writeln!(text, "| {table} | {rows} | {:.0} |", bytes as f64 / rows.max(1) as f64);
    }
    Some(text + "\n")
}

fn stages(line: &Value) -> Option<String> {
    let mut text =
        "| stage | % of CPU, own | % of CPU, kernel on its behalf |\n| --- | ---: | ---: |\n".to_owned();
    for row in line.get("stages")?.as_array()? {
        let (stage, own, kernel) = (row.get(0)?.as_str()?, row.get(1)?.as_f64()?, row.get(2)?.as_f64()?);
        let _ = writeln!(text, "| {stage} | {own:.1} | {kernel:.1} |");
    }
    Some(text + "\n")
}
