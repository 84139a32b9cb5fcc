//! Forms that are older than what they are about. A form brings the settings that its page showed, so that nobody
//! overwrites unknowingly what somebody else has changed meanwhile.

/// The settings that a page shows: a line each, with its label.
pub fn settings<const N: usize>(fields: [(&str, &str); N]) -> String {
    let line = |(label, value): (&str, &str)| {
        let parts: Vec<&str> = value.lines().map(str::trim).filter(|part| !part.is_empty()).collect();
        format!("{label}: {}", parts.join(", "))
    };
    fields.map(line).join("\n")
}

/// Whether the settings still are what a page showed. A form without them was not shown by a page, and means what it says.
pub fn is_as_seen(seen: &str, now: &str) -> bool {
    // Browsers end lines in their own way.
    seen.is_empty() || seen.lines().eq(now.lines())
}

/// Says what is different now from what a page showed.
pub fn changes(what: &str, seen: &str, now: &str) -> String {
    let seen: Vec<&str> = seen.lines().collect();
    let changed: Vec<&str> = now.lines().filter(|line| !seen.contains(line)).collect();
    let now = if changed.is_empty() { "as you saw it".to_owned() } else { changed.join("; ") };
    format!(
        "Somebody else has changed this {what} meanwhile. It is now: {now}. \
        Save once more to write your values over it."
    )
}
