//! The strict reading of JSON.

use countersign::oauth::json::parse_object;

/// JAG-26
#[test]
fn repeated_names_are_refused_at_every_depth() {
    for text in
        [r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":1}"#, r#"{"x":{"a":1,"a":1}}"#, r#"{"x":[{"a":1,"a":1}]}"#]
    {
        assert!(parse_object(text.as_bytes()).is_none(), "{text}");
    }
}

#[test]
fn only_one_whole_object_is_read() {
    for text in ["", "[]", "1", r#"{"a":1}x"#, r#"{"a":1}{}"#, "{\"a\":\u{0}}", r#"{"a":1e999}"#] {
        assert!(parse_object(text.as_bytes()).is_none(), "{text}");
    }
    assert!(parse_object(b"{\"a\":\"\xff\"}").is_none());
    assert!(parse_object(format!("{{\"a\":{}{}}}", "[".repeat(16), "]".repeat(16)).as_bytes()).is_none());
    assert!(parse_object(br#" {"a":[1,2.5,null,true,"x"]} "#).is_some());
}
