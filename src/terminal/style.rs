//! Colours on standard output, where somebody sees them.

use std::io::{IsTerminal as _, stdout};

use super::{escaped, for_people};

/// The meaning of a text, which has a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It went as it should.
    Good,
    /// It was refused, and that is right.
    #[cfg_attr(
        not(feature = "demo"),
        expect(dead_code, reason = "only the demonstration is refused on purpose")
    )]
    Expected,
    /// Somebody should look at it.
    Warning,
    /// It went wrong.
    Bad,
    /// A heading.
    Heading,
    /// Less important than the rest.
    Aside,
}

/// Colours texts, or leaves them as they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    has_colours: bool,
}

impl Style {
    /// Colours on a terminal, unless `NO_COLOR` is set (<https://no-color.org>) or the terminal has none.
    pub(crate) fn of_stdout() -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self { has_colours: stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb }
    }

    /// The text, which may be foreign, in the colour of its meaning.
    pub(crate) fn paint(self, meaning: Meaning, text: &str) -> String {
        let text = escaped(text, for_people);
        let code = match meaning {
            Meaning::Good => "32",
            Meaning::Expected | Meaning::Warning => "33",
            Meaning::Bad => "1;31",
            Meaning::Heading => "1",
            Meaning::Aside => "2",
        };
        if self.has_colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text }
    }
}
