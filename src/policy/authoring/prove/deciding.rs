//! The set that decides about an action: proofs are about that set.

use std::sync::LazyLock;

use cedar_policy::EntityUid;

use crate::policy::engine::console::SHIPPED;
use crate::policy::engine::constraints::{is_about_console, is_of_console};
use crate::policy::{PolicySource, Validated};
use crate::shipped;

static SHIPPED_SET: LazyLock<Option<Validated>> = LazyLock::new(|| {
    let files = vec![("console.cedar".to_owned(), SHIPPED.to_owned())];
    PolicySource::of(shipped::SCHEMA.to_owned(), files).validate().ok()
});

impl Validated {
    /// The set that decides about an action: this one, or for the console perhaps the shipped one.
    pub(super) fn deciding(&self, action: &EntityUid) -> &Self {
        let decides = || {
            let entities = self.schema.action_entities();
            entities.is_ok_and(|entities| is_about_console(&self.set, &entities))
        };
        match is_of_console(action) && !decides() {
            true => SHIPPED_SET.as_ref().unwrap_or(self),
            false => self,
        }
    }
}
