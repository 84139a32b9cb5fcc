//! A bar chart of the scenarios, as SVG without scripts.

use std::fmt::Write as _;

use crate::figures::Figures;

const ROW: usize = 26;
const LABELS: f64 = 210.0;
const BARS: f64 = 430.0;
/// Room behind a bar for its number.
const NUMBERS: f64 = 200.0;

/// Exchanges per core-second, a bar for each scenario.
pub fn chart(all: &[Figures]) -> String {
    let most = all.iter().map(|figures| figures.per_core_second).fold(1.0, f64::max);
    let (width, height) = (LABELS + BARS + NUMBERS, (all.len() + 1) * ROW + 8);
    let mut rows = String::new();
    for (index, figures) in all.iter().enumerate() {
        let (top, baseline) = ((index + 1) * ROW, (index + 1) * ROW + 17);
        let bar = BARS * figures.per_core_second / most;
        let (name, end) = (&figures.scenario, LABELS + bar + 6.0);
        let label_end = LABELS - 8.0;
        // Writing to a String does not fail.
        let _ = writeln!(
            rows,
            "<text x=\"{label_end}\" y=\"{baseline}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LABELS}\" y=\"{top}\" width=\"{bar:.1}\" height=\"20\" rx=\"2\" fill=\"#3b76c4\"/>\
             <text x=\"{end:.1}\" y=\"{baseline}\">{:.0} ({:.0} µs)</text>",
            figures.per_core_second, figures.cpu_us
        );
    }
    // White, as the page's colour may be dark and the text is not.
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LABELS}\" y=\"18\" font-weight=\"bold\">Exchanges per second of CPU (CPU of one exchange)</text>\n\
         {rows}</svg>\n"
    )
}
