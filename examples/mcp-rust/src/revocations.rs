//! Follows Countersign's list of revocations, so that tokens end within about a second: copy this file beside guard.rs.

use std::{collections::HashMap, env, error::Error, io::Write as _, sync::Arc, time::Duration};

use reqwest::{Client, Request};
use serde_json::Value;
use tokio::{sync::RwLock, time::Instant};

use crate::guard::Claims;

const KEPT: Duration = Duration::from_secs(65 * 60); // after which every token that an item concerns has expired

/// By claim and value, both empty for all tokens: those issued before a time are over, and when we heard of it.
type Ended = HashMap<(&'static str, String), (i64, Instant)>;

/// Which tokens are over.
#[derive(Default)]
pub struct Revocations {
    ended: RwLock<Ended>,
    current: RwLock<Option<Instant>>, // when all of the list was known; never, at the start
    patience: Duration,
}

impl Revocations {
    /// Follows the list with the credentials in the environment; without any, there is nothing to follow.
    pub fn follow(issuer: &str, http: Client) -> Result<Option<Arc<Self>>, Box<dyn Error>> {
        let Some(_) = env::var_os("RESOURCE_CREDENTIAL_ID") else { return Ok(None) };
        let (id, secret) = (env::var("RESOURCE_CREDENTIAL_ID")?, env::var("RESOURCE_CREDENTIAL_SECRET")?);
        let patience = env::var("MAX_STALENESS").map_or(Ok(30), |seconds| seconds.parse())?;
        let wait = (patience / 3).clamp(1, 25);
        let request = http.get(format!("{issuer}/oauth2/revocations")).basic_auth(id, Some(secret));
        let request = request.timeout(Duration::from_secs(wait + 5)).build()?;
        let known = Arc::new(Self { patience: Duration::from_secs(patience), ..Self::default() });
        let following = known.clone();
        tokio::spawn(async move { following.run(http, request, &wait.to_string()).await });
        Ok(Some(known))
    }

    async fn run(&self, http: Client, mut request: Request, wait: &str) {
        while let Some(next) = request.try_clone() {
            match self.hear(&http, next).await {
                Ok(since) => {
                    let mut query = request.url_mut().query_pairs_mut();
                    query.clear().append_pair("wait", wait).append_pair("since", &since);
                }
                Err(error) => {
                    // Not a macro that panics when nobody reads: this task must go on.
                    let _ = writeln!(std::io::stderr(), "the revocations cannot be read: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn hear(&self, http: &Client, request: Request) -> Result<String, Box<dyn Error + Send + Sync>> {
        let answer: Value = http.execute(request).await?.error_for_status()?.json().await?;
        let (mut ended, now) = (self.ended.write().await, Instant::now());
        ended.retain(|_, (_, heard)| now.duration_since(*heard) < KEPT);
        for item in answer["items"].as_array().ok_or("the answer is no list")? {
            // An item that names none of the claims is for all tokens, as is one of a kind that came later.
            let key = named(item).next().unwrap_or_default();
            let before = item["not_before"].as_i64().unwrap_or(i64::MAX); // one token is over whenever it was issued
            let known = ended.get(&key).map_or(before, |(known, _)| before.max(*known));
            ended.insert(key, (known, now));
        }
        if answer["more"] != true {
            *self.current.write().await = Some(now);
        }
        Ok(answer["cursor"].as_str().ok_or("the answer has no cursor")?.to_owned())
    }

    /// Whether a verified token is over; none while nobody knows.
    pub async fn are_over(&self, claims: &Claims) -> Option<bool> {
        self.current.read().await.filter(|at| at.elapsed() <= self.patience)?;
        let ended = self.ended.read().await;
        let is_over = |key| ended.get(&key).is_some_and(|(before, _)| claims.iat < *before);
        let object = serde_json::to_value(claims).ok()?;
        Some(named(&object).chain([Default::default()]).any(is_over))
    }
}

/// What an object says of those claims that an item may name.
fn named(object: &Value) -> impl Iterator<Item = (&'static str, String)> {
    let claims = ["jti", "sub", "teamspace_id", "identity_provider_id", "client_id"];
    claims.into_iter().filter_map(|name| Some((name, object[name].as_str()?.to_owned())))
}
