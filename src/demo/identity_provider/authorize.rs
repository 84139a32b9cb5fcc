//! The sign-in in a browser (OpenID Connect Core section 3.1): whoever sits there says who they are, and is believed.

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::directory::Code;
use super::error::IdpTokenError;
use super::parameters::Parameters;
use super::tokens::{self, token_id};
use super::{DemoIdp, DemoPerson};

/// How long a code can be redeemed, in seconds.
const CODE_LIFETIME: u64 = 60;

/// An authentication request, and who was chosen on its page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AuthenticationRequest {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: String,
    code_challenge_method: String,
    /// The address of somebody who signs in without the page.
    login_hint: Option<String>,
    user: Option<String>,
}

/// The page with the people to choose from.
#[derive(Template)]
#[template(path = "who_are_you.html")]
struct PeoplePage {
    people: Vec<Choice>,
}

struct Choice {
    name: String,
    email: String,
    link: String,
}

/// The answer to the browser.
pub(super) enum AuthorizeAnswer {
    Page(String),
    GoTo(String),
}

/// Signs in whoever was chosen or hinted at, or asks who it is.
pub(super) fn authorize(
    idp: &DemoIdp,
    request: AuthenticationRequest,
) -> Result<AuthorizeAnswer, IdpTokenError> {
    if !idp.directory().may_redirect(&request.client_id, &request.redirect_uri) {
        return Err(IdpTokenError::InvalidRequest("this client has no such redirect_uri"));
    }
    if request.response_type != "code" || request.code_challenge_method != "S256" {
        return Err(IdpTokenError::InvalidRequest(
            "expected response_type=code and code_challenge_method=S256",
        ));
    }
    let person = {
        let directory = idp.directory();
        let chosen = request.user.as_deref().and_then(|user| directory.person(user));
        let hinted = request.login_hint.as_deref().and_then(|email| directory.person_by_email(email));
        chosen.or(hinted).cloned()
    };
    match person {
        Some(person) => come_back(idp, person, request),
        None => ask(idp, &request),
    }
}

fn ask(idp: &DemoIdp, request: &AuthenticationRequest) -> Result<AuthorizeAnswer, IdpTokenError> {
    let choice = |person: &DemoPerson| {
        let chosen = AuthenticationRequest { user: Some(person.name.clone()), ..request.clone() };
        let query = serde_json::to_value(chosen).unwrap_or_default();
        let members = query.as_object().into_iter().flatten();
        let pairs = members.filter_map(|(name, value)| Some((name, value.as_str()?)));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let email = person.email.clone().unwrap_or_default();
        Choice { name: person.name.clone(), email, link: format!("?{query}") }
    };
    let people = idp.directory().people().into_iter().map(choice).collect();
    let page = PeoplePage { people }.render();
    Ok(AuthorizeAnswer::Page(page.map_err(|_| IdpTokenError::InvalidRequest("the page cannot be made"))?))
}

fn come_back(
    idp: &DemoIdp,
    person: DemoPerson,
    request: AuthenticationRequest,
) -> Result<AuthorizeAnswer, IdpTokenError> {
    let mut back = Url::parse(&request.redirect_uri)
        .map_err(|_| IdpTokenError::InvalidRequest("the redirect_uri is no URL"))?;
    let code = token_id("code.")?;
    let state = request.state.as_deref().map(|state| ("state", state));
    let pairs = [("code", code.as_str()), ("iss", &idp.inner.issuer)];
    back.query_pairs_mut().extend_pairs(pairs.into_iter().chain(state));
    let AuthenticationRequest { client_id, redirect_uri, nonce, code_challenge, .. } = request;
    let expires_at = idp.now().saturating_add(CODE_LIFETIME);
    let kept = Code { person, client_id, redirect_uri, nonce, challenge: code_challenge, expires_at };
    idp.directory().keep_code(code, kept, idp.now());
    Ok(AuthorizeAnswer::GoTo(back.into()))
}

/// Redeems a code (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
pub(super) fn redeem(
    idp: &DemoIdp,
    client_id: &str,
    parameters: &Parameters,
) -> Result<Value, IdpTokenError> {
    let code = parameters.require("code", "code is missing")?;
    let verifier = parameters.require("code_verifier", "code_verifier is missing")?;
    let bad = IdpTokenError::InvalidGrant("the code is unknown, expired, or another client's");
    let Some(kept) = idp.directory().take_code(code) else { return Err(bad) };
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let is_good = kept.client_id == client_id
        && Some(kept.redirect_uri.as_str()) == parameters.get("redirect_uri")
        && kept.challenge == challenge
        && kept.expires_at > idp.now();
    if !is_good {
        return Err(bad);
    }
    let id_token = tokens::issue_id_token(idp, &kept.person, client_id, kept.nonce)?;
    // Nothing here takes the access token; OAuth wants one.
    let access_token = token_id("access.")?;
    Ok(
        json!({ "access_token": access_token, "token_type": "Bearer", "expires_in": CODE_LIFETIME, "id_token": id_token }),
    )
}
