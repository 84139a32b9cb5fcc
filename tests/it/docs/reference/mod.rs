//! The reference, generated from the code.

mod api;
mod commands;
pub mod configuration;
mod metrics;

/// A text as the cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// What a file says about itself.
fn notice(source: &str) -> String {
    format!("Generated from {source}. Do not edit: a test compares it.\n")
}
