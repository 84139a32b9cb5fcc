//! From the version that had one identity provider for each teamspace.

use countersign::store::Store;
use countersign::store::changes::{self, Changed};
use diesel::connection::SimpleConnection as _;
use serde_json::json;

use crate::db::number;
use crate::harness::{START, TestApp};
use crate::upgrade::take_back;

const VERSION: &str = "0012";

/// A filled database of the version before goes on: its provider keeps its scope setting and its members, and has the
/// teamspace's id.
#[tokio::test]
async fn a_database_of_the_version_before_keeps_its_providers() {
    let app = TestApp::start().await;
    app.change_provider(|provider| provider.scope = "docs.write".to_owned()).await;
    let before = app.granted(json!({})).await.claims();
    let missing = take_back(&app.database, VERSION);
    app.database.execute("UPDATE identity_providers SET provider = 'oidc', groups_claim = 'roles'");
    // The migration removes what older processes read, so they stop.
    assert_eq!(number(&app.database.url, "(SELECT count(provider) FROM identity_providers)"), 1);
    assert_eq!(Store::migrate(&app.database.url).unwrap(), missing);
    let old = "SELECT teamspace_id, provider, issuer FROM identity_providers";
    assert!(app.database.connect().batch_execute(old).is_err());
    app.change_teamspace(|teamspace| teamspace.name = "Acme".to_owned()).await;
    let provider = app.provider("acme");
    assert_eq!((provider.id.as_str(), provider.name.as_str()), ("id-of-acme", "OpenID Connect"));
    assert_eq!((provider.scope.as_str(), provider.groups_claim.as_str()), ("docs.write", "roles"));
    assert!(provider.tenant.is_none() && provider.custom_claims.is_empty() && provider.enabled);
    let after = app.granted(json!({})).await;
    assert_eq!((&after.json["scope"], &after.claims()["sub"]), (&json!("docs.write"), &before["sub"]));
    let ids: Vec<String> = app.sign_ins().await.into_iter().map(|row| row.identity_provider_id).collect();
    assert_eq!(ids, ["id-of-acme", ""]);
}

/// The way back leaves of each teamspace what the version before can believe as it was meant: one provider, and none
/// that pins a tenant, since it would take every tenant then.
#[tokio::test]
async fn the_way_back_opens_nothing() {
    let app = TestApp::start().await;
    app.put_teamspace("globex").await;
    super::add_provider(&app, "globex", super::pinned("g")).await;
    super::add_provider(&app, "acme", |provider| {
        (provider.id, provider.issuer) = ("second".to_owned(), "https://second.example".to_owned());
    })
    .await;
    take_back(&app.database, VERSION);
    let left = "(SELECT count(*) FROM identity_providers WHERE teamspace_id = 'id-of-acme')";
    assert_eq!(number(&app.database.url, left), 1);
    assert_eq!(number(&app.database.url, "(SELECT count(*) FROM identity_providers)"), 1);
}

/// A rolling upgrade: a process that still runs cannot read what a newer version's migration has made, and stops granting
/// at the first change of configuration. It tries again with each request, and goes on once it can read everything.
#[tokio::test]
async fn a_process_that_cannot_read_the_configuration_any_more_grants_nothing() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    app.database.execute("ALTER TABLE identity_providers RENAME COLUMN kind TO product");
    // Nothing says so yet: what it knows is still right.
    app.granted(json!({})).await;
    let changed = Changed::Teamspace(app.provider("acme").teamspace_id);
    app.app.store.configure(move |c| changes::note(c, &changed, START)).await.unwrap();
    for _ in 0..2 {
        let before = app.written().await;
        let answer = app.exchange(&app.assertion(json!({}))).await;
        app.assert_refused(&answer, before, 503, "temporarily_unavailable", "internal").await;
    }
    app.database.execute("ALTER TABLE identity_providers RENAME COLUMN product TO kind");
    app.granted(json!({})).await;
}
