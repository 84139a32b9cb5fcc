//! The service itself: its health, the processes that serve the database, the signing keys and the log streams.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use super::answer::{PageError, form_again, page};
use super::form::{Faults, Typed};
use super::kill_switch::{KillForm, KillSection, field_of, words};
use super::page::{Frame, OperatorPage, Place};
use super::words::{ago, date};
use crate::admin::kill_switch::{lift, throw};
use crate::admin::system::{self, KeyInTurn, LogStreamState, Process};
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::model::signing_key::Turn;
use crate::policy::ConsoleAction;

#[derive(Template)]
#[template(path = "system.html")]
struct SystemPage {
    frame: Frame,
    version: &'static str,
    issuer: String,
    database: &'static str,
    /// Whether all is well.
    is_ready: bool,
    checks: Vec<CheckView>,
    processes: Vec<ProcessRow>,
    /// Whether all processes decide by the same policies.
    are_alike: bool,
    keys: Vec<KeyRow>,
    kill: KillSection,
    streams: Vec<StreamRow>,
}

/// One check of whether the service is ready.
struct CheckView {
    title: &'static str,
    problem: Option<&'static str>,
}

struct ProcessRow {
    process: Process,
    started: String,
}

struct KeyRow {
    kid: String,
    alg: String,
    /// The kind and the word of its badge.
    badge: (&'static str, &'static str),
    signs_from: String,
}

struct StreamRow {
    name: String,
    to: String,
    /// How long the oldest row has waited; empty if all were sent.
    behind: String,
}

/// When a new key begins to sign.
#[derive(Deserialize)]
struct RotateForm {
    #[serde(default)]
    at_once: String,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/system", get(show))
        .route("/system/keys", post(rotate))
        .route("/system/kill-switches", post(throw_switch))
        .route("/system/kill-switches/{id}/lift", post(lift_switch))
}

/// `GET /system`
async fn show(at: OperatorPage) -> Result<Response, PageError> {
    page(&system_page(&at, KillForm::default(), Faults::default()).await?)
}

async fn system_page(at: &OperatorPage, form: KillForm, faults: Faults) -> Result<SystemPage, PageError> {
    at.may_everywhere(ConsoleAction::ViewSystem)?;
    let (app, now) = (&at.app, at.app.clock.now());
    let checks: Vec<CheckView> = system::checks(at)
        .into_iter()
        .map(|check| CheckView { title: title(check.name), problem: check.problem })
        .collect();
    let processes = system::processes(at);
    let keys = system::keys(at).await?;
    let streams = system::streams(at).await?;
    let kill = KillSection::of(at, form, faults)?;
    Ok(SystemPage {
        frame: at.frame(Place::System),
        version: env!("CARGO_PKG_VERSION"),
        issuer: app.config.issuer.clone(),
        database: system::database(at),
        is_ready: checks.iter().all(|check| check.problem.is_none()),
        checks,
        are_alike: processes.iter().all(|process| process.has_same_policies),
        processes: processes.into_iter().map(|process| process_row(process, now)).collect(),
        keys: keys.into_iter().map(|key| key_row(key, now)).collect(),
        kill,
        streams: streams.into_iter().map(|stream| stream_row(stream, now)).collect(),
    })
}

fn title(check: &str) -> &'static str {
    match check {
        "database_read" => "The database can be read",
        "database_write" => "The database can be written",
        "clock" => "The clock is right",
        "signing_key" => "There is a signing key",
        _ => "Another check",
    }
}

fn process_row(process: Process, now: UnixSeconds) -> ProcessRow {
    ProcessRow { started: ago(process.started_at, now), process }
}

fn key_row(key: KeyInTurn, now: UnixSeconds) -> KeyRow {
    let badge = match (key.turn, key.is_published) {
        (Turn::Signs, _) => ("good", "Signs"),
        (Turn::Next, _) => ("", "Next"),
        (Turn::Past, true) => ("", "Verifies older tokens"),
        (Turn::Past, false) => ("plain", "Retired"),
    };
    let signs_from = match key.signs_from > now {
        true => format!("in {} minutes", (key.signs_from - now).div_euclid(60) + 1),
        false => date(key.signs_from),
    };
    KeyRow { kid: key.kid, alg: key.alg, badge, signs_from }
}

fn stream_row(stream: LogStreamState, now: UnixSeconds) -> StreamRow {
    let behind = stream.oldest_unsent.map(|oldest| ago(oldest, now)).unwrap_or_default();
    StreamRow { name: stream.name, to: stream.to, behind }
}

/// `POST /system/keys`
async fn rotate(at: OperatorPage, Typed(form): Typed<RotateForm>) -> Result<Response, PageError> {
    let is_at_once = !form.at_once.is_empty();
    let kid = system::rotate_key(&at, is_at_once).await?;
    let when =
        if is_at_once { "It signs from now on." } else { "It signs in 10 minutes, when verifiers know it." };
    Ok(at.done("/system", format!("The signing key {kid} was made. {when}")))
}

/// `POST /system/kill-switches`
async fn throw_switch(at: OperatorPage, Typed(form): Typed<KillForm>) -> Result<Response, PageError> {
    let new = form.new_switch().ok_or_else(|| PageError::Form("it stops no kind of thing".to_owned()))?;
    match throw(&at, new).await {
        Ok((switch, true)) => {
            let stopped = words(&switch, &at.app.snapshot());
            Ok(at.done("/system", format!("{stopped} is stopped.")))
        }
        Ok((_, false)) => Ok(at.done("/system", "This kill switch is on already. Nothing was changed.")),
        Err(error) => {
            let faults = Faults::from_refusal(error, field_of)?;
            form_again(&system_page(&at, form, faults).await?)
        }
    }
}

/// `POST /system/kill-switches/{id}/lift`
async fn lift_switch(at: OperatorPage, Path(id): Path<String>) -> Result<Response, PageError> {
    let switch = lift(&at, id).await?;
    let lifted = words(&switch, &at.app.snapshot());
    Ok(at.done("/system", format!("{lifted} is no longer stopped. Tokens issued before stay inactive.")))
}
