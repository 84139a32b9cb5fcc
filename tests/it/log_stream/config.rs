//! The rules for a configuration of streams.

use crate::commands::{countersign, text, write};

const NAMED: &str = "[[log_stream]]\nname = \"a\"\nto = ";

#[test]
fn bad_streams_are_refused_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    for (stream, expected) in [
        ("[[log_stream]]\nname = \"a\"".to_owned(), &["`to`", "countersign.toml"][..]),
        ("[[log_stream]]\nto = \"file:///a\"".to_owned(), &["`name`"]),
        (format!("{NAMED}\"file:///a\"\ncolour = 1"), &["colour"]),
        (format!("{NAMED}\"ftp://h/a\""), &["log_stream", "syslog+udp", "countersign.toml"]),
        (format!("{NAMED}\"http://h/v1/logs\""), &["otlp+http"]),
        (format!("{NAMED}\"/var/log/a\""), &["URL"]),
        (format!("{NAMED}\"file://a\""), &["three slashes"]),
        (format!("{NAMED}\"file:///a/\""), &["absolute path"]),
        (format!("{NAMED}\"syslog+unix://dev\""), &["three slashes"]),
        (format!("{NAMED}\"syslog+tcp://h\""), &["port"]),
        (format!("{NAMED}\"syslog+udp://h:514/a\""), &["nothing else"]),
        (format!("{NAMED}\"syslog+tcp://:514\""), &["to"]),
        (format!("{NAMED}\"otlp+https://u:secret@h/v1/logs\""), &["password", "headers"]),
        (format!("{NAMED}\"otlp+https://h/v1/logs?key=secret\""), &["query"]),
        (format!("{NAMED}\"otlp+https://\""), &["URL"]),
        ("[[log_stream]]\nname = \"A b\"\nto = \"file:///a\"".to_owned(), &["log_stream.name", "A b"]),
        ("[[log_stream]]\nname = \"\"\nto = \"file:///a\"".to_owned(), &["log_stream.name"]),
        (format!("{NAMED}\"file:///a\"\n{NAMED}\"file:///b\""), &["log_stream.name", "one stream only"]),
        (format!("{NAMED}\"file:///a\"\nfacts = true"), &["log_stream.facts", "email = true"]),
        (
            format!("{NAMED}\"file:///a\"\nheaders = {{ a = \"secret\" }}"),
            &["log_stream.headers", "OTLP only"],
        ),
        (format!("{NAMED}\"otlp+http://h/v1\"\nheaders = {{ a = \"secret\" }}"), &["headers", "otlp+https"]),
        (
            format!("{NAMED}\"otlp+https://h/v1\"\nheaders = {{ \"a b\" = \"secret\" }}"),
            &["a b", "HTTP header"],
        ),
        (format!("{NAMED}\"otlp+https://h/v1\"\nheaders = {{ a = \"secret\\n\" }}"), &["HTTP header"]),
        ("[retention]\nunsent = \"soon\"".to_owned(), &["unsent", "soon"]),
        ("[retention]\nunsent = \"40000d\"".to_owned(), &["retention.unsent"]),
    ] {
        write(dir.path(), "countersign.toml", &stream);
        let out = countersign(dir.path(), &["config", "check"], &[]);
        let error = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{stream}: {error}");
        for word in expected {
            assert!(error.contains(word), "{stream}: {word} is not in {error}");
        }
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn streams_are_shown_as_they_were_written_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let places = [
        "file:///var/log/sign ins.jsonl",
        "syslog+udp://logs.example.com:514",
        "syslog+tcp://[::1]:601",
        "syslog+unix:///dev/log",
        "otlp+http://127.0.0.1:4318/v1/logs",
        "otlp+https://collector.example.com/v1/logs",
    ];
    let streams = places.iter().enumerate().map(|(i, to)| {
        let headers =
            if to.starts_with("otlp") { "headers = { authorization = \"Bearer secret\" }\n" } else { "" };
        format!("[[log_stream]]\nname = \"s{i}\"\nto = \"{to}\"\n{headers}")
    });
    write(dir.path(), "countersign.toml", &streams.collect::<String>());
    let out = countersign(dir.path(), &["config", "show"], &[]);
    let shown = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    for to in places {
        assert!(shown.contains(&format!("to = \"{to}\"")), "{to}: {shown}");
    }
    assert!(shown.contains("[redacted]") && !shown.contains("secret"), "{shown}");
    assert!(shown.contains("unsent = \"7d\""), "{shown}");
}
