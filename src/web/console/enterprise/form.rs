//! The form of an identity provider: the input, and the mistakes in it.

use std::fmt::Write as _;

use serde::Deserialize;

use super::super::form::Faults;
use crate::admin::AdminError;
use crate::admin::identity_provider::{NewProvider, ProviderPatch, SeenProvider};
use crate::model::identity_provider::{ClaimType, CustomClaim, IdentityProvider, Provider};

/// The fields as they were typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ProviderForm {
    pub kind: String,
    pub name: String,
    pub issuer: String,
    pub scope: String,
    pub tenant: String,
    pub groups_claim: String,
    /// One per line: a name, or a name, a colon and a type.
    pub custom_claims: String,
    pub logout_client_id: String,
    pub saml_issuer: String,
    pub link_by: String,
    /// The settings as they were when the form was shown, in JSON; empty for a new one.
    pub seen: String,
}

/// The field with the mistake that caused a refusal.
pub fn field_of(error: &AdminError) -> Option<&'static str> {
    Some(match error {
        AdminError::NotAcceptable(failed) if failed.code == "scope_unknown" => "scope",
        AdminError::ScopeInvalid(_) | AdminError::ScopeUnknown(_) => "scope",
        AdminError::NameInvalid | AdminError::ProviderNameTaken => "name",
        AdminError::TenantInvalid => "tenant",
        AdminError::GroupsClaimInvalid => "groups_claim",
        AdminError::CustomClaimsInvalid => "custom_claims",
        AdminError::LogoutClientIdInvalid => "logout_client_id",
        AdminError::SamlIssuerInvalid => "saml_issuer",
        AdminError::LinkByInvalid => "link_by",
        AdminError::NotAcceptable(_)
        | AdminError::IssuerTaken
        | AdminError::IssuerUnavailable
        | AdminError::IssuerTwice
        | AdminError::TooManyIdentityProviders => "issuer",
        _ => return None,
    })
}

impl ProviderForm {
    /// An empty form for a provider of a kind.
    pub fn new(kind: Provider) -> Self {
        Self { kind: kind.as_str().to_owned(), groups_claim: "groups".to_owned(), ..Self::default() }
    }

    /// A form with the settings of a provider.
    pub fn of(provider: &IdentityProvider) -> Self {
        let seen = SeenProvider::from(provider);
        Self {
            kind: provider.provider.as_str().to_owned(),
            name: provider.name.clone(),
            issuer: provider.issuer.clone(),
            scope: provider.scope.clone(),
            tenant: provider.tenant.clone().unwrap_or_default(),
            groups_claim: provider.groups_claim.clone(),
            custom_claims: written(&provider.custom_claims),
            logout_client_id: provider.logout_client_id.clone().unwrap_or_default(),
            saml_issuer: provider.saml_issuer.clone().unwrap_or_default(),
            link_by: seen.link_by.clone().unwrap_or_default(),
            seen: serde_json::to_string(&seen).unwrap_or_default(),
        }
    }

    /// The kind of provider that is meant.
    pub fn kind(&self) -> Provider {
        self.kind.parse().unwrap_or(Provider::Oidc)
    }

    /// A new provider from the input. Blank fields get the defaults.
    pub fn new_provider(&self) -> Result<NewProvider, Faults> {
        Ok(NewProvider {
            name: text(&self.name),
            provider: self.kind(),
            issuer: self.issuer.trim().to_owned(),
            tenant: Some(text(&self.tenant)),
            scope: self.scope.clone(),
            groups_claim: text(&self.groups_claim),
            custom_claims: Some(self.claims()?),
            logout_client_id: Some(text(&self.logout_client_id)),
            saml_issuer: Some(text(&self.saml_issuer)),
            link_by: Some(text(&self.link_by)),
            enabled: None,
        })
    }

    /// A change to the input's values. A blank name stays as it is.
    pub fn patch(&self) -> Result<ProviderPatch, Faults> {
        Ok(ProviderPatch {
            name: text(&self.name),
            issuer: Some(self.issuer.trim().to_owned()),
            tenant: Some(text(&self.tenant)),
            scope: Some(self.scope.clone()),
            groups_claim: Some(text(&self.groups_claim).unwrap_or_else(|| "groups".to_owned())),
            custom_claims: Some(self.claims()?),
            logout_client_id: Some(text(&self.logout_client_id)),
            saml_issuer: Some(text(&self.saml_issuer)),
            link_by: Some(text(&self.link_by)),
            ..ProviderPatch::default()
        })
    }

