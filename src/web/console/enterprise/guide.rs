//! The guided set-up of an identity provider, step by step, with this deployment's values and a picture of each form.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use std::collections::HashMap;

use super::super::answer::{PageError, page};
use super::super::page::{Frame, InTeamspacePage, Place};
use super::drawings;
use super::values::Values;
use crate::policy::ConsoleAction;

/// The products that there are guides for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guide {
    Okta,
    Entra,
    Keycloak,
    Claude,
}

impl Guide {
    const ALL: [Self; 4] = [Self::Okta, Self::Claude, Self::Entra, Self::Keycloak];

    fn path(self) -> &'static str {
        match self {
            Self::Okta => "okta",
            Self::Entra => "entra",
            Self::Keycloak => "keycloak",
            Self::Claude => "claude",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Okta => "Okta",
            Self::Entra => "Microsoft Entra",
            Self::Keycloak => "Keycloak",
            Self::Claude => "Claude-issued identity",
        }
    }
}

#[derive(Template)]
#[template(path = "enterprise_guide.html")]
struct GuidePage {
    frame: Frame,
    guide: Guide,
    values: Values,
    enterprise_path: String,
    activity_path: String,
}

/// `GET /t/{slug}/enterprise/guide/{kind}`
pub async fn show(
    at: InTeamspacePage,
    Path(path): Path<HashMap<String, String>>,
) -> Result<Response, PageError> {
    at.may(ConsoleAction::ViewEnterprise)?;
    let asked = path.get("kind").map(String::as_str).unwrap_or_default();
    let guide = Guide::ALL.into_iter().find(|guide| guide.path() == asked).ok_or(PageError::NotFound)?;
    let frame = at.frame(Place::Enterprise);
    page(&GuidePage {
        guide,
        values: Values::of(&at),
        enterprise_path: format!("{}{}", frame.base, at.path("/enterprise")),
        activity_path: format!("{}{}", frame.base, at.path("/activity")),
        frame,
    })
}
