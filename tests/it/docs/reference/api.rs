//! `docs/reference/api.md`, from the description of the admin API.

use std::fmt::Write as _;

use countersign::web::api::description;
use serde_json::{Value, json};

use super::{cell, notice};
use crate::docs::assert_generated;

const HEAD: &str = "# The admin API

JSON under `{issuer}/api/v1`, with `Authorization: Bearer <admin token>` (`countersign admin-token create`).
[schema/openapi.json](../../schema/openapi.json) is the complete description with every form, in OpenAPI 3.1; the service answers it at
`/api/v1/openapi.json`, and `countersign openapi` prints it. [How to use it](../guides/admin-api.md).

";

const SHARED: &str = "
Besides, any request may be answered with:

| Status | Code | When |
| --- | --- | --- |
| 401 | `unauthorized` | there is no token, or it is unknown or has expired |
| 413 | `body_too_large` | the body has more than 64 KiB |
| 415 | `content_type_unsupported` | the body is not `application/json` |
| 429 | `rate_limited` | the token's budget is spent; `Retry-After` says how long |
| 503 | `unavailable` | the database is away, or too much is under way; `Retry-After` says when to try again |
";

/// The words in back quotes.
fn codes(response: &Value) -> Vec<&str> {
    response["description"].as_str().unwrap_or_default().split('`').skip(1).step_by(2).collect()
}

/// Who may call it. The policies have the last word.
fn who(operation: &Value) -> &'static str {
    match codes(&operation["responses"]["403"]).contains(&"operator_only") {
        true => "operators",
        false => "operators, the teamspace",
    }
}

/// The name of the form in a schema.
fn form(schema: &Value) -> Option<String> {
    let reference = |schema: &Value| Some(schema["$ref"].as_str()?.rsplit('/').next()?.to_owned());
    reference(schema).or_else(|| schema["oneOf"].as_array()?.iter().find_map(reference))
}

fn json_form(content: &Value) -> Option<String> {
    form(&content["content"]["application/json"]["schema"])
}

fn request(operation: &Value) -> String {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let query = parameters.filter(|parameter| parameter["in"] == "query");
    let names: Vec<String> =
        query.filter_map(|parameter| Some(format!("`{}`", parameter["name"].as_str()?))).collect();
    let body = json_form(&operation["requestBody"]).map(|name| format!("body `{name}`"));
    let query = (!names.is_empty()).then(|| format!("query {}", names.join(", ")));
    body.into_iter().chain(query).collect::<Vec<_>>().join("; ")
}

fn answers(operation: &Value) -> String {
    let mut answers = Vec::new();
    for (status, response) in operation["responses"].as_object().unwrap() {
        if response["$ref"].is_string() {
            continue;
        }
        let codes: Vec<String> = codes(response).iter().map(|code| format!("`{code}`")).collect();
        answers.push(match (status.starts_with('2'), json_form(response)) {
            (true, Some(form)) => format!("{status} `{form}`"),
            (true, None) => status.clone(),
            (false, _) => format!("{status} {}", codes.join(", ")),
        });
    }
    answers.join("; ")
}

fn page() -> String {
    let document = json!(description(None));
    let mut text = HEAD.to_owned() + &notice("the handlers in `src/web/api/`");
    let mut last = String::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let tag = operation["tags"][0].as_str().unwrap();
            if tag != last {
                last = tag.to_owned();
                let heading = last[..1].to_uppercase() + &last[1..].replace('-', " ");
                write!(text, "\n## {heading}\n\n| Operation | What it does | Who | Request | Answers |\n")
                    .unwrap();
                text.push_str("| --- | --- | --- | --- | --- |\n");
            }
            let (method, about) = (method.to_uppercase(), cell(operation["summary"].as_str().unwrap()));
            let (who, request, answers) = (who(operation), request(operation), answers(operation));
            writeln!(text, "| `{method} {path}` | {about} | {who} | {request} | {answers} |").unwrap();
        }
    }
    text.push_str("\n## Common answers\n");
    text + SHARED
}

#[test]
fn the_page_is_generated() {
    assert_generated("docs/reference/api.md", &page());
}
