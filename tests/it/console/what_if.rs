//! What-if with authorization details, and about tools. Nothing is ever written.

use countersign::oauth::authorization_details::Detail;
use serde_json::{Value, json};

use super::visitor::{Visitor, has};
use crate::authorization_details::{payment, start, tools};
use crate::forward_auth_tools::{MAINTAINERS, call, with_tools};
use crate::harness::{CLIENT, RESOURCE, TestApp};

const PATH: &str = "/t/acme/explain/what-if";

/// `audit` is for a group of another teamspace, of which nobody in acme may learn.
const SECRET: &str = r#"
@id("test.secret") @reason("friends_only") @error("access_denied") @message("Only for friends of globex.")
forbid (principal is User, action == Action::"CallTool", resource)
when { resource.name == "audit" }
unless { principal in Group::"globex/friends" };"#;

const OTHER: &str = "The access token is limited to other tools.";

/// The page about a person with more fields than these, which must have this status. Its quotes are plain.
async fn ask(visitor: &Visitor, fields: &[(&str, &str)], status: u16) -> String {
    let person =
        [("email", "dana@acme.com"), ("client", CLIENT), ("server", RESOURCE), ("scopes", "docs.read")];
    let page = visitor.post(PATH, &[&person[..], fields].concat()).await.page(status);
    page.replace("&#34;", "\"")
}

/// The part with the answer, without the form.
fn answer(page: &str) -> &str {
    page.split("<div class=\"pair\">").next().unwrap()
}

/// A detail as pages have it, with sorted members.
fn shown(detail: &Value) -> String {
    Detail::try_from(detail.clone()).unwrap().to_string()
}

/// The outcome of each question about a detail, in their order.
fn outcomes<'p>(page: &'p str, detail: &Value) -> Vec<&'p str> {
    let question = format!("Have the authorization detail {}", shown(detail));
    let after = page.split(&question).skip(1);
    after.filter_map(|rest| rest.split("<span class=\"muted\">").nth(1)?.split("</span>").next()).collect()
}

/// GRT-10: those of the assertion and of the request are checked, decided and told as in an exchange.
#[tokio::test(flavor = "multi_thread")]
async fn details_are_supposed() {
    let app = start().await;
    let visitor = Visitor::by_link(&app.app, "acme").await;
    let before = app.written().await;
    let details = async |authorized: &Value, requested: &Value, status| {
        let (authorized, requested) = (authorized.to_string(), requested.to_string());
        let fields = [("authorized_details", &*authorized), ("requested_details", &*requested)];
        // Blank is what a form sends for a field that nobody has filled in.
        let fields = fields.map(|(name, text)| (name, if text == "null" { " " } else { text }));
        ask(&visitor, &fields, status).await
    };
    let none = Value::Null;
    let page = details(&none, &none, 200).await;
    has(&page, &["It would be granted", "carry <code>docs.read</code>"]);
    assert!(!answer(&page).contains("authorization detail"), "{page}");

    let claimed = json!([payment(5), payment(7), tools(&["a"])]);
    let page = details(&claimed, &none, 200).await;
    assert_eq!(outcomes(&page, &payment(5)), ["Allowed"], "{page}");
    has(&page, &["detail.pass-through", &format!("<code class=\"break\">{}</code>", shown(&payment(7)))]);

    // One of each kind: chosen, denied by the policies, within the limit to tools, beyond it.
    let (beyond, kept) = (tools(&["a", "b"]), tools(&["a"]));
    let page = details(&claimed, &json!([payment(7), payment(9), kept, beyond]), 200).await;
    has(&page, &["It would be granted", "resource.authorized"]);
    let told: Vec<_> =
        [payment(7), payment(9), kept.clone(), beyond].iter().flat_map(|d| outcomes(&page, d)).collect();
    let why = "Refused: The identity provider did not authorize an authorization detail that was asked for.";
    assert_eq!(told, ["Allowed", "Refused", "Allowed", why], "{page}");
    let page = details(&claimed, &json!([tools(&["b"])]), 200).await;
    has(&page, &["It would be refused", "<span class=\"badge bad\">detail_not_authorized</span>"]);

    let large = json!([{ "type": "payment", "currency": "x".repeat(5000) }]);
    let elsewhere = json!([{ "type": "mcp_tool", "server": "https://other.example.com", "tools": ["a"] }]);
    for (wrong, told) in [
        (json!([{ "type": "other" }]), "(the type \"other\" is not known here)"),
        (json!([payment(2000)]), "an entry that does not fit its type. (of type \"payment\": "),
        (elsewhere, "(of type \"mcp_tool\": server is outside the resource)"),
        (large, "at most 4096 are read"),
        (json!([]), "Authorization details are a JSON array of objects with a type: 0 entries"),
        (json!({ "type": "payment" }), "no JSON array without repeated names"),
    ] {
        has(&details(&none, &wrong, 422).await, &["href=\"#requested_details\"", told]);
        // Also where the request replaces it.
        has(&details(&wrong, &json!([kept]), 422).await, &["href=\"#authorized_details\"", told]);
    }
    assert_eq!(app.written().await, before, "nothing is written");
}

