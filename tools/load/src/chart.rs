//! A bar chart of the scenarios, as SVG without scripts.

use charts_rs::{Align, HorizontalBarChart, Series, THEME_LIGHT};

use crate::Outcome;
use crate::figures::Figures;

const WIDTH: f32 = 840.0;
/// Of a bar and the space around it.
const ROW: f32 = 28.0;
/// Of the title and the axis together.
const FRAME: f32 = 75.0;
/// Room behind the longest bar for its number.
const NUMBERS: f32 = 60.0;

/// Exchanges per core-second, a bar for each scenario.
pub fn chart(all: &[Figures]) -> Outcome<String> {
    // The library draws from the bottom to the top.
    let name = |figures: &Figures| format!("{} ({:.0} µs)", figures.scenario, figures.cpu_us);
    let names = all.iter().rev().map(name).collect();
    let heights = all.iter().rev().map(|figures| figures.per_core_second.round() as f32).collect();
    let mut series = Series::new("exchanges per second of CPU".to_owned(), heights);
    series.label_show = true;
    let mut chart = HorizontalBarChart::new_with_theme(vec![series], names, THEME_LIGHT);
    chart.title.text = "Exchanges per second of CPU (CPU of one exchange)".to_owned();
    chart.title.align = Align::Left;
    chart.legend.show = Some(false);
    chart.series.label.formatter = "{c}".to_owned();
    chart.font_family = "sans-serif".to_owned();
    (chart.width, chart.height) = (WIDTH, FRAME + ROW * all.len() as f32);
    chart.margin.right += NUMBERS;
    Ok(chart.svg()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_has_a_bar_with_its_figures() {
        let figures = |scenario: &str, per_core_second: f64| Figures {
            scenario: scenario.to_owned(),
            exchanges: 0,
            per_second: 0.0,
            per_core_second,
            cpu_us: 1e6 / per_core_second,
            times_floor: 0.0,
            p50_ms: 0.0,
            p99_ms: 0.0,
            p999_ms: 0.0,
            memory_mib: 0.0,
            start_ms: 0.0,
            commits_per_exchange: None,
            writes_per_commit: None,
            driver_busy: 0.0,
            more: Default::default(),
        };
        let picture = chart(&[figures("durable", 9843.0), figures("paced-50", 1056.0)]).unwrap();
        for part in ["<svg", "durable (102 µs)", "9843", "paced-50 (947 µs)", "1056"] {
            assert!(picture.contains(part), "{part} is not in {picture}");
        }
    }
}
