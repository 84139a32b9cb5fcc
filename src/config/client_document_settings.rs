//! The Client ID Metadata Documents that are taken for clients.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::private_origin::{PrivateOrigin, excuses};
use super::problem::{ConfigError, invalid};

/// Longest client id, in bytes: the log keeps it whole.
const MAX_ID: usize = 255;

/// Which documents are fetched. None by default: whoever writes a document would be a client.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientDocumentSettings {
    /// The URLs of the documents, each of which is the id of its client. Nothing else is fetched, whoever asks.
    pub allowed: Vec<String>,
    /// The origins whose documents are all allowed, such as `https://agent.example.com`; `https://*.example.com` means every
    /// host below `example.com`. Whoever can publish there can be a client.
    pub origins: Vec<String>,
    /// Those among all these whose clients may do without credentials (`token_endpoint_auth_method` is `none`): whoever has one
    /// of their assertions can redeem it.
    pub public: Vec<String>,
}

/// Why a text cannot be the URL of a document (draft-ietf-oauth-client-id-metadata-document-01 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DocumentUrlFault {
    /// It is no URL.
    #[error("must be an absolute URL of at most {MAX_ID} characters")]
    NotAUrl,
    /// It has parts that ids must not have, or lacks one that they must have.
    #[error("must have a path, and no user name, password or fragment")]
    Parts,
    /// Two texts could mean the same document.
    #[error("must be in its normal form: no dot segments, the host in lower case, no port 443")]
    NotNormal,
}

/// An entry of `origins`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentOrigin {
    /// This origin (RFC 6454 §4).
    One(String),
    /// https at every host below this domain.
    Below(String),
}

/// Why a text is no [`DocumentOrigin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an origin in its normal form, such as https://agent.example.com or, for all hosts below a domain, \
     https://*.example.com"
)]
pub struct NoDocumentOrigin;

impl std::str::FromStr for DocumentOrigin {
    type Err = NoDocumentOrigin;

    fn from_str(text: &str) -> Result<Self, NoDocumentOrigin> {
        let (is_wild, plain) = match text.strip_prefix("https://*.") {
            Some(domain) => (true, format!("https://{domain}")),
            None => (false, text.to_owned()),
        };
        let url = Url::parse(&plain).ok().filter(|url| url.origin().ascii_serialization() == plain);
        let url = url.filter(|_| !plain.contains('*'));
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https")).ok_or(NoDocumentOrigin)?;
        match (is_wild, url.domain(), url.port()) {
            (false, ..) => Ok(Self::One(plain)),
            // A whole top-level domain is nobody's.
            (true, Some(domain), None) if domain.contains('.') => Ok(Self::Below(domain.to_owned())),
            _ => Err(NoDocumentOrigin),
        }
    }
}

impl DocumentOrigin {
    /// Whether a document is at this origin.
    pub fn includes(&self, url: &Url) -> bool {
        match self {
            Self::One(origin) => url.origin().ascii_serialization() == *origin,
            Self::Below(domain) => {
                let host = url.domain().and_then(|host| host.strip_suffix(domain.as_str()));
                let is_below = host.is_some_and(|host| host.len() > 1 && host.ends_with('.'));
                is_below && url.scheme() == "https" && url.port().is_none()
            }
        }
    }
}

impl ClientDocumentSettings {
    /// Whether there can be a client with a document.
    pub fn is_on(&self) -> bool {
        !(self.allowed.is_empty() && self.origins.is_empty())
    }

    /// The entries of `origins`, which [`Config::load`](super::Config::load) has checked.
    pub fn document_origins(&self) -> impl Iterator<Item = DocumentOrigin> {
        self.origins.iter().filter_map(|text| text.parse().ok())
    }

    /// Every problem with them. http is for the origins that the operator exempts.
    pub(super) fn errors(&self, private_origins: &[PrivateOrigin]) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        for url in &self.allowed {
            match check_document_url(url) {
                Err(fault) => errors.push(invalid("client_documents.allowed", url, fault.to_string())),
                Ok(checked) if checked.scheme() != "https" && !excuses(private_origins, url) => {
                    let why = "must be https; one in your own network can be http if `fetch.private_origins` lists its origin";
                    errors.push(invalid("client_documents.allowed", url, why));
                }
                Ok(_) => {}
            }
        }
        errors
            .extend(self.origins.iter().filter_map(|origin| document_origin_error(private_origins, origin)));
        let origins: Vec<DocumentOrigin> = self.document_origins().collect();
        let is_allowed = |url: &String| {
            let checked = check_document_url(url);
            self.allowed.contains(url)
                || checked.is_ok_and(|checked| origins.iter().any(|origin| origin.includes(&checked)))
        };
        if let Some(url) = self.public.iter().find(|url| !is_allowed(url)) {
            let why =
                "must be in `client_documents.allowed` as well, or at one of `client_documents.origins`";
            errors.push(invalid("client_documents.public", url, why));
        }
        errors
    }
}

fn document_origin_error(private_origins: &[PrivateOrigin], origin: &str) -> Option<ConfigError> {
    let why = match origin.parse::<DocumentOrigin>() {
        Err(fault) => fault.to_string(),
        Ok(DocumentOrigin::One(one)) if one.starts_with("http:") && !excuses(private_origins, &one) => {
            "must be https; one in your own network can be http if `fetch.private_origins` lists it"
                .to_owned()
        }
        Ok(_) => return None,
    };
    Some(invalid("client_documents.origins", origin, why))
}

/// Checks a URL as it is written. Whether it may be asked is for the one who fetches.
pub fn check_document_url(text: &str) -> Result<Url, DocumentUrlFault> {
    let url = Url::parse(text).ok().filter(|url| text.len() <= MAX_ID && url.has_host());
    let url = url.ok_or(DocumentUrlFault::NotAUrl)?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user || url.fragment().is_some() || url.path() == "/" {
        return Err(DocumentUrlFault::Parts);
    }
    if url.as_str() == text { Ok(url) } else { Err(DocumentUrlFault::NotNormal) }
}
