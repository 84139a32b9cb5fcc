//! Client authentication (RFC 6749 §2.3.1, RFC 7523 §2.2), before the assertion is touched.

use std::net::IpAddr;
use std::sync::Arc;

use crate::app::App;
use crate::idp::client_assertion::{
    ClientAssertionFault, ExpectedClient, UnverifiedClientAssertion, failed, verify_by_keys,
};
use crate::idp::client_documents::NoClient;
use crate::model::client::{AuthMethod, RegisteredClient};
use crate::oauth::credentials::{Credentials, refused};
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::oauth::request::JWT_BEARER;
use crate::store::ledger::ClientAssertionUse;
use crate::store::snapshot::Snapshot;

/// A client that has proved who it is. Only [`authenticate`] makes one.
#[derive(Debug, Clone)]
pub struct Client {
    registered: Arc<RegisteredClient>,
    method: AuthMethod,
    assertion: Option<ClientAssertionUse>,
}

impl Client {
    /// Its registration.
    pub fn registered(&self) -> &Arc<RegisteredClient> {
        &self.registered
    }

    /// How it authenticated this time.
    pub fn method(&self) -> AuthMethod {
        self.method
    }

    /// The assertion by which it did, which is good once: whatever the request writes must use it up in the same
    /// transaction.
    pub fn assertion(&self) -> Option<&ClientAssertionUse> {
        self.assertion.as_ref()
    }
}

/// A caller who is no client, or whose turn it is not.
#[derive(Debug)]
pub struct Unauthenticated {
    /// The id that the caller claims, as far as it can be read.
    pub claimed: String,
    /// The refusal.
    pub error: TokenError,
}

impl Unauthenticated {
    fn boxed(claimed: &str, error: TokenError) -> Box<Self> {
        Box::new(Self { claimed: claimed.to_owned(), error })
    }
}

/// Finds the client, within the limit on failed attempts. Credentials that cannot be read name nobody, and are counted
/// together.
pub async fn authenticate(
    app: &App,
    snapshot: &Snapshot,
    credentials: Result<Credentials, TokenError>,
    address: IpAddr,
) -> Result<Client, Box<Unauthenticated>> {
    let within_limit = |claimed: &str| {
        let limited = app.limits.check_authentication(claimed, address);
        limited.map_err(|limited| Unauthenticated::boxed(claimed, limited.into()))
    };
    let refuse = |claimed: &str, error: TokenError| {
        if error.code == ErrorCode::InvalidClient {
            app.limits.note_failed_authentication(claimed, address);
        }
        Unauthenticated::boxed(claimed, error)
    };
    let credentials = match credentials {
        Ok(credentials) => credentials,
        Err(error) => return Err(within_limit("").err().unwrap_or_else(|| refuse("", error))),
    };
    let presented = Presented::read(&credentials, app);
    let claimed = presented.claimed_id(&|id| snapshot.client(id).is_some());
    within_limit(&claimed)?;
    let proved = match presented {
        Presented::Secret(credentials) => by_secret(credentials, &claimed, snapshot),
        Presented::Public(client_id) => by_name(app, snapshot, client_id).await,
        Presented::Assertion { beside, read } => by_assertion(app, snapshot, beside, read).await,
    };
    proved.and_then(may_get_tokens).map_err(|error| refuse(&claimed, error))
}

