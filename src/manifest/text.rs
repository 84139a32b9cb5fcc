//! Texts in files, so that they are read as they were.

use std::fmt::Write as _;

use crate::terminal::is_command;

/// A text in double quotes. YAML, TOML and JSON read it alike.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // YAML takes these two only as escapes.
            c if is_command(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                // Writing to a text cannot fail.
                let _ = match u32::from(c) {
                    short @ ..=0xffff => write!(quoted, "\\u{short:04x}"),
                    long => write!(quoted, "\\U{long:08x}"),
                };
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A text for YAML, in quotes only where it would be read as something else.
pub fn yaml(text: &str) -> String {
    const WORDS: [&str; 11] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"];
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _./@+-:".contains(c);
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(is_plain)
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !WORDS.contains(&&*text.to_ascii_lowercase());
    if plain { text.to_owned() } else { quoted(text) }
}
