//! Identity providers as administrators enter them and as they are shown.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::check;
use super::error::AdminError;
use super::patch::{nullable, present};
use super::view::as_json;
use crate::clock::rfc3339;
use crate::model::identity_provider::{ClaimType, CustomClaim, IdentityProvider, Provider};
use crate::model::member_link::LinkBy;

/// Longest tenant, client id, SAML issuer and name of a claim, in bytes; what an assertion may have.
const MAX_TENANT: usize = 255;
/// Most custom claims of a provider.
const MAX_CUSTOM_CLAIMS: usize = 20;

/// A whole configuration.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProvider {
    pub name: Option<String>,
    pub provider: Provider,
    pub issuer: String,
    #[serde(default, deserialize_with = "nullable")]
    pub tenant: Option<Option<String>>,
    #[serde(default)]
    pub scope: String,
    pub groups_claim: Option<String>,
    pub custom_claims: Option<Vec<CustomClaim>>,
    #[serde(default, deserialize_with = "nullable")]
    pub logout_client_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    pub saml_issuer: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    pub link_by: Option<Option<String>>,
    pub enabled: Option<bool>,
}

/// The members that can be changed.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderPatch {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub provider: Option<Provider>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub issuer: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub tenant: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub scope: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub groups_claim: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub custom_claims: Option<Vec<CustomClaim>>,
    #[serde(default, deserialize_with = "nullable")]
    pub logout_client_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    pub saml_issuer: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    pub link_by: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
}

/// The settings of a provider as somebody saw them before changing them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenProvider {
    pub name: String,
    pub issuer: String,
    pub tenant: Option<String>,
    pub scope: String,
    pub groups_claim: String,
    pub custom_claims: Vec<CustomClaim>,
    pub logout_client_id: Option<String>,
    /// Absent in a form that an older version has shown.
    #[serde(default)]
    pub saml_issuer: Option<String>,
    /// Absent as well.
    #[serde(default)]
    pub link_by: Option<String>,
    pub enabled: bool,
}

impl From<&IdentityProvider> for SeenProvider {
    fn from(provider: &IdentityProvider) -> Self {
        Self {
            name: provider.name.clone(),
            issuer: provider.issuer.clone(),
            tenant: provider.tenant.clone(),
            scope: provider.scope.clone(),
            groups_claim: provider.groups_claim.clone(),
            custom_claims: provider.custom_claims.clone(),
            logout_client_id: provider.logout_client_id.clone(),
            saml_issuer: provider.saml_issuer.clone(),
            link_by: provider.link_by.as_ref().map(|claim| claim.as_str().to_owned()),
            enabled: provider.enabled,
        }
    }
}

impl From<NewProvider> for ProviderPatch {
    fn from(new: NewProvider) -> Self {
        Self {
            name: new.name,
            provider: Some(new.provider),
            issuer: Some(new.issuer),
            tenant: new.tenant,
            scope: Some(new.scope),
            groups_claim: Some(new.groups_claim.unwrap_or_else(|| "groups".to_owned())),
            custom_claims: new.custom_claims,
            logout_client_id: new.logout_client_id,
            saml_issuer: new.saml_issuer,
            link_by: new.link_by,
            enabled: Some(new.enabled.unwrap_or(true)),
        }
    }
}

impl ProviderPatch {
    /// The kind of provider that it makes.
    pub(super) fn provider(&self) -> Option<Provider> {
        self.provider
    }

    /// Whether it touches the scope setting.
    pub(super) fn has_scope(&self) -> bool {
        self.scope.is_some()
    }

    /// Applies the edit to a provider.
    pub(super) fn apply(&self, old: &IdentityProvider) -> Result<IdentityProvider, AdminError> {
        let name = self.name.as_deref().map(check::name).transpose()?;
        let scope = self.scope.as_deref().map(checked_scope).transpose()?;
        let groups_claim = self.groups_claim.as_deref().map(checked_groups_claim).transpose()?;
        let tenant = self.tenant.clone().unwrap_or_else(|| old.tenant.clone());
        if tenant.as_deref().is_some_and(|tenant| !is_claim_text(tenant)) {
            return Err(AdminError::TenantInvalid);
        }
        let logout_client_id = self.logout_client_id.clone().unwrap_or_else(|| old.logout_client_id.clone());
        if logout_client_id.as_deref().is_some_and(|id| !is_claim_text(id)) {
            return Err(AdminError::LogoutClientIdInvalid);
        }
        let saml_issuer = self.saml_issuer.clone().unwrap_or_else(|| old.saml_issuer.clone());
        if saml_issuer.as_deref().is_some_and(|issuer| !is_claim_text(issuer)) {
            return Err(AdminError::SamlIssuerInvalid);
        }
        let custom_claims = self.custom_claims.clone().unwrap_or_else(|| old.custom_claims.clone());
        check_custom_claims(&custom_claims)?;
        let link_by = match &self.link_by {
            Some(wanted) => wanted.clone().map(LinkBy::from),
            None => old.link_by.clone(),
        };
        check_link_by(link_by.as_ref(), &custom_claims)?;
        Ok(IdentityProvider {
            name: name.unwrap_or_else(|| old.name.clone()),
            provider: self.provider.unwrap_or(old.provider),
            issuer: self.issuer.clone().unwrap_or_else(|| old.issuer.clone()),
            tenant,
            scope: scope.unwrap_or_else(|| old.scope.clone()),
            groups_claim: groups_claim.unwrap_or_else(|| old.groups_claim.clone()),
            custom_claims,
            logout_client_id,
            saml_issuer,
            link_by,
            enabled: self.enabled.unwrap_or(old.enabled),
            ..old.clone()
        })
    }
}