/// Credentials, with what an assertion among them claims.
enum Presented<'c> {
    Secret(&'c Credentials),
    Public(&'c str),
    Assertion {
        /// The `client_id` beside the assertion.
        beside: Option<&'c str>,
        read: Result<Box<UnverifiedClientAssertion<'c>>, ClientAssertionFault>,
    },
}

impl<'c> Presented<'c> {
    fn read(credentials: &'c Credentials, app: &App) -> Self {
        match credentials {
            Credentials::Assertion { client_id, assertion } => {
                let max_size = app.config.assertion.max_size.bytes();
                let read = UnverifiedClientAssertion::peek(assertion, max_size).map(Box::new);
                Self::Assertion { beside: client_id.as_deref(), read }
            }
            Credentials::Public { client_id } => Self::Public(client_id),
            Credentials::Basic { .. } | Credentials::Post { .. } => Self::Secret(credentials),
        }
    }

    fn claimed_id(&self, is_known: &dyn Fn(&str) -> bool) -> String {
        match self {
            Self::Secret(credentials) => credentials.claimed_id(is_known),
            Self::Public(client_id) => (*client_id).to_owned(),
            Self::Assertion { beside: Some(client_id), .. } => (*client_id).to_owned(),
            Self::Assertion { beside: None, read } => {
                read.as_ref().map(|read| read.header().issuer().to_owned()).unwrap_or_default()
            }
        }
    }
}

/// Checks the client's secret.
fn by_secret(credentials: &Credentials, claimed: &str, snapshot: &Snapshot) -> Result<Client, TokenError> {
    let readings = credentials.readings(&|id| snapshot.client(id).is_some());
    let known = readings.iter().find_map(|(id, secret)| {
        let registered = snapshot.client(id)?;
        may_send_secret(registered, secret).then(|| Arc::clone(registered))
    });
    let Some(registered) = known else {
        let is_registered = snapshot.client(claimed).is_some();
        let reason = if is_registered { Reason::CLIENT_AUTH_FAILED } else { Reason::CLIENT_UNKNOWN };
        return Err(refused(reason));
    };
    let method = match credentials {
        Credentials::Basic { .. } => AuthMethod::Basic,
        Credentials::Post { .. } | Credentials::Assertion { .. } | Credentials::Public { .. } => {
            AuthMethod::Post
        }
    };
    Ok(Client { registered, method, assertion: None })
}

/// A client that signs assertions has no other way, not even with a secret that it had before.
fn may_send_secret(registered: &RegisteredClient, secret: &str) -> bool {
    registered.has_secret(secret) && registered.token_endpoint_auth_method.sends_secret()
}

/// The client with an id: a registered one, or one with a document.
pub(super) async fn find_client(
    app: &App,
    snapshot: &Snapshot,
    client_id: &str,
) -> Result<Arc<RegisteredClient>, TokenError> {
    if let Some(registered) = snapshot.client(client_id) {
        return Ok(Arc::clone(registered));
    }
    app.client_documents.find(client_id).await.map_err(|error| match error {
        NoClient::NotAllowed => refused(Reason::CLIENT_UNKNOWN),
        NoClient::Unusable(detail) => refused(Reason::CLIENT_DOCUMENT_UNUSABLE).detail(detail),
        NoClient::Busy => TokenError::unavailable(Reason::CLIENT_DOCUMENT_UNUSABLE, error),
        NoClient::NoRoom(seconds) => TokenError {
            retry_after: Some(seconds),
            ..TokenError::unavailable(Reason::CLIENT_DOCUMENT_UNUSABLE, error)
        },
    })
}

/// A client that only says its name (RFC 6749 §2.1). It needs the operator's leave: its registration says `none`, or its
/// document does and the configuration lists it. One that has no secret to send is told so, not that it sent a wrong one.
async fn by_name(app: &App, snapshot: &Snapshot, client_id: &str) -> Result<Client, TokenError> {
    let registered = find_client(app, snapshot, client_id).await?;
    let method = registered.token_endpoint_auth_method;
    let is_registered = snapshot.client(client_id).is_some();
    if method == AuthMethod::None && (is_registered || app.client_documents.may_be_public(client_id)) {
        return Ok(Client { registered, method, assertion: None });
    }
    let has_credentials = method.has_keys() || !registered.secrets.is_empty();
    if has_credentials {
        return Err(refused(Reason::CLIENT_AUTH_FAILED));
    }
    let text = "A client without credentials may not use this grant.";
    Err(TokenError::new(ErrorCode::UnauthorizedClient, Reason::CLIENT_PUBLIC, text))
}

/// Verifies the client's assertion with the keys of its registration and no others.
async fn by_assertion(
    app: &App,
    snapshot: &Snapshot,
    beside: Option<&str>,
    read: Result<Box<UnverifiedClientAssertion<'_>>, ClientAssertionFault>,
) -> Result<Client, TokenError> {
    let unverified = read.map_err(|fault| failed(fault.to_string()))?;
    let client_id = unverified.header().issuer().to_owned();
    if beside.is_some_and(|beside| beside != client_id) {
        return Err(failed("client_id is another than iss of the client_assertion".to_owned()));
    }
    let registered = find_client(app, snapshot, &client_id).await?;
    let method = AuthMethod::PrivateKeyJwt;
    let source = registered.keys.as_ref().filter(|_| registered.token_endpoint_auth_method == method);
    let Some(source) = source else {
        let own = registered.token_endpoint_auth_method.as_str();
        return Err(failed(format!("the client is registered for {own}, not for {}", method.as_str())));
    };
    let expected = ExpectedClient::new(&client_id, &app.config, app.clock.now());
    let used = verify_by_keys(*unverified, (&app.client_keys, source), &expected).await?;
    Ok(Client { registered, method, assertion: Some(used) })
}

/// Checks the client's right to this grant.
fn may_get_tokens(client: Client) -> Result<Client, TokenError> {
    if !client.registered.enabled {
        return Err(refused(Reason::CLIENT_BLOCKED));
    }
    if !client.registered.grant_types.iter().any(|grant| grant == JWT_BEARER) {
        return Err(TokenError::new(
            ErrorCode::UnauthorizedClient,
            Reason::GRANT_UNSUPPORTED,
            "This client is not registered for the JWT bearer grant.",
        ));
    }
    Ok(client)
}