    /// The settings as they were when the form was shown.
    pub fn seen(&self) -> Option<SeenProvider> {
        serde_json::from_str(&self.seen).ok()
    }

    /// Whether a provider already has these values: then saving it again is a second press of the same button.
    pub fn is_saved_as(&self, provider: &IdentityProvider) -> bool {
        let shown = Self::of(provider);
        let name = if self.name.trim().is_empty() { &shown.name } else { self.name.trim() };
        name == shown.name
            && self.kind() == provider.provider
            && self.issuer.trim() == shown.issuer
            && self.tenant.trim() == shown.tenant
            && self.scope.split_whitespace().eq(shown.scope.split_whitespace())
    }

    fn claims(&self) -> Result<Vec<CustomClaim>, Faults> {
        let lines = self.custom_claims.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(claim).collect()
    }
}

fn text(typed: &str) -> Option<String> {
    let typed = typed.trim();
    (!typed.is_empty()).then(|| typed.to_owned())
}

/// Claims as they are typed.
pub fn written(claims: &[CustomClaim]) -> String {
    let mut lines = String::new();
    for CustomClaim { name, claim_type } in claims {
        let _ = match claim_type {
            ClaimType::Text => writeln!(lines, "{name}"),
            other => writeln!(lines, "{name}: {}", other.as_str()),
        };
    }
    lines
}

/// A name may contain colons, as in `https://acme.com/level`: only a known type after the last colon is a type.
fn claim(line: &str) -> Result<CustomClaim, Faults> {
    let typed = line.rsplit_once(':').map(|(name, kind)| (name.trim(), kind.trim()));
    if let Some((name, Ok(claim_type))) = typed.map(|(name, kind)| (name, kind.parse::<ClaimType>())) {
        return Ok(CustomClaim { name: name.to_owned(), claim_type });
    }
    match typed {
        Some((name, kind)) if !kind.starts_with('/') && !name.contains(':') => {
            let text = format!("“{kind}” is no type of a claim: write text, long, boolean or texts.");
            Err(Faults::of("custom_claims", text))
        }
        _ => Ok(CustomClaim { name: line.to_owned(), claim_type: ClaimType::Text }),
    }
}

/// The changes that somebody else made since a form was shown: one sentence for each setting.
pub fn changes_since(seen: &SeenProvider, now: &SeenProvider) -> Vec<String> {
    let shown = |text: &str| if text.is_empty() { "blank".to_owned() } else { format!("“{text}”") };
    let tenant = |provider: &SeenProvider| provider.tenant.clone().unwrap_or_default();
    let client_id = |provider: &SeenProvider| provider.logout_client_id.clone().unwrap_or_default();
    let saml = |provider: &SeenProvider| provider.saml_issuer.clone().unwrap_or_default();
    let link_by = |provider: &SeenProvider| provider.link_by.clone().unwrap_or_default();
    let switch = |on| if on { "on" } else { "off" }.to_owned();
    let compared = [
        ("Name", seen.name.clone(), now.name.clone()),
        ("Issuer", seen.issuer.clone(), now.issuer.clone()),
        ("Scope", seen.scope.clone(), now.scope.clone()),
        ("Tenant", tenant(seen), tenant(now)),
        ("Groups claim", seen.groups_claim.clone(), now.groups_claim.clone()),
        ("Custom claims", written(&seen.custom_claims), written(&now.custom_claims)),
        ("Client ID of logout tokens", client_id(seen), client_id(now)),
        ("SAML issuer", saml(seen), saml(now)),
        ("Link members by", link_by(seen), link_by(now)),
        ("The provider", switch(seen.enabled), switch(now.enabled)),
    ];
    let differing = compared.into_iter().filter(|(_, was, is)| was != is);
    differing
        .map(|(name, was, is)| format!("{name} was {}, and is {}.", shown(was.trim()), shown(is.trim())))
        .collect()
}
