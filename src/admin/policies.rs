//! The policies in force, as operators see them.

use std::collections::HashMap;
use std::sync::Arc;

use super::caller::Operator;
use super::error::AdminError;
use crate::app::MAX_LISTED;
use crate::policy::engine::references::Reference;
use crate::policy::reload::{LastError, PolicyFiles};
use crate::policy::{ConsoleAction, Policies, PolicySource};
use crate::store::{StoreError, shadow, sign_in_counts};

/// The number of days over which policies' decisions are counted.
pub const COUNTED_DAYS: i64 = 30;

/// A file of the set, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    pub name: String,
    pub text: String,
}

/// The shadow set, and how its decisions compare.
pub struct ShadowSet {
    /// None while it could not be read.
    pub policies: Option<Arc<Policies>>,
    pub last_error: Option<Arc<LastError>>,
    /// The number of decisions that it was asked about, and of those that it would have made differently.
    pub evaluated: i64,
    pub different: i64,
}

/// How often a policy determined an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecidedCounts {
    pub allowed: i64,
    pub refused: i64,
}

/// The policies in force: their texts, their state, and how often each has decided.
pub struct Overview {
    pub policies: Arc<Policies>,
    /// Where they were read from.
    pub place: PolicyFiles,
    /// The schema's text.
    pub schema: SourceText,
    pub files: Vec<SourceText>,
    pub last_error: Option<Arc<LastError>>,
    /// Names that nothing in the configuration has.
    pub unknown_names: Vec<Reference>,
    /// How often each policy decided in the last days, by its id. Policies that decided nothing are left out.
    pub decided: HashMap<String, DecidedCounts>,
    /// Whether a set must pass its test cases before it comes into force.
    pub is_tested: bool,
    pub shadow: Option<ShadowSet>,
}

/// Collects everything about the policies in force.
pub async fn overview(operator: &Operator) -> Result<Overview, AdminError> {
    operator.may_everywhere(ConsoleAction::ViewPolicies)?;
    let app = &operator.app;
    let policies = app.policies();
    let source = PolicySource::from_content(&policies.content)
        .map_err(|error| StoreError::Damaged(format!("the texts of the policies in force: {error}")))?;
    let (schema, files) = source.texts();
    let place = app.policy_files.place().clone();
    let schema_file = place.schema.shown();
    let schema_name = schema_file.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Overview {
        place,
        schema: SourceText { name: schema_name.unwrap_or_default(), text: schema },
        files: files.into_iter().map(|(name, text)| SourceText { name, text }).collect(),
        last_error: app.policy_files.last_error(),
        unknown_names: app.unknown_names().into_iter().take(MAX_LISTED).collect(),
        decided: decided(operator).await?,
        is_tested: app.config.policy.test_on_reload,
        shadow: shadow_set(operator).await?,
        policies,
    })
}

async fn decided(operator: &Operator) -> Result<HashMap<String, DecidedCounts>, AdminError> {
    let since = operator.app.clock.now().saturating_sub(COUNTED_DAYS * 24 * 3600);
    let counts = operator.app.store.read(move |c| sign_in_counts::of_policies(c, since)).await?;
    let mut decided: HashMap<String, DecidedCounts> = HashMap::new();
    for count in counts {
        let of_policy = decided.entry(count.policy).or_default();
        of_policy.allowed += count.allowed;
        of_policy.refused += count.refused;
    }
    Ok(decided)
}

/// Returns the shadow set, or none when it is off. The counts cover all the times when this set was on trial.
async fn shadow_set(operator: &Operator) -> Result<Option<ShadowSet>, AdminError> {
    let Some(shadow) = &operator.app.shadow else { return Ok(None) };
    let policies = shadow.policies();
    let runs = operator.app.store.read(shadow::runs).await?;
    let is_own = |run: &&shadow::Run| policies.as_ref().is_some_and(|set| set.hash == run.shadow_set);
    let own = || runs.iter().filter(is_own);
    Ok(Some(ShadowSet {
        evaluated: own().map(|run| run.evaluated).sum(),
        different: own().map(|run| run.different).sum(),
        last_error: shadow.files.last_error(),
        policies,
    }))
}
