//! A browser without scripts: it keeps cookies and sends forms.

use std::collections::BTreeMap;
use std::sync::Mutex;

use countersign::admin::console;
use countersign::random::token;
use diesel::prelude::*;
use reqwest::RequestBuilder;

use crate::harness::{Answer, TestApp, http};

pub struct Browser {
    http: reqwest::Client,
    /// Of the console.
    pub base: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    /// In front of a service, signed in to nothing.
    pub fn of(app: &TestApp) -> Self {
        Self::at(format!("{}/console", app.issuer()))
    }

    pub fn at(base: String) -> Self {
        Self { http: http(), base, cookies: Mutex::default() }
    }

    /// Signed in as an operator, by a set-up token.
    pub async fn operator(app: &TestApp) -> Self {
        let browser = Self::of(app);
        browser.sign_in(&setup_token(app).await).await;
        browser
    }

    pub async fn sign_in(&self, setup_token: &str) {
        let answer = self.post("/sign-in", &[("setup_token", setup_token)]).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    /// As a form of the console's own pages.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_from("same-origin", path, form).await
    }

    /// As a form of whichever page.
    pub async fn post_from(&self, site: &str, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.http.post(format!("{}{path}", self.base)).form(form);
        self.send(request.header("sec-fetch-site", site)).await
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let cookies = self.cookie_header();
        let answer = Answer::of(request.header("cookie", cookies).send().await.unwrap()).await;
        for set in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            match attributes.contains("Max-Age=0") {
                true => cookies.remove(name),
                false => cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    /// A page that must be there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {} {}", answer.header("location"), answer.body);
        answer.body
    }

    pub fn cookie_header(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    /// The same cookies in another window.
    pub fn copy(&self) -> Self {
        let cookies = Mutex::new(self.cookies.lock().unwrap().clone());
        Self { http: http(), base: self.base.clone(), cookies }
    }
}

/// A set-up token that is good.
pub async fn setup_token(app: &TestApp) -> String {
    console::create_setup_token(&app.app.store, app.app.clock.now()).await.unwrap()
}

/// Something that looks like one.
pub fn wrong_token() -> String {
    format!("csu_{}", token::<32>().unwrap())
}

/// The location of a redirect, which must be one.
pub fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.header("location")
}

impl TestApp {
    /// How many rows a table has.
    pub async fn count(&self, table: &str) -> i64 {
        let rows = self.texts(&format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}")).await;
        rows[0].parse().unwrap()
    }

    /// The one column of a query, as texts.
    pub async fn texts(&self, query: &str) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Text)]
            text: String,
        }
        let query = format!("WITH found(text) AS ({query}) SELECT text FROM found");
        let mut connection = self.database.connect();
        let read = move || diesel::sql_query(query).load::<Row>(&mut connection).unwrap();
        tokio::task::spawn_blocking(read).await.unwrap().into_iter().map(|row| row.text).collect()
    }
}
