//! Carries out a plan, step by step, and stops at the first failure or at a signal. Each step is a transaction of the
//! service, so what was done stays done, and the next run goes on from there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value, json};

use super::AT_ONCE;
use super::found::ResourceIds;
use super::secrets::Secrets;
use crate::cli::api::{Api, ApiProblem, api_path};
use crate::cli::serve::StopSignals;
use crate::manifest::{ChangePlan, FieldUpdate, FoundObject, ObjectKind, PlannedStep, StepAction};
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

impl<'p> Performed<'p> {
    /// Notes how a step ended, if it was begun. Returns the object that it made.
    fn note(
        &mut self,
        step: &'p PlannedStep,
        ended: Option<Result<Option<FoundObject>, ApiProblem>>,
    ) -> Option<FoundObject> {
        match ended {
            Some(Ok(made)) => {
                self.done.push(step);
                return made;
            }
            Some(Err(problem)) => self.failed.push((step, problem)),
            None => self.not_done.push(step),
        }
        None
    }
}

/// Carries out the plan. `ids` are those of the resources that there are.
pub(super) async fn perform<'p>(
    api: &Api,
    plan: &'p ChangePlan,
    secrets: &Secrets,
    mut ids: ResourceIds,
) -> Performed<'p> {
    let (mut performed, mut progress) = (Performed::default(), ProgressLine::new());
    let (stop, interrupted) = (&AtomicBool::new(false), &Interrupted::listen());
    let count = plan.steps().count();
    for group in &plan.groups {
        let known = &ids;
        let steps = stream::iter(group).map(|step| async move {
            if stop.load(Ordering::Relaxed) || interrupted.is_set() {
                return (step, None);
            }
            let ended = take(api, step, secrets, known).await;
            stop.fetch_or(ended.is_err(), Ordering::Relaxed);
            (step, Some(ended))
        });
        let (mut steps, mut made) = (Box::pin(steps.buffer_unordered(AT_ONCE)), Vec::new());
        while let Some((step, ended)) = steps.next().await {
            made.extend(performed.note(step, ended));
            progress.show(format_args!("Done: {} of {count}", performed.done.len()));
        }
        drop(steps);
        made.iter().for_each(|object| ids.add(object));
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

/// Takes a step. Returns the object, if it made one.
async fn take(
    api: &Api,
    step: &PlannedStep,
    secrets: &Secrets,
    ids: &ResourceIds,
) -> Result<Option<FoundObject>, ApiProblem> {
    let list = ids.list_path(step)?;
    let path = || Ok::<_, ApiProblem>(format!("{list}{}", api_path(&[&step.id])?));
    let secret = step.secret.as_ref().and_then(|_| secrets.of(&step.name));
    match &step.action {
        StepAction::Create(fields) => {
            let made = api.post(&list, Some(&Value::Object(with_secret(fields.clone(), secret)))).await?;
            return Ok(FoundObject::of(step.kind, step.within.as_deref(), made));
        }
        StepAction::Change(updates) => change(api, (step.kind, &path()?), updates, secret).await?,
        StepAction::Delete => match api.delete(&path()?).await {
            // Somebody else was faster, or it went with something else.
            Err(ApiProblem::Refused(refusal)) if refusal.code == "not_found" => {}
            deleted => drop(deleted?),
        },
    }
    Ok(None)
}

/// Changes an object. A client has a list of secrets; credentials have one, which takes the place of what was there.
async fn change(
    api: &Api,
    (kind, path): (ObjectKind, &str),
    updates: &[FieldUpdate],
    secret: Option<&str>,
) -> Result<(), ApiProblem> {
    let (with_fields, added) = if kind == ObjectKind::Credential { (secret, None) } else { (None, secret) };
    let body = with_secret(patch(updates), with_fields);
    if !body.is_empty() {
        api.patch(path, &Value::Object(body)).await?;
    }
    if let Some(secret) = added {
        api.post(&format!("{path}/secrets"), Some(&json!({ "client_secret": secret }))).await?;
    }
    Ok(())
}

fn with_secret(mut body: Map<String, Value>, secret: Option<&str>) -> Map<String, Value> {
    body.extend(secret.map(|secret| ("client_secret".to_owned(), secret.into())));
    body
}

/// Only what differs, so that a change that somebody else makes to another field is kept.
fn patch(updates: &[FieldUpdate]) -> Map<String, Value> {
    updates.iter().map(|update| (update.field.to_owned(), update.new.clone())).collect()
}
