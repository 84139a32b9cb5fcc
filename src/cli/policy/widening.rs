//! What the solver says about a change, in a build that can ask one.

use serde::Serialize;

use crate::config::Duration;
use crate::policy::{Action, Validated};

/// An answer for every action, or why there is none.
#[derive(Debug, Serialize)]
pub(super) struct Widening {
    pub actions: Vec<Answer>,
    /// Why nothing could be asked.
    pub unanswered: Option<String>,
}

/// The answer for one action.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub action: Action,
    pub wider: Direction,
    pub narrower: Direction,
}

/// Whether one set permits what the other does not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Direction {
    No,
    /// For this request; it was asked again of the ordinary authorizer.
    Yes(Example),
    Undecided(String),
}

/// A request that two sets answer differently.
#[derive(Debug, Serialize)]
pub(super) struct Example {
    /// In the words of `policy prove`.
    pub request: String,
    pub old: String,
    pub new: String,
}

impl Widening {
    pub(super) fn is_wider(&self) -> bool {
        self.actions.iter().any(|answer| matches!(answer.wider, Direction::Yes(_)))
    }

    /// Why it is not known whether NEW is wider; none when it is.
    pub(super) fn undecided(&self) -> Option<String> {
        let open = self.actions.iter().find_map(|answer| match &answer.wider {
            Direction::Undecided(why) => Some(format!("{}: {why}", answer.action.name())),
            _ => None,
        });
        self.unanswered.clone().or(open)
    }
}

/// Asks whether NEW permits anything that OLD did not.
#[cfg(feature = "prove")]
pub(super) async fn ask(old: &Validated, new: &Validated, timeout: Duration) -> Widening {
    use crate::policy::prove::{Prover, widening};

    match Prover::from_environment(timeout.std()).await {
        Err(error) => Widening { actions: Vec::new(), unanswered: Some(error.to_string()) },
        Ok(mut prover) => {
            let compared = widening(&mut prover, old, new).await;
            Widening { actions: compared.into_iter().map(Into::into).collect(), unanswered: None }
        }
    }
}

/// Asks whether NEW permits anything that OLD did not.
#[cfg(not(feature = "prove"))]
pub(super) async fn ask(_: &Validated, _: &Validated, _: Duration) -> Widening {
    let why = "this build has no prover; build with `--features prove`, or look at cases and sign-ins alone with `--without-solver`";
    Widening { actions: Vec::new(), unanswered: Some(why.to_owned()) }
}