/// The only identity provider of a teamspace, as the API's singular path shows it. That path is older than the
/// providers' names.
#[derive(Serialize, ToSchema)]
#[schema(as = OnlyIdentityProvider)]
pub struct OnlyProviderView<'p> {
    provider: Provider,
    issuer: &'p str,
    jwks_uri: &'p str,
    /// Scopes to grant, separated by spaces; empty: what the identity provider authorizes.
    scope: &'p str,
    groups_claim: &'p str,
    enabled: bool,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// An identity provider as the API and the audit log show it.
#[derive(Serialize, ToSchema)]
#[schema(as = IdentityProvider)]
pub struct ProviderView<'p> {
    id: &'p str,
    name: &'p str,
    /// The `tenant` that assertions must name; null: they must name none.
    #[schema(required)]
    tenant: Option<&'p str>,
    custom_claims: &'p [CustomClaim],
    /// The audience of the provider's logout tokens (OpenID Connect Back-Channel Logout); null: none are taken.
    #[schema(required)]
    logout_client_id: Option<&'p str>,
    /// The provider as SAML names it: assertions need a `sub_id` with a NameID from there; null: `sub_id` is ignored.
    #[schema(required)]
    saml_issuer: Option<&'p str>,
    /// The claim by whose value people are linked to members once: one of `custom_claims`, or `aud_sub`; null: the email.
    #[schema(required)]
    link_by: Option<&'p str>,
    #[serde(flatten)]
    only: OnlyProviderView<'p>,
}

impl<'p> OnlyProviderView<'p> {
    fn of(provider: &'p IdentityProvider) -> Self {
        Self {
            provider: provider.provider,
            issuer: &provider.issuer,
            jwks_uri: &provider.jwks_uri,
            scope: &provider.scope,
            groups_claim: &provider.groups_claim,
            enabled: provider.enabled,
            created_at: rfc3339(provider.created_at),
            updated_at: rfc3339(provider.updated_at),
        }
    }
}

/// An identity provider as JSON.
pub fn view(provider: &IdentityProvider) -> Value {
    as_json(ProviderView {
        id: &provider.id,
        name: &provider.name,
        tenant: provider.tenant.as_deref(),
        custom_claims: &provider.custom_claims,
        logout_client_id: provider.logout_client_id.as_deref(),
        saml_issuer: provider.saml_issuer.as_deref(),
        link_by: provider.link_by.as_ref().map(LinkBy::as_str),
        only: OnlyProviderView::of(provider),
    })
}

/// The only identity provider as JSON.
pub fn view_of_only(provider: &IdentityProvider) -> Value {
    as_json(OnlyProviderView::of(provider))
}

fn checked_scope(text: &str) -> Result<String, AdminError> {
    let scopes: Vec<String> = text.split(' ').filter(|s| !s.is_empty()).map(str::to_owned).collect();
    check::scopes(&scopes)?;
    Ok(scopes.join(" "))
}

fn checked_groups_claim(text: &str) -> Result<String, AdminError> {
    if check::is_short_text(text) { Ok(text.to_owned()) } else { Err(AdminError::GroupsClaimInvalid) }
}

fn check_custom_claims(claims: &[CustomClaim]) -> Result<(), AdminError> {
    let is_twice =
        |(at, claim): (usize, &CustomClaim)| claims.iter().take(at).any(|other| other.name == claim.name);
    let is_good = claims.len() <= MAX_CUSTOM_CLAIMS
        && claims.iter().all(|claim| is_claim_text(&claim.name))
        && !claims.iter().enumerate().any(is_twice);
    if is_good { Ok(()) } else { Err(AdminError::CustomClaimsInvalid) }
}

/// Claims with a meaning of their own, which link nobody by their value alone.
const NO_LINKS: [&str; 10] =
    ["iss", "sub", "aud", "client_id", "jti", "scope", "email", "email_verified", "tenant", "aud_tenant"];

fn check_link_by(link_by: Option<&LinkBy>, claims: &[CustomClaim]) -> Result<(), AdminError> {
    let Some(LinkBy::Claim(name)) = link_by else { return Ok(()) };
    let is_declared = claims.iter().any(|claim| claim.name == *name && claim.claim_type == ClaimType::Text);
    if is_declared && !NO_LINKS.contains(&name.as_str()) { Ok(()) } else { Err(AdminError::LinkByInvalid) }
}

fn is_claim_text(text: &str) -> bool {
    (1..=MAX_TENANT).contains(&text.len()) && !text.chars().any(char::is_control)
}
