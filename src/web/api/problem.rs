//! Refusals as RFC 9457 problem details, each with a stable `code`.

use std::borrow::Cow;
use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::admin::AdminError;
use crate::limits::Limited;
use crate::store::StoreError;

/// A refused request of the admin API.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: Cow<'static, str>,
    /// An extension member (RFC 9457 §3.2).
    member: Option<Box<(&'static str, Value)>>,
    header: Option<(Header, Cow<'static, str>)>,
    /// Why the service cannot answer.
    cause: Option<FailureCause>,
}

/// The cause of a 503, which goes with the response inside of this process and is not sent.
#[derive(Debug, Clone)]
pub struct FailureCause(pub String);

/// A header that goes with a problem.
#[derive(Debug, Clone, Copy)]
enum Header {
    WwwAuthenticate,
    RetryAfter,
}

impl Header {
    const fn name(self) -> HeaderName {
        match self {
            Self::WwwAuthenticate => header::WWW_AUTHENTICATE,
            Self::RetryAfter => header::RETRY_AFTER,
        }
    }
}

impl Problem {
    /// A problem with its status, its stable code and a text for people.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code: code.into(), detail: detail.into(), member: None, header: None, cause: None }
    }

    /// 422: well-formed, and not acceptable.
    pub fn invalid(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 404. Also the answer for things that exist but are not the caller's, so that their existence stays hidden.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here.")
    }

    /// 401. `challenge` is the `WWW-Authenticate` value (RFC 6750 §3).
    pub fn unauthorized(challenge: &'static str, detail: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).header(Header::WwwAuthenticate, challenge)
    }

    /// 503. The cause is logged, and told to commands in this process only.
    pub fn unavailable(cause: &dyn fmt::Display) -> Self {
        tracing::error!(error = %cause, "the admin API cannot answer");
        let text = "Temporarily unavailable; try again later.";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", text);
        Self { cause: Some(FailureCause(cause.to_string())), ..problem.header(Header::RetryAfter, "5") }
    }

    /// Adds an extension member.
    fn with(mut self, name: &'static str, value: Value) -> Self {
        self.member = Some(Box::new((name, value)));
        self
    }

    /// Replaces the detail text.
    fn detail(mut self, detail: String) -> Self {
        self.detail = detail.into();
        self
    }

    fn header(mut self, header: Header, value: impl Into<Cow<'static, str>>) -> Self {
        self.header = Some((header, value.into()));
        self
    }
}

/// Defines `wire`, which gives the status and the stable code of each error, and the list of all of them.
macro_rules! table {
    ($($error:pat => $status:ident $code:literal),+ $(,)?) => {
        pub(in crate::web) fn wire(error: &AdminError) -> (StatusCode, &'static str) {
            use AdminError as E;
            match error { $($error => (StatusCode::$status, $code)),+ }
        }

        /// The status and the code of each error; a code that several errors share is repeated.
        pub const CODES: &[(StatusCode, &str)] = &[$((StatusCode::$status, $code)),+];
    };
}

