//! The provider at which people sign in.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use openidconnect::core::{
    CoreErrorResponseType, CoreGenderClaim, CoreJwsSigningAlgorithm, CoreResponseType,
};
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, CsrfToken, IdTokenClaims, LoginHint,
    OAuth2TokenResponse as _, PkceCodeChallenge, RequestTokenError, Scope, SignatureVerificationError,
    StandardErrorResponse, TokenResponse as _, UserInfoError,
};
use tokio::sync::Mutex;
use url::Url;

use super::answer::Answer;
use super::attempt::Attempt;
use super::discovered::{Discovered, SignedIdToken, Tokens};
use super::error::SignInError;
use super::http::GuardedHttp;
use super::person::{MoreClaims, SignedInPerson, Told};
use crate::clock::Clock;
use crate::config::{Config, Jwks, Oidc, OperatorEntry};
use crate::idp::fetch::{FetchError, Fetcher};

/// Seconds until a provider that could not be asked is asked again.
const PAUSE: i64 = 5;

/// The algorithms that are taken: none with a shared secret.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The OpenID provider of this deployment.
pub struct OpenIdProvider {
    oidc: Oidc,
    redirect_url: String,
    groups_claim: String,
    /// Whether some operators are told by their group.
    needs_groups: bool,
    clock_skew: i64,
    jwks: Jwks,
    http: GuardedHttp,
    clock: Arc<dyn Clock>,
    known: Mutex<KnownMetadata>,
}

#[derive(Default)]
struct KnownMetadata {
    provider: Option<Arc<Discovered>>,
    /// When it was asked last, in ticks, whatever came of it.
    asked_at: Option<i64>,
}

impl KnownMetadata {
    /// The provider, if it was asked after a time.
    fn asked_after(&self, ticks: i64) -> Option<Arc<Discovered>> {
        self.provider.clone().filter(|provider| provider.asked_at > ticks)
    }
}

impl OpenIdProvider {
    /// The configured one; none where the console has none.
    pub fn of(config: &Config, fetcher: &Fetcher, clock: &Arc<dyn Clock>) -> Option<Self> {
        let console = &config.console;
        let is_group = |entry: &String| matches!(OperatorEntry::parse(entry), Some(OperatorEntry::Group(_)));
        Some(Self {
            oidc: console.oidc.clone()?,
            redirect_url: format!("{}/sign-in/callback", config.console_url()?),
            groups_claim: console.groups_claim.clone(),
            needs_groups: console.operators.iter().any(is_group),
            clock_skew: config.assertion.clock_skew.as_secs(),
            jwks: config.jwks.clone(),
            http: GuardedHttp(fetcher.for_operators()),
            clock: Arc::clone(clock),
            known: Mutex::default(),
        })
    }

