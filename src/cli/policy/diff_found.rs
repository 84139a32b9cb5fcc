//! The findings of `policy diff`.

use serde::Serialize;

use crate::cli::{CommandResult, End};
use crate::policy::authoring::diff::{ChangedItem, Replayed, Widening};
use crate::policy::authoring::edits::{Edits, Loosening};

/// Everything that was found.
#[derive(Debug, Serialize)]
pub(super) struct DiffFindings {
    pub old: String,
    pub new: String,
    pub edits: Edits,
    pub cases: Replayed,
    /// None: not asked for.
    pub sign_ins: Option<Replayed>,
    /// None: not asked for.
    pub solver: Option<Widening>,
    /// Without a solver: the changes that could permit more and that no case or sign-in has exercised.
    pub untested: Vec<Loosening>,
}

impl DiffFindings {
    /// Whether a case, a sign-in or the solver shows something that is permitted now and was not before.
    pub(super) fn widens(&self) -> bool {
        let replays = [Some(&self.cases), self.sign_ins.as_ref()];
        replays.into_iter().flatten().flat_map(|replayed| &replayed.changed).any(ChangedItem::widens)
            || self.solver.as_ref().is_some_and(Widening::is_wider)
    }

    fn looked_at(&self) -> usize {
        self.cases.total + self.sign_ins.as_ref().map_or(0, |replayed| replayed.total)
    }

    /// How the command ends.
    pub(super) fn end(&self) -> CommandResult {
        match self.solver.as_ref().and_then(Widening::undecided) {
            _ if self.widens() => Ok(End::Finding),
            _ if self.sign_ins.as_ref().is_some_and(Replayed::is_blind) => {
                Err("none of the recorded sign-ins could be replayed".into())
            }
            None if self.solver.is_none() && self.looked_at() == 0 => {
                Err("nothing was looked at: no solver, no case, no sign-in".into())
            }
            Some(why) => Err(format!("whether it widens could not be decided: {why}").into()),
            None if !self.untested.is_empty() => {
                let named: Vec<String> = self.untested.iter().map(Loosening::to_string).collect();
                let what = "whether it widens is not decided: no case and no recorded sign-in tests";
                Err(format!("{what} {}; add a case, or ask the solver", named.join(", ")).into())
            }
            None => Ok(End::Fine),
        }
    }
}
