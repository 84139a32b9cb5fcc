//! Issuers that no sign-in needs are looked at once a day.

use countersign::clock::DAY;

use super::{Operator, break_down, recover, stored};
use crate::harness::TestApp;
use crate::idp::Key;

/// ADM-10
#[tokio::test]
async fn an_idle_issuer_is_asked_once_a_day() {
    let app = TestApp::start().await;
    let asked = || (app.idp.metadata_requests(), app.idp.jwks_requests());
    app.app.recheck_issuers().await.unwrap();
    assert_eq!(asked(), (1, 1), "nobody has ever asked it");
    app.clock.advance(DAY);
    app.app.recheck_issuers().await.unwrap();
    assert_eq!(asked(), (1, 1));
    app.clock.advance(1);
    let new = Key::es256("idp-2");
    app.idp.publish(&[&new]);
    app.app.recheck_issuers().await.unwrap();
    assert_eq!(asked(), (2, 2));
    let operator = Operator::of(&app).await;
    assert_eq!(operator.history("id-of-acme").await.len(), 2, "the rotation was noticed");
    assert!(stored(&app).await.unwrap().keys.contains("idp-2"));
}

/// One that does not answer is left alone for an hour; a disabled one is not asked.
#[tokio::test]
async fn a_broken_issuer_is_not_asked_all_the_time() {
    let app = TestApp::start().await;
    break_down(&app.idp);
    for (passed, expected) in [(0, 1), (3599, 1), (1, 2)] {
        app.clock.advance(passed);
        app.app.recheck_issuers().await.unwrap();
        assert_eq!(app.idp.metadata_requests(), expected, "{passed}");
    }
    recover(&app.idp);
    app.change_provider(|provider| provider.enabled = false).await;
    app.clock.advance(DAY);
    app.app.recheck_issuers().await.unwrap();
    assert_eq!(app.idp.metadata_requests(), 2);
}
