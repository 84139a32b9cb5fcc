//! The headers by which forward-auth learns what an MCP request wants.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use countersign::forward_auth::{McpHeaderFault, McpRequest};
use proptest::prelude::*;

const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// Reads headers that are given as pairs of a name and a value.
fn read(pairs: &[(HeaderName, &[u8])]) -> Result<McpRequest, McpHeaderFault> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    McpRequest::of(&headers)
}

fn method(method: &str) -> Result<McpRequest, McpHeaderFault> {
    read(&[(REVISION, b"2026-07-28"), (METHOD, method.as_bytes()), (NAME, b"x")])
}

fn call(name: &[u8]) -> Result<McpRequest, McpHeaderFault> {
    read(&[(REVISION, b"2026-07-28"), (METHOD, b"tools/call"), (NAME, name)])
}

fn tool(name: &str) -> Result<McpRequest, McpHeaderFault> {
    Ok(McpRequest::CallTool(name.to_owned()))
}

fn marked(encoded: &str) -> Vec<u8> {
    format!("=?base64?{encoded}?=").into_bytes()
}

/// The examples of the specification, and others.
#[test]
fn names_are_read_as_the_server_reads_them() {
    for (value, name) in [
        ("get_weather", "get_weather"),
        ("Get Weather", "Get Weather"),
        (" get_weather\t", "get_weather"),
        ("admin.tools/delete-all:v2", "admin.tools/delete-all:v2"),
        ("=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, 世界"),
        ("=?base64?IHBhZGRlZCA=?=", " padded "),
        ("=?base64?bGluZTEKbGluZTI=?=", "line1\nline2"),
        ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="),
        ("=?utf-8?x?=", "=?utf-8?x?="),
    ] {
        assert_eq!(call(value.as_bytes()), tool(name), "{value}");
    }
}

/// Whatever a server could read otherwise is no name.
#[test]
fn names_that_could_mean_two_things_are_refused() {
    let latin = "d\u{e9}j\u{e0}".chars().map(|c| c as u8).collect::<Vec<u8>>();
    for value in [
        b"=?base64?".to_vec(),
        b"=?base64?=".to_vec(),
        b"=?base64?ZGVsZXRl".to_vec(),
        b"=?base64?ZGVsZXRl=".to_vec(),
        b"=?BASE64?ZGVsZXRl?=".to_vec(),
        b"=?Base64?ZGVsZXRl?=".to_vec(),
        marked(&STANDARD_NO_PAD.encode("list")),
        marked("bGlzdB=="),
        marked("bGlz dA=="),
        marked(&URL_SAFE.encode("\u{3ff}\u{3ff}")),
        marked(&STANDARD.encode(b"\xff\xfe")),
        marked(&STANDARD.encode("x".repeat(513))),
        latin,
        "délete".as_bytes().to_vec(),
        b"x".repeat(513),
    ] {
        assert_eq!(call(&value), Err(McpHeaderFault::Malformed(NAME)), "{}", value.escape_ascii());
    }
    for value in [&b""[..], b" ", b"=?base64??="] {
        assert_eq!(call(value), Err(McpHeaderFault::Missing(NAME)), "{}", value.escape_ascii());
    }
    assert_eq!(call(&b"x".repeat(512)), tool(&"x".repeat(512)));
}

#[test]
fn methods_that_are_not_about_tools_need_no_name() {
    for other in [
        "ping",
        "server/discover",
        "resources/read",
        "prompts/get",
        "notifications/cancelled",
        "subscriptions/listen",
        "tasks/get",
        "com.example/tools",
        "toolsmith/call",
    ] {
        assert_eq!(method(other), Ok(McpRequest::Other), "{other}");
        let without_name = read(&[(REVISION, b"2026-07-28"), (METHOD, other.as_bytes())]);
        assert_eq!(without_name, Ok(McpRequest::Other), "{other}");
    }
    assert_eq!(method("tools/list"), Ok(McpRequest::ListTools));
}

