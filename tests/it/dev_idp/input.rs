//! What is wrong on the command line, in the file of people and in requests.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use super::DevIdp;
use crate::commands::{countersign, text, write};

/// One sentence for each, and nothing is made.
#[test]
fn wrong_options_say_what_was_expected() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "file", "");
    for (args, expected) in [
        (&["--listen", "9400"][..], "--listen"),
        (&["--listen", "192.0.2.1:9400"], "--allow-other-machines"),
        (&["--listen", "0.0.0.0:9400", "--allow-other-machines"], "name one address"),
        (&["--mcp", "192.0.2.1:9401"], "--allow-other-machines"),
        (&["--mcp", "nowhere"], "--mcp"),
        (&["--listen", &address], "cannot listen"),
        (&["--listen", "127.0.0.1:0", "--mcp", &address], "cannot listen"),
        (&["--audience", "http://127.0.0.1:8080/"], "without a slash"),
        (&["--audience", "auth.example.com"], "http://127.0.0.1:8080"),
        (&["--audience", "https://auth.example.com?x"], "expected"),
        (&["--like", "ping"], "okta"),
        (&["--people", "nowhere.toml"], "nowhere.toml"),
        (&["--listen", "127.0.0.1:0", "--dir", "file/below"], "file/below"),
        (&["--port", "1"], "--port"),
    ] {
        let out = countersign(dir.path(), &[&["dev-idp"], args].concat(), &[]);
        let told = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(expected), "{args:?}: {told}");
    }
}

#[test]
fn a_wrong_file_of_people_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    for (content, expected) in [
        ("", "at least one [[people]]"),
        ("people = 1", "line 1"),
        ("[[people]]\nname = 'dana'\nmail = 'x'", "line 3: `mail` is unknown; did you mean `email`?"),
        ("[[people]]\nemail = 'x'", "line 1: `name` is missing"),
        ("[[people]]\nname = ''", "people.name"),
        ("[[people]]\nname = \"a\\u0007\"", "people.name"),
        ("[[people]]\nname = 'dana'\n[[people]]\nname = 'dana'", "twice"),
        ("resources = ['mcp']\n[[people]]\nname = 'dana'", "resources"),
        (
            "[[people]]\nname = 'dana'\n[[clients]]\nid = 'c'\nsecret = ''\nid_at_audience = 'c'",
            "clients.secret",
        ),
    ] {
        write(dir.path(), "people.toml", content);
        let args = ["dev-idp", "--listen", "127.0.0.1:0", "--people", "people.toml"];
        let out = countersign(dir.path(), &args, &[]);
        let told = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{content}: {told}");
        assert!(told.contains("people.toml") && told.contains(expected), "{content}: {told}");
        assert!(!dir.path().join("dev-idp").exists(), "nothing is half done");
    }
}

/// Each wrong parameter is named, and nothing becomes a token.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_say_what_was_expected() {
    let dir = tempfile::tempdir().unwrap();
    let idp = DevIdp::start(dir.path(), "http://127.0.0.1:8080", &[]);
    for (form, status, expected) in [
        (&[][..], 400, "person"),
        (&[("person", "nobody")], 400, "dana, mallory"),
        (&[("person", "mallory")], 403, "not assigned"),
        (&[("person", "dana"), ("resource", "mcp")], 400, "absolute URI"),
        (&[("person", "dana"), ("scope", "a  b")], 400, "one space"),
        (&[("person", "dana"), ("client", "a\nb")], 400, "client"),
        (&[("person", "dana"), ("audience", "x")], 400, "audience"),
    ] {
        let answer = idp.post("/id-jag", form).await;
        assert_eq!(answer.status, status, "{form:?}: {answer:?}");
        assert!(answer.body.contains(expected) && answer.body.lines().count() == 1, "{form:?}: {answer:?}");
    }
    assert_eq!(idp.get("/id-jag").await.status, 405);
}

/// A raw request: no library mends it.
fn raw(idp: &DevIdp, request: &str) -> String {
    let mut stream = TcpStream::connect(idp.origin.trim_start_matches("http://")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap().to_owned()
}

/// Another site's page that leads a name of its own to this address gets nothing, and neither does its form.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_get_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let idp = DevIdp::start(dir.path(), "http://127.0.0.1:8080", &[]);
    let own = idp.origin.trim_start_matches("http://").to_owned();
    let port = own.rsplit(':').next().unwrap().to_owned();
    for (target, hosts, expected) in [
        ("/", vec![own.clone()], "200"),
        ("/", vec![format!("localhost:{port}")], "200"),
        ("/", vec![format!("LOCALHOST:{port}")], "200"),
        ("/", vec!["evil.example".to_owned()], "421"),
        ("/", vec![format!("evil.example:{port}")], "421"),
        ("/", vec!["127.0.0.1".to_owned()], "421"),
        ("/.well-known/openid-configuration", vec![format!("evil.example:{port}")], "421"),
        ("http://evil.example/", vec![own.clone()], "421"),
        ("/", vec![own.clone(), "evil.example".to_owned()], "4"),
        ("/", vec![], "421"),
    ] {
        let hosts: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
        let told = raw(&idp, &format!("GET {target} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"));
        assert!(told.starts_with(&format!("HTTP/1.1 {expected}")), "{target} {hosts:?}: {told}");
    }
    for (origin, expected) in [(idp.origin.as_str(), "200"), ("https://evil.example", "403"), ("null", "403")]
    {
        let body = "person=dana";
        let head =
            format!("POST /id-jag HTTP/1.1\r\nHost: {own}\r\nOrigin: {origin}\r\nConnection: close\r\n");
        let kind =
            format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", body.len());
        let told = raw(&idp, &format!("{head}{kind}\r\n{body}"));
        assert!(told.starts_with(&format!("HTTP/1.1 {expected}")), "{origin}: {told}");
    }
}
