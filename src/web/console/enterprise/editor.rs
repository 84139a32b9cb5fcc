//! The form of a provider while it is open.

use super::super::answer::PageError;
use super::super::form::Faults;
use super::card::CheckRow;
use super::form::{ProviderForm, field_of};
use crate::admin::AdminError;

/// A form that is open.
pub struct Editor {
    /// The id of the provider; none for a new one.
    pub id: Option<String>,
    pub form: ProviderForm,
    pub faults: Faults,
    pub checks: Vec<CheckRow>,
    /// The changes that somebody else made since the form was shown.
    pub changes: Vec<String>,
    pub has_more: bool,
}

impl Editor {
    pub fn new(id: Option<String>, form: ProviderForm) -> Self {
        let groups_claim = form.groups_claim.trim();
        let has_more = !form.tenant.is_empty()
            || !form.custom_claims.is_empty()
            || !form.logout_client_id.is_empty()
            || !form.saml_issuer.is_empty()
            || !form.link_by.is_empty()
            || !["", "groups"].contains(&groups_claim);
        Self { id, form, faults: Faults::default(), checks: Vec::new(), changes: Vec::new(), has_more }
    }

    /// Shows a refusal at the field with the mistake.
    pub fn refused(self, error: AdminError) -> Result<Self, PageError> {
        let checks = match &error {
            AdminError::NotAcceptable(failed) => {
                failed.checks.iter().flat_map(|check| &check.steps).map(CheckRow::from).collect()
            }
            _ => Vec::new(),
        };
        Ok(Self { faults: Faults::from_refusal(error, field_of)?, checks, ..self })
    }

    /// Whether the folded fields are to be seen.
    pub fn is_unfolded(&self) -> bool {
        let folded =
            ["name", "tenant", "groups_claim", "custom_claims", "logout_client_id", "saml_issuer", "link_by"];
        self.has_more || folded.iter().any(|field| self.faults.at(field).is_some())
    }
}
