//! One sign-in with everything that is known about it: each check, the policies that decided and why, and the answers
//! of today's policies.

use std::sync::Arc;

use super::caller::{Admin, InTeamspace, Operator};
use super::error::AdminError;
use super::sign_in_row;
use super::sign_ins::{confine, known_of};
use super::token_life::{self, TokenLife};
use crate::disclosure::Disclosure;
use crate::exchange::explain::ExplainedCheck;
use crate::exchange::reached;
use crate::oauth::reason::Reason;
use crate::policy::engine::compare::{AnswerDifference, differences};
use crate::policy::{self, AnnotatedSet, Denial, Explained, PolicyAnswer, RecordedFacts};
use crate::store::sign_ins::SignIn;
use crate::store::snapshot::Snapshot;

/// A past sign-in, as who asks may read it.
#[derive(Debug)]
pub struct SignInDetail {
    pub row: SignIn,
    pub checks: Vec<ExplainedCheck>,
    /// Each decision with the clauses behind it; empty where no policy was asked, or its facts were not kept.
    pub decisions: Vec<Explained>,
    /// Whether the policies that decided are still known; without them, decisions have no clauses.
    pub is_set_known: bool,
    /// None where the row has no facts to decide on.
    pub today: Option<Today>,
    /// None where no token was granted.
    pub token: Option<TokenLife>,
}

/// The answer of the policies now in force to the recorded facts.
#[derive(Debug)]
pub struct Today {
    pub policy_set: String,
    pub decisions: Vec<Explained>,
    /// None: it would be granted.
    pub reason: Option<Reason>,
    /// The questions that are answered differently.
    pub differences: Vec<AnswerDifference>,
}

/// A sign-in of a teamspace.
pub async fn of_teamspace(at: &InTeamspace, request_id: &str) -> Result<SignInDetail, AdminError> {
    tell(at, sign_in_row::of_teamspace(at, request_id).await?).await
}

/// Finds any sign-in, including those that led to no teamspace.
pub async fn of_all(operator: &Operator, request_id: &str) -> Result<SignInDetail, AdminError> {
    tell(operator, sign_in_row::of_all(operator, request_id).await?).await
}

async fn tell(admin: &Admin, mut row: SignIn) -> Result<SignInDetail, AdminError> {
    let snapshot = admin.app.snapshot();
    let teller = Teller { admin, snapshot: &snapshot, row: row.clone() };
    let (decisions, is_set_known) = teller.then().await?;
    let today = teller.today();
    let token = token_life::of_row(&admin.app, &row).await?;
    if !admin.is_operator() {
        confine(admin, &snapshot, &mut row).await?;
    }
    Ok(SignInDetail { checks: reached::checks(&row), row, decisions, is_set_known, today, token })
}

/// Tells of a row what who asks may learn.
struct Teller<'a> {
    admin: &'a Admin,
    snapshot: &'a Snapshot,
    /// As it lies in the log.
    row: SignIn,
}

impl Teller<'_> {
    fn answers(&self) -> Vec<PolicyAnswer> {
        serde_json::from_str(&self.row.decisions).unwrap_or_default()
    }

    fn facts(&self) -> Option<RecordedFacts> {
        serde_json::from_str(&self.row.facts).ok()
    }

    /// The recorded decisions, explained as far as their policies are still known.
    async fn then(&self) -> Result<(Vec<Explained>, bool), AdminError> {
        let (answers, in_force) = (self.answers(), self.admin.app.policies());
        let Some(facts) = self.facts() else { return Ok((bare(answers), true)) };
        if in_force.hash == self.row.policy_set {
            let facts = facts.recall(&in_force.compiled);
            let told = policy::explain_answers(&in_force.compiled, &facts, answers);
            return Ok((self.confined(told, in_force.compiled.annotations()), true));
        }
        let app = &self.admin.app;
        let known = app.past_sets.compiled(&app.store, &self.row.policy_set).await?;
        let annotations = app.past_sets.annotations(&app.store, &in_force, &self.row.policy_set).await?;
        let told = match &known {
            Some(set) => policy::explain_answers(set, &facts.recall(set), answers),
            None => bare(answers),
        };
        Ok((self.confined(told, &annotations), known.is_some()))
    }

    fn today(&self) -> Option<Today> {
        let in_force = self.admin.app.policies();
        let facts = self.facts()?.recall(&in_force.compiled);
        let (decisions, outcome) = policy::explain(&in_force.compiled, &facts);
        let annotations = in_force.compiled.annotations();
        let reason = outcome.err().map(|denial| self.reason(&denial, annotations));
        let decisions = self.confined(decisions, annotations);
        let then = self.confined(bare(self.answers()), annotations);
        let answers = |told: &[Explained]| told.iter().map(|one| one.answer.clone()).collect::<Vec<_>>();
        let differences = differences(&answers(&then), &answers(&decisions));
        Some(Today { policy_set: in_force.hash.clone(), decisions, reason, differences })
    }

    fn confined(&self, mut told: Vec<Explained>, policies: &Arc<AnnotatedSet>) -> Vec<Explained> {
        self.with_disclosure(policies, |disclosure| drop(disclosure.confine_explained(&mut told)));
        told
    }

    fn reason(&self, denial: &Denial, policies: &Arc<AnnotatedSet>) -> Reason {
        let own = denial.reasons.first().cloned().unwrap_or(Reason::POLICY_DENIED);
        let mut told = own;
        self.with_disclosure(policies, |disclosure| told = disclosure.of_denial(denial).reason);
        told
    }

    /// Runs a function with what the teamspace may learn. An operator may learn everything.
    fn with_disclosure(&self, policies: &Arc<AnnotatedSet>, work: impl FnOnce(Disclosure<'_>)) {
        let id = self.row.teamspace_id.as_deref().filter(|_| !self.admin.is_operator());
        let Some(config) = id.and_then(|id| self.snapshot.teamspace_config_by_id(id)) else { return };
        let scopes: Vec<String> = self.row.scopes_asked.split_whitespace().map(str::to_owned).collect();
        work(Disclosure {
            snapshot: self.snapshot,
            teamspace_config: config,
            known: known_of(&self.row, &scopes),
            policies,
        });
    }
}

/// Decisions of which nobody knows the clauses.
fn bare(answers: Vec<PolicyAnswer>) -> Vec<Explained> {
    answers.into_iter().map(|answer| Explained { answer, findings: Vec::new() }).collect()
}
