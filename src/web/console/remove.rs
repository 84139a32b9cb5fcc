//! The page that asks for confirmation before something is removed for good.

use askama::Template;
use serde::Deserialize;

use super::form::Faults;
use super::page::Frame;

/// The word that must be typed to remove something.
#[derive(Template)]
#[template(path = "remove.html")]
pub struct RemovePage {
    pub frame: Frame,
    pub title: String,
    /// The consequence.
    pub text: &'static str,
    /// The name of what must be typed.
    pub label: &'static str,
    pub expected: String,
    pub typed: String,
    /// The path of the object's page; the form is sent to `/remove` below it.
    pub path: String,
    pub faults: Faults,
}

/// The typed word.
#[derive(Deserialize)]
pub struct Confirmed {
    #[serde(default)]
    pub confirm: String,
}

impl RemovePage {
    /// The page after something else was typed.
    pub fn not_confirmed(mut self) -> Self {
        self.faults = Faults::of("confirm", format!("Type {} to confirm.", self.expected));
        self
    }
}
