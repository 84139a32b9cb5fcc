//! How much the asker may learn about the policies' answer.

use std::slice;

use crate::disclosure::Disclosure;
use crate::oauth::error::Reason;
use crate::policy::{Denial, Explained};

/// The limits of what is told.
pub(super) struct Telling<'a> {
    pub disclosure: Disclosure<'a>,
    /// Whether the asker may learn only what the teamspace may.
    pub confined: bool,
}

impl Telling<'_> {
    /// Removes from decisions what the asker may not learn.
    pub fn decisions(&self, decisions: &mut [Explained]) {
        if self.confined {
            let _ = self.disclosure.confine_explained(decisions);
        }
    }

    /// Removes from one decision what the asker may not learn.
    pub fn decision(&self, mut decision: Explained) -> Explained {
        self.decisions(slice::from_mut(&mut decision));
        decision
    }

    /// The reason and the words of a refusal.
    pub fn denial(&self, denial: &Denial) -> (Reason, String) {
        let told = self.disclosure.of_denial(denial);
        let all = denial.reasons.first().cloned().unwrap_or(Reason::POLICY_DENIED);
        let reason = if self.confined { told.reason } else { all };
        (reason, told.message.to_owned())
    }
}
