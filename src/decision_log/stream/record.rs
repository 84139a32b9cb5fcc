//! A row as receivers get it.

use serde_json::Value;

use crate::clock::UnixSeconds;
use crate::config::LogStream;
use crate::decision_log::view;
use crate::store::sign_ins::SignIn;
use crate::store::snapshot::Snapshot;

/// A row of the decision log, with the facts that every receiver needs.
pub(super) struct Record {
    pub at: UnixSeconds,
    pub is_refused: bool,
    pub request_id: String,
    /// The whole row: the admin API's fields, and `facts` if configured.
    pub fields: Value,
}

impl Record {
    pub(super) fn new(row: &SignIn, stream: &LogStream, snapshot: &Snapshot) -> Self {
        let teamspace = row.teamspace_id.as_deref().and_then(|id| snapshot.slug_of(id));
        let mut fields = view(row, teamspace);
        if let Some(fields) = fields.as_object_mut() {
            if !stream.email {
                fields.remove("email");
            }
            if stream.facts {
                // Empty when the request was refused before anything was decided.
                fields.insert("facts".to_owned(), serde_json::from_str(&row.facts).unwrap_or_default());
            }
        }
        let is_refused = row.outcome == "refused";
        Self { at: row.at, is_refused, request_id: row.request_id.clone(), fields }
    }
}
