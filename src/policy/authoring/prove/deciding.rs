//! The set that decides about an action: proofs are about that set.

use std::sync::LazyLock;

use cedar_policy::EntityUid;

use crate::policy::engine::constraints::is_about;
use crate::policy::{Action, PolicySource, Topic, Validated};
use crate::shipped;

static CONSOLE: LazyLock<Option<Validated>> =
    LazyLock::new(|| validated("console.cedar", shipped::CONSOLE_POLICIES));
static TOOLS: LazyLock<Option<Validated>> =
    LazyLock::new(|| validated("tools.cedar", shipped::TOOL_POLICIES));

fn validated(name: &str, text: &str) -> Option<Validated> {
    let files = vec![(name.to_owned(), text.to_owned())];
    PolicySource::of(shipped::SCHEMA.to_owned(), files).validate().ok()
}

impl Validated {
    /// The set that decides about an action: this one, or for tools and the console perhaps the shipped one.
    pub(super) fn deciding(&self, action: &EntityUid) -> &Self {
        let topic = Action::named(action.id().unescaped()).map_or(Topic::SignIns, Action::topic);
        let decides = || self.schema.action_entities().is_ok_and(|known| is_about(topic, &self.set, &known));
        let shipped = match topic {
            Topic::SignIns => return self,
            _ if decides() => return self,
            Topic::Tools => &TOOLS,
            Topic::Console => &CONSOLE,
        };
        shipped.as_ref().unwrap_or(self)
    }
}
