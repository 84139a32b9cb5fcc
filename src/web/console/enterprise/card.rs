//! The cards and tabs of the Enterprise page: identity providers by their kinds, and their checks.

use crate::admin::provider_status::{ProviderState, ProviderStatus};
use crate::idp::checks::{Outcome, Step};
use crate::model::identity_provider::Provider;

/// The kinds of providers in the order of their tabs.
pub const KINDS: [Provider; 4] = [Provider::Okta, Provider::Claude, Provider::Entra, Provider::Oidc];

/// The words of one kind of provider.
pub struct KindWords {
    pub kind: &'static str,
    pub tab: &'static str,
    /// The name in sentences.
    pub product: &'static str,
    pub placeholder: &'static str,
    pub issuer_hint: &'static str,
    /// The guide that fits it, and its name.
    pub guide: &'static str,
    pub guide_name: &'static str,
}

/// The words of a kind of provider.
pub fn kind_words(kind: Provider) -> KindWords {
    match kind {
        Provider::Okta => KindWords {
            kind: "okta",
            tab: "Okta",
            product: "Okta",
            placeholder: "https://your-org.okta.com",
            issuer_hint: "Your Okta org's address, without a path: the org authorization server, not a custom one.",
            guide: "okta",
            guide_name: "Okta",
        },
        Provider::Claude => KindWords {
            kind: "claude",
            tab: "Claude-issued",
            product: "Claude",
            placeholder: "https://identity.anthropic.com/issuers/…",
            issuer_hint: "As your Claude organization's settings show it, with its path.",
            guide: "claude",
            guide_name: "Claude-issued identity",
        },
        Provider::Entra => KindWords {
            kind: "entra",
            tab: "Microsoft Entra",
            product: "Entra",
            placeholder: "https://login.microsoftonline.com/<tenant id>/v2.0",
            issuer_hint: "Your tenant's own issuer, with its id; not the shared address /common.",
            guide: "entra",
            guide_name: "Microsoft Entra",
        },
        Provider::Oidc => KindWords {
            kind: "oidc",
            tab: "Custom OIDC",
            product: "the identity provider",
            placeholder: "https://idp.example.com/realms/acme",
            issuer_hint: "Exactly as the provider's metadata says it, also the slash at the end, if there is one.",
            guide: "keycloak",
            guide_name: "Keycloak",
        },
    }
}

/// A state as a badge shows it: its word, and the class that colours it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Badge(pub ProviderState);

impl Badge {
    /// The state of one provider.
    pub fn of(status: &ProviderStatus) -> Self {
        Self(status.state())
    }

    /// The state of several together.
    pub fn of_all<'s>(statuses: impl IntoIterator<Item = &'s ProviderStatus>) -> Self {
        Self(ProviderState::of_all(statuses))
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self.0 {
            ProviderState::NotConfigured => "Not configured",
            ProviderState::Active => "Active",
            ProviderState::Disabled => "Disabled",
            ProviderState::Failing => "Failing",
            ProviderState::MetadataDiffers => "Metadata changed",
        }
    }

    /// The class that colours its badge and its dot.
    pub fn class(self) -> &'static str {
        match self.0 {
            ProviderState::NotConfigured => "",
            ProviderState::Active => "good",
            ProviderState::Disabled | ProviderState::MetadataDiffers => "warn",
            ProviderState::Failing => "bad",
        }
    }
}

/// One step of the checks, as a row.
pub struct CheckRow {
    pub class: &'static str,
    /// The outcome in a word.
    pub word: &'static str,
    pub title: String,
    pub message: Option<String>,
    pub compared: Option<ComparedEnds>,
}

/// Two texts that should be the same, with their differing ends.
#[derive(Debug, PartialEq, Eq)]
pub struct ComparedEnds {
    pub same: String,
    pub expected: String,
    pub received: String,
}

impl ComparedEnds {
    /// Splits two texts where they begin to differ.
    pub fn new(expected: &str, received: &str) -> Self {
        let both = expected.chars().zip(received.chars());
        let same: String = both.take_while(|(one, other)| one == other).map(|(one, _)| one).collect();
        let rest = |text: &str| text.get(same.len()..).unwrap_or_default().to_owned();
        Self { expected: rest(expected), received: rest(received), same }
    }
}

impl From<&Step> for CheckRow {
    fn from(step: &Step) -> Self {
        let (class, word) = match step.outcome {
            Outcome::Passed => ("passed", "Passed"),
            Outcome::Warning => ("warned", "Passed, with a remark"),
            Outcome::Failed => ("failed", "Failed"),
            Outcome::NotReached => ("unreached", "Not reached"),
        };
        let compared = step.compared.as_ref().map(|c| ComparedEnds::new(&c.expected, &c.received));
        Self { class, word, title: step.title.to_string(), message: step.message.clone(), compared }
    }
}
