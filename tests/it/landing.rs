//! The page at the issuer.

use countersign::config::Config;

use crate::harness::{TestApp, http};

async fn page(app: &TestApp, url: &str) -> (u16, String, String) {
    let answer = app.http.get(url).send().await.unwrap();
    let policy = answer.headers().get("content-security-policy").map(|v| v.to_str().unwrap().to_owned());
    (answer.status().as_u16(), policy.unwrap_or_default(), answer.text().await.unwrap())
}

#[tokio::test]
async fn the_page_says_what_is_here_and_its_links_lead_somewhere() {
    let app = TestApp::start().await;
    let origin = url::Url::parse(app.issuer()).unwrap().origin().ascii_serialization();
    for address in [app.issuer().to_owned(), format!("{}/", app.issuer())] {
        let (status, policy, text) = page(&app, &address).await;
        assert_eq!(status, 200, "{address}");
        assert!(policy.contains("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(text.contains(&format!("<code>{}</code>", app.issuer())));
        let links: Vec<&str> =
            text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(links.len(), 5, "{links:?}");
        for link in links {
            let answer = http().get(format!("{origin}{link}")).send().await.unwrap();
            assert!(
                answer.status().is_success() || answer.status().is_redirection(),
                "{link}: {}",
                answer.status()
            );
        }
    }
}

#[tokio::test]
async fn an_issuer_with_a_path_has_its_page_there() {
    let app = TestApp::start_with(|config: &mut Config| config.issuer.push_str("/tenant")).await;
    for address in [app.issuer().to_owned(), format!("{}/", app.issuer())] {
        let (status, _, text) = page(&app, &address).await;
        assert_eq!(status, 200, "{address}");
        assert!(text.contains("href=\"/.well-known/oauth-authorization-server/tenant\""), "{text}");
    }
}

/// A console at an address of its own is not for the public.
#[tokio::test]
async fn the_public_is_not_told_of_a_console_elsewhere() {
    for elsewhere in [true, false] {
        let app = TestApp::start_with(|config| match elsewhere {
            true => config.console.listen = Some("127.0.0.1:0".parse().unwrap()),
            false => config.console.enabled = false,
        })
        .await;
        let (status, _, text) = page(&app, app.issuer()).await;
        assert_eq!(status, 200);
        assert!(!text.contains("/console") && !text.contains("/docs"), "{text}");
    }
}
