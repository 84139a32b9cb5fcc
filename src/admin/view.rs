//! Views: what is stored, as the API and the audit log show it.

use serde::Serialize;
use serde_json::Value;

/// A view as JSON. Views are plain data with texts as keys, which always have a JSON form.
pub fn as_json(view: impl Serialize) -> Value {
    serde_json::to_value(view).unwrap_or_default()
}
