//! Carries out a plan, step by step, and stops at the first failure or at a signal. Each step is a transaction of the
//! service, so what was done stays done, and the next run goes on from there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value, json};

use super::AT_ONCE;
use super::found::list_path;
use super::secrets::Secrets;
use crate::cli::api::{Api, ApiProblem, api_path};
use crate::cli::serve::StopSignals;
use crate::manifest::{ChangePlan, FieldUpdate, PlannedStep, StepAction};
use crate::terminal::out::ProgressLine;

/// How far a plan was carried out.
#[derive(Default)]
pub(super) struct Performed<'p> {
    pub done: Vec<&'p PlannedStep>,
    pub failed: Vec<(&'p PlannedStep, ApiProblem)>,
    pub not_done: Vec<&'p PlannedStep>,
    /// Whether a signal stopped it.
    pub is_interrupted: bool,
}

/// Carries out the plan.
pub(super) async fn perform<'p>(api: &Api, plan: &'p ChangePlan, secrets: &Secrets) -> Performed<'p> {
    let (mut performed, mut progress) = (Performed::default(), ProgressLine::new());
    let (stop, interrupted) = (&AtomicBool::new(false), &Interrupted::listen());
    let count = plan.steps().count();
    for group in &plan.groups {
        let steps = stream::iter(group).map(|step| async move {
            if stop.load(Ordering::Relaxed) || interrupted.is_set() {
                return (step, None);
            }
            let ended = take(api, step, secrets).await;
            stop.fetch_or(ended.is_err(), Ordering::Relaxed);
            (step, Some(ended))
        });
        let mut steps = std::pin::pin!(steps.buffer_unordered(AT_ONCE));
        while let Some((step, ended)) = steps.next().await {
            match ended {
                Some(Ok(())) => performed.done.push(step),
                Some(Err(problem)) => performed.failed.push((step, problem)),
                None => performed.not_done.push(step),
            }
            progress.show(format_args!("Done: {} of {count}", performed.done.len()));
        }
    }
    performed.is_interrupted = interrupted.is_set() && !performed.not_done.is_empty();
    performed
}

/// Whether somebody asked the command to stop.
struct Interrupted {
    is_set: Arc<AtomicBool>,
    listener: tokio::task::JoinHandle<()>,
}

impl Interrupted {
    fn listen() -> Self {
        let is_set = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&is_set);
        let listener = tokio::spawn(async move {
            let Ok(mut signals) = StopSignals::listen() else { return };
            signals.recv().await;
            set.store(true, Ordering::Relaxed);
        });
        Self { is_set, listener }
    }

    fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }
}

impl Drop for Interrupted {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Takes a step.
async fn take(api: &Api, step: &PlannedStep, secrets: &Secrets) -> Result<(), ApiProblem> {
    let list = list_path(step.kind, step.teamspace.as_deref())?;
    let secret = step.secret.as_ref().and_then(|_| secrets.of(&step.name));
    match &step.action {
        StepAction::Create(fields) => {
            let mut body = fields.clone();
            body.extend(secret.map(|secret| ("client_secret".to_owned(), secret.into())));
            api.post(&list, Some(&Value::Object(body))).await?;
        }
        StepAction::Change(updates) => {
            let path = format!("{list}{}", api_path(&[&step.id])?);
            if !updates.is_empty() {
                api.patch(&path, &patch(updates)).await?;
            }
            if let Some(secret) = secret {
                api.post(&format!("{path}/secrets"), Some(&json!({ "client_secret": secret }))).await?;
            }
        }
        StepAction::Delete => {
            let path = format!("{list}{}", api_path(&[&step.id])?);
            match api.delete(&path).await {
                // Somebody else was faster, or it went with something else.
                Err(ApiProblem::Refused(refusal)) if refusal.code == "not_found" => {}
                deleted => drop(deleted?),
            }
        }
    }
    Ok(())
}

/// Only what differs, so that a change that somebody else makes to another field is kept.
fn patch(updates: &[FieldUpdate]) -> Value {
    let members: Map<String, Value> =
        updates.iter().map(|update| (update.field.to_owned(), update.new.clone())).collect();
    Value::Object(members)
}