#[test]
fn unknown_methods_about_tools_are_refused() {
    for unknown in ["tools", "tools/", "tools/run", "Tools/call", "TOOLS/LIST", "tools/call/", "tools//call"]
    {
        assert_eq!(method(unknown), Err(McpHeaderFault::UnknownToolMethod), "{unknown}");
    }
    for malformed in ["tools /call", "tools/call x", &"x".repeat(129)] {
        assert_eq!(method(malformed), Err(McpHeaderFault::Malformed(METHOD)), "{malformed}");
    }
}

/// Servers of older revisions do not compare the headers with the body.
#[test]
fn only_revisions_with_checked_headers_count() {
    let of = |revision: &str| read(&[(REVISION, revision.as_bytes()), (METHOD, b"ping")]);
    for good in ["2026-07-28", "2026-12-01", "2031-01-01"] {
        assert_eq!(of(good), Ok(McpRequest::Other), "{good}");
    }
    for old in ["2026-07-27", "2025-11-25", "2025-03-26", "0000-00-00"] {
        assert_eq!(of(old), Err(McpHeaderFault::OldRevision), "{old}");
    }
    for malformed in ["draft", "2026-7-28", "2026-07-28T00", "2026/07/28", "DRAFT-2026", "20260728--"] {
        assert_eq!(of(malformed), Err(McpHeaderFault::Malformed(REVISION)), "{malformed}");
    }
}

/// Of two values, the server may take the one that was not asked about. Proxies may join them with a comma.
#[test]
fn each_header_is_there_once() {
    let good: [(HeaderName, &[u8]); 3] =
        [(REVISION, b"2026-07-28"), (METHOD, b"tools/call"), (NAME, b"list")];
    assert_eq!(read(&good), tool("list"));
    for (place, (name, value)) in good.iter().enumerate() {
        let mut missing = good.to_vec();
        missing.remove(place);
        assert_eq!(read(&missing), Err(McpHeaderFault::Missing(name.clone())));
        for second in [*value, b"delete"] {
            let mut repeated = good.to_vec();
            repeated.push((name.clone(), second));
            assert_eq!(read(&repeated), Err(McpHeaderFault::Repeated(name.clone())));
            let joined = [*value, second].join(&b", "[..]);
            let mut one = good.to_vec();
            one[place].1 = &joined;
            assert_eq!(read(&one), Err(McpHeaderFault::Repeated(name.clone())));
        }
    }
}

/// Bytes that a header's value may have.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(b'\t'), 0x20_u8..=0x7e, 0x80_u8..=0xff, Just(b','), Just(b'='), Just(b'?')];
    let start =
        prop_oneof![Just(&b""[..]), Just(&b"=?base64?"[..]), Just(&b"tools/"[..]), Just(&b"2026-07-"[..])];
    let bytes = (start, proptest::collection::vec(byte, 0..40));
    bytes.prop_map(|(start, rest)| [start, &rest].concat())
}

proptest! {
    /// Every name comes back as the client meant it, encoded or, where the specification allows it, as it is.
    #[test]
    fn encoded_names_come_back(name in "\\PC{1,100}|[ -~]{1,100}|(?s).{1,100}") {
        let encoded = marked(&STANDARD.encode(&name));
        prop_assert_eq!(call(&encoded), tool(&name));
        let is_plain = name.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) && name.trim() == name;
        if is_plain && !name.contains(',') && !name.starts_with("=?") {
            prop_assert_eq!(call(name.as_bytes()), tool(&name));
        }
    }

    /// No headers make it panic, and a name that is read is one that a client could have meant by this value alone.
    #[test]
    fn any_headers_are_read_or_refused(revision in value(), of_method in value(), name in value()) {
        let _ = read(&[(REVISION, &revision), (METHOD, &of_method), (NAME, &name)]);
        if let Ok(McpRequest::CallTool(read)) = call(&name) {
            let is_as_it_is = name.trim_ascii() == read.as_bytes();
            prop_assert!(is_as_it_is || name.trim_ascii() == marked(&STANDARD.encode(&read)));
            prop_assert!(!read.is_empty() && read.len() <= 512);
        }
    }
}
