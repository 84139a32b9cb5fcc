//! Asks the solver about a change, in a build that has one.

use crate::config::Duration;
use crate::policy::Validated;
use crate::policy::authoring::diff::Widening;

/// Asks whether NEW permits anything that OLD did not.
#[cfg(feature = "prove")]
pub(super) async fn ask(old: &Validated, new: &Validated, timeout: Duration) -> Widening {
    use crate::policy::authoring::prove::{Prover, widening};

    match Prover::from_environment(timeout.std()).await {
        Err(error) => Widening { actions: Vec::new(), unanswered: Some(error.to_string()) },
        Ok(mut prover) => {
            let compared = widening(&mut prover, old, new).await;
            Widening { actions: compared.into_iter().map(answer).collect(), unanswered: None }
        }
    }
}

#[cfg(feature = "prove")]
fn answer(
    compared: crate::policy::authoring::prove::Comparison,
) -> crate::policy::authoring::diff::ActionAnswer {
    use crate::policy::authoring::diff::{ActionAnswer, Direction, WideningExample};
    use crate::policy::authoring::prove;

    let direction = |direction| match direction {
        prove::ProvenDirection::No => Direction::No,
        prove::ProvenDirection::Undecided(why) => Direction::Undecided(why),
        prove::ProvenDirection::Yes(found) => Direction::Yes(WideningExample {
            request: found.case.to_string(),
            old: found.old.to_string(),
            new: found.new.to_string(),
        }),
    };
    let (wider, narrower) = (direction(compared.wider), direction(compared.narrower));
    ActionAnswer { action: compared.action, wider, narrower }
}

/// Without a prover there is no answer, which does not count as a good one.
#[cfg(not(feature = "prove"))]
pub(super) async fn ask(_: &Validated, _: &Validated, _: Duration) -> Widening {
    let why = "this build has no prover; build with `--features prove`, or look at cases and sign-ins alone \
               with `--without-solver`";
    Widening { actions: Vec::new(), unanswered: Some(why.to_owned()) }
}
