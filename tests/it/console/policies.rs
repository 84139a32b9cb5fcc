//! The Policies page.

use countersign::store::{AnyConnection, StoreError};
use diesel::connection::SimpleConnection as _;

use super::visitor::{Visitor, has};
use crate::admin::harness::{Harness, NOW};
use crate::reload::Rules;

#[tokio::test]
async fn the_files_are_shown_with_their_parts_marked() {
    let rule = "// <b>No</b> markup.\n@id(\"acme.rule\")\n@reason(\"r\")\n@error(\"access_denied\")\n@message(\"m\")\n\
        forbid (principal is User, action, resource in Teamspace::\"acme\")\nwhen { context.weekday == 7 };\n";
    let rules = Rules::shipped_and(rule);
    let h = Harness::with_policies(rules.policies()).await;
    let operator = Visitor::operator(&h.app).await;
    let page = operator.get("/policies").await.page(200);
    let hash = h.app.policies().hash.clone();
    has(
        &page,
        &[&hash, "In force", "Not run", "Names that nothing has", "grants.cedar", "countersign.cedarschema"],
    );
    let name =
        h.app.policies().files.iter().find(|file| file.policies == ["acme.rule"]).unwrap().name.clone();
    let page = operator.get(&format!("/policies?file={name}")).await.page(200);
    has(
        &page,
        &[
            "<span class=\"tok-comment\">// &#60;b&#62;No&#60;/b&#62; markup.</span>",
            "<span class=\"tok-annotation\">@id</span>(<span class=\"tok-string\">&#34;acme.rule&#34;</span>)",
            "<span class=\"tok-forbid\">forbid</span>",
            "<span class=\"tok-type\">Teamspace</span>::",
            "<span class=\"tok-keyword\">when</span>",
            "<span class=\"tok-variable\">context</span>.weekday == <span class=\"tok-number\">7</span>",
        ],
    );
    assert!(!page.contains("<b>No"));
    has(
        &operator.get("/policies?file=countersign.cedarschema").await.page(200),
        &["CustomClaims", "tok-keyword"],
    );
    operator.get("/policies?file=..%2Fsecret").await.page(404);
}

#[tokio::test]
async fn it_says_how_often_each_policy_decided() {
    let h = Harness::start().await;
    let operator = Visitor::operator(&h.app).await;
    let day = |days_ago: i64| (NOW - days_ago * 86_400).div_euclid(86_400) * 86_400;
    let rows = format!(
        "INSERT INTO policy_counts VALUES ({}, 'issuer.own', 4000, 7), ({}, 'issuer.own', 4000, 10), \
         ({}, 'issuer.own', 1, 100000)",
        day(1),
        day(2),
        day(40)
    );
    let insert = move |c: &mut AnyConnection| Ok::<_, StoreError>(c.batch_execute(&rows)?);
    h.app.store.write(insert).await.unwrap();
    let page = operator.get("/policies?file=issuer.cedar").await.page(200);
    let row = page.split("issuer.own</td>").nth(1).unwrap().split("</tr>").next().unwrap();
    has(row, &["permit", ">8000<", ">17<"]);
    let page = operator.get("/policies?file=console.cedar").await.page(200);
    has(&page, &["not counted: it decides about the console"]);
    assert!(!page.contains("data-label=\"Allowed\""), "no 0, which would be taken for a number: {page}");
}

/// A set that cannot be taken over is told with its file, and the one in force stays.
#[tokio::test]
async fn newer_files_that_are_refused_are_told() {
    let rules = Rules::shipped_and("");
    let h = Harness::with_policies(rules.policies()).await;
    let operator = Visitor::operator(&h.app).await;
    let before = h.app.policies().hash.clone();
    std::fs::write(rules.policies().join("broken.cedar"), "forbid (").unwrap();
    h.app.follow_policies(countersign::policy::reload::ReloadTrigger::Now).await;
    let page = operator.get("/policies").await.page(200);
    has(&page, &["Newer files refused", "The last good set stays in force.", "broken.cedar", &before]);
}
