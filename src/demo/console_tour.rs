//! Signing in to the console, as a browser does.

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, StatusCode, redirect};
use serde_json::json;

use super::narrator::Narrator;
use super::{DemoError, DemoParts, OPERATOR};

/// A browser that is told what to do: it keeps cookies, and goes where it is sent when it is asked to.
struct Browser {
    http: Client,
    cookies: Vec<String>,
}

/// The operator, a member and somebody who is neither.
pub(super) async fn console_tour(stage: &DemoParts, narrator: &mut Narrator) -> Result<(), DemoError> {
    let console = format!("{}/console", stage.issuer);
    let pages = [format!("{console}/teamspaces"), format!("{console}/t/acme"), format!("{console}/t/globex")];
    for (who, email, expected) in [
        ("Olive, an operator, sees everything", OPERATOR, [200, 200, 200]),
        ("Dana, a developer of Acme, sees Acme alone", "dana@acme.example", [200, 200, 404]),
        ("Noor is neither: the console says so", "noor@elsewhere.example", [303, 303, 303]),
    ] {
        let mut browser = Browser::new()?;
        let answer = browser.sign_in(&console, email).await?;
        let signed_in = answer.status().as_u16();
        let told =
            if answer.status() == StatusCode::FORBIDDEN { answer.text().await? } else { String::new() };
        let mut seen = Vec::new();
        for page in &pages {
            seen.push(browser.get(page).await?.status().as_u16());
        }
        let is_in = expected.contains(&200);
        let is_told = signed_in == if is_in { 303 } else { 403 } && (is_in || told.contains(email));
        let shown = json!({ "sign-in": signed_in, "/teamspaces": seen.first(), "/t/acme": seen.get(1),
            "/t/globex": seen.get(2) });
        narrator.step(who, is_told && seen == expected, &shown);
    }
    Ok(())
}

impl Browser {
    fn new() -> Result<Self, DemoError> {
        // Everything is at 127.0.0.1.
        let http = Client::builder().no_proxy().redirect(redirect::Policy::none()).build()?;
        Ok(Self { http, cookies: Vec::new() })
    }

    /// Goes to the identity provider, which knows at once who it is, and back.
    async fn sign_in(&mut self, console: &str, email: &str) -> Result<Response, DemoError> {
        let there = self.get(&format!("{console}/sign-in/start?login_hint={email}")).await?;
        let back = self.get(&location(&there)?).await?;
        self.get(&location(&back)?).await
    }

    async fn get(&mut self, url: &str) -> Result<Response, DemoError> {
        let answer = self.http.get(url).header(COOKIE, self.cookies.join("; ")).send().await?;
        for set in answer.headers().get_all(SET_COOKIE) {
            let pair = set.to_str()?.split(';').next().unwrap_or_default();
            let name = pair.split('=').next().unwrap_or_default();
            self.cookies.retain(|kept| kept.split('=').next() != Some(name));
            self.cookies.push(pair.to_owned());
        }
        Ok(answer)
    }
}

fn location(answer: &Response) -> Result<String, DemoError> {
    let location = answer.headers().get(LOCATION).ok_or("expected the way to another page")?;
    Ok(location.to_str()?.to_owned())
}
