//! Audit: who changed what, the values before and after, and whether the logs are sealed.

mod rows;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::get;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::answer::{PageError, download, page};
use super::page::{Frame, Place, Viewer};
use super::words;
use crate::admin::AdminError;
use crate::admin::audit::{self, AuditSearch, ChainEnd};
use crate::admin::audit_export;
use crate::app::App;
use crate::model::log::Log;
use rows::AuditRow;

/// Rows on a page.
const ROWS: i64 = 50;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    query: AuditQuery,
    rows: Vec<AuditRow>,
    /// The query of the next page; empty when there is none.
    older: String,
    /// The query of the same rows as a file.
    all: String,
    fault: Option<String>,
    /// The ends of both chains, for an operator.
    chains: Vec<ChainView>,
}

/// The end of a log's chain, as the page shows it.
struct ChainView {
    log: &'static str,
    sealed: String,
    head: String,
}

/// Which rows are asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct AuditQuery {
    actor: String,
    action: String,
    object: String,
    teamspace: String,
    from: String,
    to: String,
    cursor: String,
    format: String,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/audit", get(show)).route("/audit/export", get(export))
}

/// `GET /audit`: an operator sees everything, others only their teamspaces' events.
async fn show(viewer: Viewer, Query(query): Query<AuditQuery>) -> Result<Response, PageError> {
    let mut shown = AuditPage {
        rows: Vec::new(),
        older: String::new(),
        all: query.text(None),
        fault: None,
        chains: chains(&viewer).await?,
        frame: viewer.frame(Place::Audit),
        query,
    };
    let filter = match shown.query.search().filter() {
        Ok(filter) => filter,
        Err(fault) => {
            shown.fault = Some(fault.to_string());
            return page(&shown);
        }
    };
    let filter = audit::AuditFilter { cursor: shown.query.cursor.parse().ok(), ..filter };
    match audit::list(&viewer, shown.query.teamspace(), filter, ROWS).await {
        Ok(found) => {
            let snapshot = viewer.app.snapshot();
            let slug = |id: &Option<String>| id.as_deref().and_then(|id| snapshot.slug_of(id));
            shown.rows = found.items.iter().map(|row| AuditRow::of(row, slug(&row.teamspace_id))).collect();
            shown.older =
                found.next_cursor.map_or_else(String::new, |cursor| shown.query.text(Some(&cursor)));
        }
        Err(AdminError::NotFound) if shown.query.teamspace().is_some() => {
            shown.fault = Some("No teamspace that you can see has this slug.".to_owned());
        }
        Err(error) => return Err(error.into()),
    }
    page(&shown)
}

async fn chains(viewer: &Viewer) -> Result<Vec<ChainView>, PageError> {
    if !viewer.is_operator() {
        return Ok(Vec::new());
    }
    let now = viewer.app.clock.now();
    let view = |ChainEnd { log, head }: ChainEnd| ChainView {
        log: match log {
            Log::Decisions => "Decision log",
            Log::Admin => "Audit log",
        },
        sealed: head.as_ref().map_or_else(
            || "not sealed yet".to_owned(),
            |seal| format!("sealed up to row {}, {}", seal.last_id, words::ago(seal.sealed_at, now)),
        ),
        head: head.map_or_else(String::new, |seal| seal.name()),
    };
    Ok(audit::chain_ends(viewer).await?.into_iter().map(view).collect())
}

/// `GET /audit/export`: the same rows as a file.
async fn export(viewer: Viewer, Query(query): Query<AuditQuery>) -> Result<Response, PageError> {
    let filter = query.search().filter().map_err(|fault| PageError::Form(fault.to_string()))?;
    download(audit_export::collect(&viewer, query.teamspace(), filter).await?, "audit", &query.format)
}

impl AuditQuery {
    fn search(&self) -> AuditSearch {
        let some = |text: &str| Some(text.to_owned());
        AuditSearch {
            actor: some(&self.actor),
            action: some(&self.action),
            object: some(&self.object),
            from: some(&self.from),
            to: some(&self.to),
        }
    }

    fn teamspace(&self) -> Option<&str> {
        Some(self.teamspace.trim()).filter(|slug| !slug.is_empty())
    }

    fn fields(&self) -> [(&'static str, &str); 6] {
        [
            ("actor", &self.actor),
            ("action", &self.action),
            ("object", &self.object),
            ("teamspace", &self.teamspace),
            ("from", &self.from),
            ("to", &self.to),
        ]
    }

    /// Whether anything is searched for.
    fn is_searching(&self) -> bool {
        self.fields().iter().any(|(_, value)| !value.trim().is_empty())
    }

    /// The query as part of a URL, with another cursor.
    fn text(&self, cursor: Option<&str>) -> String {
        let typed = self.fields().into_iter().filter(|(_, value)| !value.is_empty());
        let pairs = typed.chain(cursor.map(|cursor| ("cursor", cursor)));
        let pair =
            |(name, value): (&str, &str)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        pairs.map(pair).collect::<Vec<_>>().join("&")
    }
}
