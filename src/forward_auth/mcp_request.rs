//! The kind of an MCP request, by the headers that repeat parts of its body (MCP 2026-07-28, Streamable HTTP, "Request
//! Metadata"). Servers of that revision refuse a request whose body says something else.

use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::oauth::authorization_details::MAX_TOOL_NAME;

/// The revision from which on servers compare these headers with the body. A client of an older one need not send them,
/// and nobody would notice if they were wrong.
const FIRST_REVISION: &str = "2026-07-28";

/// The longest method. Those of the specification have at most 40 bytes.
const MAX_METHOD: usize = 128;

const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// What a request wants, as far as policies about tools are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum McpRequest {
    /// `tools/call` of the tool with this name.
    CallTool(String),
    /// `tools/list`.
    ListTools,
    /// Something that is not about tools, such as `resources/read` or `ping`.
    Other,
}

/// What is wrong with the headers. None of it tells the value, which is the caller's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum McpHeaderFault {
    /// It is not there, or empty.
    #[error("no {0}")]
    Missing(HeaderName),
    /// It is there several times, and who reads it next may take another one.
    #[error("several {0}")]
    Repeated(HeaderName),
    /// It cannot be what it stands for.
    #[error("a malformed {0}")]
    Malformed(HeaderName),
    /// The request is of a revision whose servers do not compare the headers with the body.
    #[error("mcp-protocol-version is before {FIRST_REVISION}")]
    OldRevision,
    /// A method about tools that is not known here, so no policy was written for it.
    #[error("an unknown method about tools")]
    UnknownToolMethod,
}

impl McpRequest {
    /// Reads the headers of a request.
    pub fn of(headers: &HeaderMap) -> Result<Self, McpHeaderFault> {
        check_revision(only(headers, REVISION)?)?;
        let method = only(headers, METHOD)?;
        if method.len() > MAX_METHOD || !method.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(McpHeaderFault::Malformed(METHOD));
        }
        match method {
            "tools/call" => Ok(Self::CallTool(tool_name(only(headers, NAME)?)?)),
            "tools/list" => Ok(Self::ListTools),
            _ if is_about_tools(method) => Err(McpHeaderFault::UnknownToolMethod),
            _ => Ok(Self::Other),
        }
    }
}

/// The value of a header that is there once. A proxy may have joined several with commas (RFC 9110 §5.3), so a value has
/// none.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<&str, McpHeaderFault> {
    let mut values = headers.get_all(&name).iter();
    let Some(value) = values.next() else { return Err(McpHeaderFault::Missing(name)) };
    if values.next().is_some() {
        return Err(McpHeaderFault::Repeated(name));
    }
    match value.to_str().map(str::trim) {
        Ok("") => Err(McpHeaderFault::Missing(name)),
        Ok(value) if value.contains(',') => Err(McpHeaderFault::Repeated(name)),
        Ok(value) => Ok(value),
        Err(_) => Err(McpHeaderFault::Malformed(name)),
    }
}

/// Revisions are dates, which sort as text.
fn check_revision(revision: &str) -> Result<(), McpHeaderFault> {
    let fits = |(expected, byte): (u8, u8)| match expected {
        b'-' => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    let is_date =
        revision.len() == FIRST_REVISION.len() && FIRST_REVISION.bytes().zip(revision.bytes()).all(fits);
    match is_date {
        false => Err(McpHeaderFault::Malformed(REVISION)),
        true if revision < FIRST_REVISION => Err(McpHeaderFault::OldRevision),
        true => Ok(()),
    }
}

/// Whether a method belongs to tools, also for a server that is careless about upper and lower case.
fn is_about_tools(method: &str) -> bool {
    let first = method.split('/').next().unwrap_or_default();
    first.eq_ignore_ascii_case("tools")
}

/// The name of a tool: as it is, or encoded if it is not plain ASCII. The mark is case-sensitive, and a name that begins
/// like it is always encoded.
fn tool_name(value: &str) -> Result<String, McpHeaderFault> {
    const MARK: &str = "=?base64?";
    let malformed = || McpHeaderFault::Malformed(NAME);
    let is_marked = value.get(..MARK.len()).is_some_and(|start| start.eq_ignore_ascii_case(MARK));
    let name = match value.strip_prefix(MARK).and_then(|rest| rest.strip_suffix("?=")) {
        Some(encoded) => {
            let decoded = STANDARD.decode(encoded).map_err(|_| malformed())?;
            String::from_utf8(decoded).map_err(|_| malformed())?
        }
        // A careless server might read it as encoded all the same.
        None if is_marked => return Err(malformed()),
        None => value.to_owned(),
    };
    match name.len() {
        0 => Err(McpHeaderFault::Missing(NAME)),
        1..=MAX_TOOL_NAME => Ok(name),
        _ => Err(malformed()),
    }
}