table! {
    E::NotFound => NOT_FOUND "not_found",
    E::OperatorOnly => FORBIDDEN "operator_only",
    E::NotPermitted(_) => FORBIDDEN "policy_denied",
    E::Limited(_) => TOO_MANY_REQUESTS "rate_limited",
    E::NameInvalid => UNPROCESSABLE_ENTITY "name_invalid",
    E::ScopeInvalid(_) => UNPROCESSABLE_ENTITY "scope_invalid",

    E::ScopeDescriptionTooLong => UNPROCESSABLE_ENTITY "scope_invalid",
    E::DefaultScopeUnknown(_) => UNPROCESSABLE_ENTITY "default_scope_unknown",
    E::RequiredScopeUnknown(_) => UNPROCESSABLE_ENTITY "required_scope_unknown",
    E::IdentifierInvalid(_) => UNPROCESSABLE_ENTITY "identifier_invalid",
    E::TeamspaceUnknown(_) => UNPROCESSABLE_ENTITY "teamspace_unknown",
    E::ResourceTaken => CONFLICT "resource_taken",
    E::TooManyCredentials => CONFLICT "too_many_credentials",

    E::JwksUnsupported => UNPROCESSABLE_ENTITY "jwks_unsupported",
    E::ClientKeysMissing => UNPROCESSABLE_ENTITY "client_keys_missing",
    E::JwksInvalid(_) => UNPROCESSABLE_ENTITY "jwks_invalid",
    E::JwksUriInvalid(_) => UNPROCESSABLE_ENTITY "jwks_uri_invalid",
    E::ClientSecretUnsupported => UNPROCESSABLE_ENTITY "client_secret_unsupported",
    E::AuthMethodUnsupported => UNPROCESSABLE_ENTITY "auth_method_unsupported",
    E::ClientIdInvalid => UNPROCESSABLE_ENTITY "client_id_invalid",
    E::ClientSecretInvalid => UNPROCESSABLE_ENTITY "client_secret_invalid",
    E::GroupsInvalid(_) => UNPROCESSABLE_ENTITY "groups_invalid",
    E::GrantTypesInvalid(_) => UNPROCESSABLE_ENTITY "grant_types_invalid",
    E::ClientIdTaken => CONFLICT "client_id_taken",

    E::SlugInvalid => UNPROCESSABLE_ENTITY "slug_invalid",
    E::MemberLimitInvalid => UNPROCESSABLE_ENTITY "member_limit_invalid",
    E::EmailDomainInvalid(_) => UNPROCESSABLE_ENTITY "email_domain_invalid",
    E::TimeZoneInvalid => UNPROCESSABLE_ENTITY "time_zone_invalid",
    E::SlugTaken => CONFLICT "slug_taken",
    E::DomainTaken(_) => CONFLICT "domain_taken",
    E::TakenMeanwhile => CONFLICT "slug_taken",
    E::NamedInPolicies(_) => CONFLICT "named_in_policies",

    E::GroupsClaimInvalid => UNPROCESSABLE_ENTITY "groups_claim_invalid",
    E::ScopeUnknown(_) => UNPROCESSABLE_ENTITY "scope_unknown",
    // Answered with the code of the check.
    E::NotAcceptable(_) => UNPROCESSABLE_ENTITY "issuer_invalid",
    E::IssuerTaken => CONFLICT "issuer_taken",
    E::IssuerUnavailable => CONFLICT "issuer_unavailable",
    E::IssuerTwice => CONFLICT "issuer_taken",
    E::TenantInvalid => UNPROCESSABLE_ENTITY "tenant_invalid",
    E::LogoutClientIdInvalid => UNPROCESSABLE_ENTITY "logout_client_id_invalid",
    E::SamlIssuerInvalid => UNPROCESSABLE_ENTITY "saml_issuer_invalid",
    E::LinkByInvalid => UNPROCESSABLE_ENTITY "link_by_invalid",
    E::CustomClaimsInvalid => UNPROCESSABLE_ENTITY "custom_claims_invalid",
    E::TooManyIdentityProviders => CONFLICT "too_many_identity_providers",
    E::ProviderNameTaken => CONFLICT "name_taken",
    E::SeveralIdentityProviders => CONFLICT "several_identity_providers",
    E::ChangedMeanwhile => CONFLICT "changed_meanwhile",
    E::JwksUriDiffers => CONFLICT "jwks_uri_differs",

    E::EmailInvalid => UNPROCESSABLE_ENTITY "email_invalid",
    E::EmailDomainNotAllowed => UNPROCESSABLE_ENTITY "email_domain_not_allowed",
    E::MemberExists => CONFLICT "member_exists",
    E::MemberLimitReached => CONFLICT "member_limit_reached",
    E::MemberWithoutEmail => CONFLICT "member_without_email",
    E::LinkTaken => CONFLICT "link_taken",
    E::StatusInvalid(_) => UNPROCESSABLE_ENTITY "status_invalid",

    E::SetupTokenInvalid => UNPROCESSABLE_ENTITY "setup_token_invalid",
    E::SetupLinkInvalid => GONE "setup_link_invalid",
    E::LinkLifetimeInvalid => UNPROCESSABLE_ENTITY "valid_for_invalid",
    E::TooManySetupLinks => CONFLICT "too_many_setup_links",
    E::TokenLifetimeInvalid => UNPROCESSABLE_ENTITY "valid_for_invalid",
    E::ScimTokenNameTaken => CONFLICT "name_taken",
    E::TooManyScimTokens => CONFLICT "too_many_scim_tokens",
    E::ConsoleOff => CONFLICT "console_off",
    E::KillTargetInvalid(_) => UNPROCESSABLE_ENTITY "kill_target_invalid",
    E::KillReasonInvalid => UNPROCESSABLE_ENTITY "reason_invalid",
    E::NoSuchTeamspace(_) | E::NoSuchToken | E::NoSuchKey => NOT_FOUND "not_found",
    E::KeySigns => CONFLICT "key_signs",

    E::NotInForce(_) | E::Store(_) | E::Signing(_) | E::NoEntropy(_) | E::BrokenOff(_) =>
        SERVICE_UNAVAILABLE "unavailable",
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        let (status, code) = wire(&error);
        let problem = |text: String| Self::new(status, code, text);
        match error {
            AdminError::NotInForce(ref cause) => Self::unavailable(cause).detail(error.to_string()),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Self::unavailable(&error),
            AdminError::Limited(limited) => {
                problem(error.to_string()).header(Header::RetryAfter, limited.retry_after.to_string())
            }
            AdminError::NotAcceptable(failed) => {
                Self::new(status, failed.code, failed.message).with("checks", json!(failed.checks))
            }
            AdminError::NamedInPolicies(ref policies) => {
                problem(error.to_string()).with("policies", json!(policies))
            }
            error => problem(error.to_string()),
        }
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        AdminError::from(limited).into()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::unavailable(&error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let (Some(object), Some(member)) = (body.as_object_mut(), self.member) {
            object.insert(member.0.to_owned(), member.1);
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let header =
            self.header.and_then(|(header, value)| Some((header, HeaderValue::try_from(&*value).ok()?)));
        if let Some((header, value)) = header {
            headers.insert(header.name(), value);
        }
        let mut response = (self.status, headers, body.to_string()).into_response();
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}
