//! What only one teamspace can have moves to another one in one run.

use super::harness::{Place, WAYS, entry};

/// An email domain and an issuer move to another teamspace that stays, and then to a new one from a teamspace that goes.
#[tokio::test]
async fn a_domain_and_an_issuer_move_in_one_run() {
    for way in WAYS {
        let place = Place::start().await;
        let owner = format!(
            "email_domains: [moving.example], identity_providers: [{{name: IdP, provider: oidc, issuer: '{}'}}]",
            place.idp.issuer
        );
        let file = |teamspaces: &[(&str, &str)]| {
            let one = |(slug, rest): &(&str, &str)| {
                format!("- {{slug: {slug}, name: {slug}, plan: enterprise, {rest}}}\n")
            };
            let all: String = [&("acme", "time_zone: UTC")].into_iter().chain(teamspaces).map(one).collect();
            format!("teamspaces:\n{all}")
        };
        let nothing = "email_domains: [], identity_providers: []";
        for (teamspaces, slug) in [
            (&[("one", owner.as_str()), ("two", nothing)][..], "one"),
            (&[("one", nothing), ("two", owner.as_str())], "two"),
            (&[("one", nothing), ("three", owner.as_str())], "three"),
        ] {
            place.write("t.yaml", &file(teamspaces));
            place.apply(way, &["-f", "t.yaml", "--prune", "--yes"], 0).await;
            let export = place.exported().await;
            let owner = entry(&export, "teamspaces", ("slug", slug));
            assert_eq!(owner["email_domains"][0], "moving.example", "{way:?}: {export:#}");
            assert_eq!(owner["identity_providers"][0]["issuer"], *place.idp.issuer, "{way:?}: {export:#}");
            place.apply(way, &["-f", "t.yaml", "--prune", "--yes"], 0).await.says(&["Nothing to do"]);
        }
    }
}
