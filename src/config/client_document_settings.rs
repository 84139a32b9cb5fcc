//! The Client ID Metadata Documents that are taken for clients.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// Longest client id, in bytes: the log keeps it whole.
const MAX_ID: usize = 255;

/// Which documents are fetched. None by default: whoever writes a document would be a client.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientDocumentSettings {
    /// The URLs of the documents, each of which is the id of its client. Nothing else is fetched, whoever asks.
    pub allowed: Vec<String>,
    /// Those among them whose clients may do without credentials (`token_endpoint_auth_method` is `none`): whoever has one
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
