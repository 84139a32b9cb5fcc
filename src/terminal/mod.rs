//! Characters that a terminal obeys: what strangers wrote must not hold one when it is printed.

pub(crate) mod out;

/// Whether a terminal may obey a character instead of showing it: control characters but for line ends and tabs, and
/// what is invisible or turns the direction of writing.
pub(crate) fn is_command(c: char) -> bool {
    let unseen = matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}');
    unseen || (c.is_control() && c != '\n' && c != '\t')
}

/// The text with each of them replaced by what `escape` makes of it.
pub(crate) fn escaped(text: &str, escape: fn(char) -> String) -> String {
    text.chars().map(|c| if is_command(c) { escape(c) } else { c.to_string() }).collect()
}

/// For people: `\u{1b}`.
pub(crate) fn for_people(c: char) -> String {
    c.escape_unicode().to_string()
}

/// For JSON, where what is left of them stands within strings: `\u202e`.
pub(crate) fn for_json(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// Marks in the place of such characters, of as many bytes as they have: places in the text stay where they are.
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
