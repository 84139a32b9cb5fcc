//! The chart of sign-ins by day, drawn here: bars of grants with the refusals on top.

use super::words::date;
use crate::admin::sign_in_numbers::Day;

/// Where the bars begin, and how high they may be.
const LEFT: i64 = 44;
const BOTTOM: i64 = 140;
const HEIGHT: i64 = 120;
/// From one bar to the next, and how wide each is.
const STEP: i64 = 33;
const WIDTH: i64 = 22;
/// Days between two dates on the axis.
const DATES: usize = 7;

/// The chart.
pub struct Chart {
    pub width: i64,
    pub bars: Vec<Bar>,
    pub lines: Vec<Line>,
    pub dates: Vec<Label>,
}

/// A day.
pub struct Bar {
    pub date: String,
    pub granted: i64,
    pub refused: i64,
    pub x: i64,
    pub width: i64,
    pub granted_y: i64,
    pub granted_height: i64,
    pub refused_y: i64,
    pub refused_height: i64,
}

/// A line of the grid with its number.
pub struct Line {
    pub y: i64,
    pub text_y: i64,
    pub number: i64,
}

/// A date below the bars.
pub struct Label {
    pub x: i64,
    pub text: String,
}

impl Chart {
    /// Of days in their order.
    pub fn of(days: &[Day]) -> Self {
        let highest = days.iter().map(|day| day.granted + day.refused).max().unwrap_or_default();
        let top = round_up(highest);
        let places = (LEFT..).step_by(usize::try_from(STEP).unwrap_or(1));
        let bars: Vec<Bar> = days.iter().zip(places).map(|(day, x)| Bar::of(day, x, top)).collect();
        let dates = bars.iter().step_by(DATES).map(|bar| Label { x: bar.x, text: bar.date.clone() });
        let line = |number: i64| {
            let y = BOTTOM - scaled(number, top);
            Line { y, text_y: y + 4, number }
        };
        Self {
            width: LEFT + STEP * i64::try_from(days.len()).unwrap_or_default(),
            dates: dates.collect(),
            lines: [0, top / 2, top].map(line).into(),
            bars,
        }
    }
}

impl Bar {
    fn of(day: &Day, x: i64, top: i64) -> Self {
        let (granted, refused) = (scaled(day.granted, top), scaled(day.refused, top));
        Self {
            date: date(day.start),
            granted: day.granted,
            refused: day.refused,
            x,
            width: WIDTH,
            granted_y: BOTTOM - granted,
            granted_height: granted,
            refused_y: BOTTOM - granted - refused,
            refused_height: refused,
        }
    }
}

/// The height of a number's bar. Any number above zero is visible.
fn scaled(number: i64, top: i64) -> i64 {
    let height = number.saturating_mul(HEIGHT) / top;
    if number > 0 { height.max(2) } else { 0 }
}

/// The next even number that is easy to read: 2, 4, 10, 20, 40, 100 and so on.
fn round_up(number: i64) -> i64 {
    let mut unit: i64 = 1;
    loop {
        for step in [2, 4, 10] {
            let top = unit.saturating_mul(step);
            if top >= number {
                return top;
            }
        }
        unit = unit.saturating_mul(10);
    }
}