    /// Where the browser goes to sign in. `login_hint` is an address to sign in with.
    pub async fn authorize_url(
        &self,
        attempt: &Attempt,
        login_hint: Option<String>,
    ) -> Result<Url, SignInError> {
        let provider = self.provider().await?;
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let (state, nonce) = (CsrfToken::new(attempt.state()), attempt.nonce());
        let mut request = provider
            .client
            .authorize_url(flow, move || state, move || nonce)
            .add_scopes(self.oidc.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&attempt.verifier()));
        if let Some(login_hint) = login_hint {
            request = request.set_login_hint(LoginHint::new(login_hint));
        }
        Ok(request.url().0)
    }

    /// The person whom the provider's answer is about.
    pub async fn person(&self, answer: &Answer, attempt: &Attempt) -> Result<SignedInPerson, SignInError> {
        attempt.check(&answer.state, self.clock.now())?;
        let code = answer.code(&self.oidc.issuer)?;
        let provider = self.provider().await?;
        if provider.names_issuer && answer.iss.is_none() {
            return Err(SignInError::AnsweredByAnother);
        }
        let tokens = self.redeem(&provider, code, attempt).await?;
        self.told(provider, &tokens, attempt).await?.person()
    }

    async fn redeem(
        &self,
        provider: &Discovered,
        code: &str,
        attempt: &Attempt,
    ) -> Result<Tokens, SignInError> {
        let request = provider
            .client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| SignInError::Unusable("metadata has no token endpoint".to_owned()))?;
        Ok(request.set_pkce_verifier(attempt.verifier()).request_async(&self.http).await?)
    }

    /// Reads the claims of the ID token, and adds those of the UserInfo endpoint. Some providers state an email only there
    /// when there is an access token as well (Core §5.4).
    async fn told(
        &self,
        mut provider: Arc<Discovered>,
        tokens: &Tokens,
        attempt: &Attempt,
    ) -> Result<Told, SignInError> {
        let id_token = tokens.id_token().ok_or(SignInError::NoIdToken)?;
        let verified = match self.verify(&provider, id_token, attempt) {
            Err(error) if is_unknown_key(&error) => match self.newer_than(&provider).await? {
                Some(newer) => {
                    provider = newer;
                    self.verify(&provider, id_token, attempt)
                }
                None => Err(error),
            },
            verified => verified,
        };
        let claims = verified?;
        let told = Told::by_token(claims, &self.groups_claim);
        let endpoint =
            provider.client.user_info(tokens.access_token().clone(), Some(claims.subject().clone()));
        let Some(request) = endpoint.ok().filter(|_| told.lacks(self.needs_groups)) else { return Ok(told) };
        let more = request.request_async::<MoreClaims, _, CoreGenderClaim>(&self.http).await?;
        Ok(told.or(Told::by_user_info(&more, &self.groups_claim)))
    }

    fn verify<'t>(
        &self,
        provider: &Discovered,
        id_token: &'t SignedIdToken,
        attempt: &Attempt,
    ) -> Result<&'t IdTokenClaims<MoreClaims, CoreGenderClaim>, ClaimsVerificationError> {
        let now = Duration::from_secs((self.clock.now() - self.clock_skew).unsigned_abs());
        let verifier = provider.client.id_token_verifier().set_allowed_algs(ALGORITHMS);
        id_token.claims(&verifier.set_time_fn(move || (UNIX_EPOCH + now).into()), &attempt.nonce())
    }

    /// The provider as it was fetched not long ago, or is fetched now.
    async fn provider(&self) -> Result<Arc<Discovered>, SignInError> {
        let mut known = self.known.lock().await;
        let (now, max_age) = (self.clock.ticks(), self.jwks.max_age.as_secs());
        if let Some(provider) = known.asked_after(now - max_age) {
            return Ok(provider);
        }
        let stale = known.asked_after(now - max_age - self.jwks.max_stale.as_secs());
        if known.asked_at.is_some_and(|asked_at| now < asked_at + PAUSE) {
            return stale.ok_or(SignInError::JustTried);
        }
        match (self.ask(&mut known).await, stale) {
            (Err(error), Some(stale)) => {
                tracing::warn!(%error, "the console's OpenID provider cannot be asked; what it said before is used");
                Ok(stale)
            }
            (result, _) => result,
        }
    }

    /// The provider with keys that may be newer; none where they were fetched just before.
    async fn newer_than(&self, used: &Arc<Discovered>) -> Result<Option<Arc<Discovered>>, SignInError> {
        let mut known = self.known.lock().await;
        if let Some(newer) = known.provider.clone().filter(|provider| !Arc::ptr_eq(provider, used)) {
            return Ok(Some(newer));
        }
        let interval = self.jwks.min_refresh_interval.as_secs();
        if known.asked_at.is_some_and(|asked_at| self.clock.ticks() < asked_at + interval) {
            return Ok(None);
        }
        self.ask(&mut known).await.map(Some)
    }

    async fn ask(&self, known: &mut KnownMetadata) -> Result<Arc<Discovered>, SignInError> {
        let now = self.clock.ticks();
        known.asked_at = Some(now);
        let provider = Arc::new(Discovered::ask(&self.oidc, &self.redirect_url, &self.http, now).await?);
        known.provider = Some(Arc::clone(&provider));
        Ok(provider)
    }
}

fn is_unknown_key(error: &ClaimsVerificationError) -> bool {
    let unknown = SignatureVerificationError::NoMatchingKey;
    matches!(error, ClaimsVerificationError::SignatureVerification(error) if *error == unknown)
}

impl From<RequestTokenError<FetchError, StandardErrorResponse<CoreErrorResponseType>>> for SignInError {
    fn from(error: RequestTokenError<FetchError, StandardErrorResponse<CoreErrorResponseType>>) -> Self {
        match error {
            RequestTokenError::Request(error) => Self::NotReached(error),
            RequestTokenError::ServerResponse(answer) => Self::CodeRefused(match answer.error() {
                CoreErrorResponseType::Extension(_) => "an unknown error".to_owned(),
                known => known.to_string(),
            }),
            RequestTokenError::Parse(error, _) => Self::Unusable(format!(
                "token endpoint gave an answer that cannot be read at `{}`",
                error.path()
            )),
            RequestTokenError::Other(_) => {
                Self::Unusable("token endpoint gave an answer that cannot be used".to_owned())
            }
        }
    }
}

impl From<UserInfoError<FetchError>> for SignInError {
    fn from(error: UserInfoError<FetchError>) -> Self {
        let what = match error {
            UserInfoError::Request(error) => return Self::NotReached(error),
            UserInfoError::Response(status, ..) => format!("answered with status {}", status.as_u16()),
            UserInfoError::ClaimsVerification(_) => "told of somebody else".to_owned(),
            _ => "gave an answer that cannot be used".to_owned(),
        };
        Self::Unusable(format!("UserInfo endpoint {what}"))
    }
}
