//! The doctor's report for people.

use std::io::stdout;
use std::time::Duration;

use rustix::termios::tcgetwinsize;

use crate::doctor::{DoctorGroup, DoctorLine, LineStatus};
use crate::terminal::out::{inline, styled};
use crate::terminal::style::{Meaning, Style};
use crate::terminal::{escaped, for_people};

/// The columns of the status and the spaces around it.
const STATUS: usize = 11;
/// The longest name that a message stands beside; a longer one is an address, and the message goes below.
const NAME: usize = 18;
/// The fewest and most columns of a terminal that lines are wrapped to.
const FEWEST_COLUMNS: usize = 60;
const MOST_COLUMNS: usize = 110;

/// How the report is laid out.
struct Layout {
    style: Style,
    /// The columns; none for files and pipes, where each line stays whole.
    columns: Option<usize>,
}

/// Prints the lines by group, and then how many there are of each kind.
pub(super) fn tell(lines: &[DoctorLine], took: Duration) {
    let columns = tcgetwinsize(stdout()).ok().map(|size| usize::from(size.ws_col));
    let columns = columns.map(|columns| columns.clamp(FEWEST_COLUMNS, MOST_COLUMNS));
    let layout = Layout { style: Style::of_stdout(), columns };
    let mut group = None;
    for line in lines {
        if group != Some(line.group) {
            layout.heading(line.group, group.is_none());
            group = Some(line.group);
        }
        layout.line(line);
    }
    layout.summary(lines, took);
}

fn meaning(status: LineStatus) -> Meaning {
    match status {
        LineStatus::Ok => Meaning::Good,
        LineStatus::Warning => Meaning::Warning,
        LineStatus::Failed => Meaning::Bad,
    }
}

fn word(status: LineStatus) -> &'static str {
    match status {
        LineStatus::Ok => "ok",
        LineStatus::Warning => "warning",
        LineStatus::Failed => "failed",
    }
}

/// A text that may be foreign, in one line and without characters that control a terminal.
fn shown(text: &str) -> String {
    escaped(&inline(text), for_people)
}

impl Layout {
    fn heading(&self, group: DoctorGroup, is_first: bool) {
        let space = if is_first { "" } else { "\n" };
        styled(&format!("{space}{}", self.style.paint(Meaning::Heading, group.title())));
    }

    fn line(&self, DoctorLine { name, status, message, fix, .. }: &DoctorLine) {
        let name = shown(name);
        let is_short = name.chars().count() <= NAME;
        let indent = if is_short { STATUS + NAME + 2 } else { STATUS };
        let status = self.style.paint(meaning(*status), &format!("{:<9}", word(*status)));
        let name = self.style.paint(Meaning::Heading, &format!("{name:<NAME$}"));
        let between = if is_short { "  ".to_owned() } else { format!("\n{}", " ".repeat(indent)) };
        styled(&format!("  {status}{name}{between}{}", self.wrapped(&shown(message), indent)));
        if let Some(fix) = fix {
            let fix = self.wrapped(&shown(fix), indent + 2);
            let arrow = self.style.paint(Meaning::Aside, "→");
            styled(&format!("{}{arrow} {fix}", " ".repeat(indent)));
        }
    }

    fn summary(&self, lines: &[DoctorLine], took: Duration) {
        let of = |status| lines.iter().filter(|line| line.status == status).count();
        let count = |status, noun: &str| match of(status) {
            0 => format!("0 {noun}"),
            count => self.style.paint(meaning(status), &format!("{count} {noun}")),
        };
        let warnings = if of(LineStatus::Warning) == 1 { "warning" } else { "warnings" };
        styled(&format!(
            "\n{}, {}, {} in {:.1} s",
            count(LineStatus::Failed, "failed"),
            count(LineStatus::Warning, warnings),
            count(LineStatus::Ok, "ok"),
            took.as_secs_f64(),
        ));
    }

    /// The text in lines of the terminal, the second and later ones indented.
    fn wrapped(&self, text: &str, indent: usize) -> String {
        let Some(columns) = self.columns else { return text.to_owned() };
        let (mut wrapped, mut used) = (String::new(), indent);
        for word in text.split(' ') {
            let length = word.chars().count() + 1;
            if used + length > columns && used > indent {
                wrapped.push_str(&format!("\n{}", " ".repeat(indent)));
                used = indent;
            } else if !wrapped.is_empty() {
                wrapped.push(' ');
            }
            wrapped.push_str(word);
            used += length;
        }
        wrapped
    }
}
