//! Characters that control a terminal: foreign texts must not contain one when printed.

pub(crate) mod out;
pub(crate) mod style;

/// Whether a character may control the terminal instead of being shown: control characters except line ends and tabs,
/// invisible characters, and those that change the direction of writing.
pub(crate) fn is_command(c: char) -> bool {
    let unseen = matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}');
    unseen || (c.is_control() && c != '\n' && c != '\t')
}

/// The text with each such character replaced by the result of `escape`.
pub(crate) fn escaped(text: &str, escape: fn(char) -> String) -> String {
    text.chars().map(|c| if is_command(c) { escape(c) } else { c.to_string() }).collect()
}

/// For people: `\u{1b}`.
pub(crate) fn for_people(c: char) -> String {
    c.escape_unicode().to_string()
}

/// The escape for JSON, where such characters can only be inside strings: `\u202e`.
pub(crate) fn for_json(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// Replaces such characters with marks of the same number of bytes, so that offsets in the text stay right.
pub(crate) fn marked(text: &str) -> String {
    let mark = |c: char| match c.len_utf8() {
        1 => "?",
        2 => "¿",
        3 => "\u{fffd}",
        _ => "\u{fffd}?",
    };
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let ends_line = c == '\r' && characters.peek() == Some(&'\n');
        match is_command(c) && !ends_line {
            true => shown.push_str(mark(c)),
            false => shown.push(c),
        }
    }
    shown
}