/// The tool's answer is that of forward-auth to a token of such a sign-in.
#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_supposed() {
    let rules = with_tools(&format!("{MAINTAINERS}{SECRET}"));
    let app = rules.start().await;
    let visitor = Visitor::by_link(&app.app, "acme").await;
    let limit = json!([tools(&["delete", "read"])]).to_string();
    let delete = [("tool", " delete "), ("groups", "staff")];
    let page = ask(&visitor, &delete, 200).await;
    has(&page, &["It could call the tool <code>delete</code>."]);
    assert!(!answer(&page).contains("about the tool"), "without policies about tools, none is asked: {page}");
    let write = [("tool", "write"), ("authorized_details", &limit)];
    has(&ask(&visitor, &write, 200).await, &["It could not call the tool <code>write</code>.", OTHER]);

    app.change_resource(|resource| resource.tool_policies = true).await;
    let before = app.written().await;
    let page = ask(&visitor, &delete, 200).await;
    has(&page, &["It would be granted", "It could not call the tool", "Only maintainers delete."]);
    has(&page, &["<span class=\"badge bad\">group_required</span>", "<b>Call the tool delete</b>"]);
    has(&page, &["<dd class=\"mono\">test.maintainers-delete</dd>", "acme/maintainers"]);
    let page = ask(&visitor, &[("tool", "delete"), ("groups", "staff, maintainers")], 200).await;
    has(&page, &["It could call the tool <code>delete</code>.", "tools.token-with-scope"]);
    // Both the limit and the policies must let it through.
    let limited = [("tool", "delete"), ("requested_details", &limit)];
    has(&ask(&visitor, &limited, 200).await, &["Only maintainers delete."]);
    has(&ask(&visitor, &[("tool", "write"), ("requested_details", &limit)], 200).await, &[OTHER]);

    let page = ask(&visitor, &[("tool", "audit")], 200).await;
    has(&page, &["It could not call the tool <code>audit</code>.", "policy_denied"]);
    assert!(!page.contains("globex") && !page.contains("friends") && !page.contains("test.secret"), "{page}");
    let operator = Visitor::operator(&app.app).await;
    let page = ask(&operator, &[("tool", "audit")], 200).await;
    has(&page, &["friends_only", "test.secret", "globex/friends"]);

    let long = "x".repeat(513);
    has(&ask(&visitor, &[("tool", &long)], 422).await, &["href=\"#tool\"", "at most 512 bytes"]);
    app.change_resource(|resource| resource.required_scopes = vec!["docs.write".to_owned()]).await;
    has(&ask(&visitor, &[("tool", "read")], 200).await, &["The access token lacks a scope."]);
    app.change_resource(|resource| resource.required_scopes = Vec::new()).await;
    assert_eq!(app.written().await, before, "nothing is written");
    as_forward_auth_answers(&app, &visitor, &limit).await;
}

async fn as_forward_auth_answers(app: &TestApp, visitor: &Visitor, limit: &str) {
    let details: Value = serde_json::from_str(limit).unwrap();
    for (groups, tool) in [
        ("staff", "delete"),
        ("maintainers", "delete"),
        ("staff", "read"),
        ("maintainers", "audit"),
        ("x", "y"),
    ] {
        let claims = json!({ "groups": [groups], "authorization_details": details });
        let token = app.granted(claims).await.access_token().to_owned();
        let fields = [("groups", groups), ("tool", tool), ("authorized_details", limit)];
        let page = ask(visitor, &fields, 200).await;
        let called = call(app, &token, tool).await;
        match called.status {
            200 => has(&page, &["It could call the tool"]),
            status => {
                assert_eq!(status, 403, "{called:?}");
                has(&page, &["It could not call the tool", called.body.trim()]);
            }
        }
    }
}
