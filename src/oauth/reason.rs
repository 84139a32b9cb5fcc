//! The reasons for a refusal. One table says of each which check gives it, which codes it has on the wire, who can
//! fix it, and how.

use std::borrow::Cow;
use std::fmt;

use super::check::Check;
use super::code::ErrorCode;
use crate::text_enum::text_enum;

/// A stable reason code of the decision log; policies add their own with `@reason`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Reason(Cow<'static, str>);

text_enum! {
    /// Somebody who can fix a refusal.
    Fixer {
        /// Whoever develops or configures the client.
        ClientDeveloper = "client_developer",
        /// Whoever administers the identity provider.
        IdentityProviderAdministrator = "identity_provider_administrator",
        /// Whoever has an admin token of the teamspace.
        TeamspaceAdministrator = "teamspace_administrator",
        /// Whoever runs Countersign.
        Operator = "operator",
        /// Whoever writes the policies.
        PolicyAuthor = "policy_author",
        /// Whoever looks into what may be an attack.
        SecurityTeam = "security_team",
        /// The person who signs in.
        Person = "person",
        /// It passes by itself: try again later.
        Nobody = "nobody",
    }
}

/// A reason, explained.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
#[schema(as = Reason)]
pub struct About {
    /// The reason's text.
    pub reason: &'static str,
    /// The checks that give it; none where no assertion is looked at.
    pub checks: &'static [Check],
    /// Its codes on the wire, the usual one first.
    #[schema(value_type = Vec<String>)]
    pub codes: &'static [ErrorCode],
    /// Who can fix it, the likeliest first.
    #[serde(rename = "who")]
    pub fixers: &'static [Fixer],
    /// The event in one sentence.
    pub meaning: &'static str,
    /// One sentence about what to do.
    pub what_to_do: &'static str,
}

/// One row for each reason:
/// `NAME = "reason" [checks] [codes] [who can fix it] "what happened" "what to do";`
macro_rules! reasons {
    (
        service { $($name:ident = $row:tt;)+ }
        policies { $($policy_row:tt;)+ }
    ) => {
        impl Reason {
            $(reasons!(@constant $name $row);)+

            /// Every reason that the service itself gives.
            pub const ALL: &'static [&'static str] = &[$(reasons!(@text $row)),+];

            /// The table: the service's own reasons, then those that only the shipped policies give.
            pub const TABLE: &'static [About] = &[
                $(reasons!(@about $row),)+
                $(reasons!(@about $policy_row),)+
            ];
        }
    };
    (@constant $name:ident ($text:literal $($rest:tt)*)) => {
        #[doc = concat!("`", $text, "`")]
        pub const $name: Self = Self(Cow::Borrowed($text));
    };
    (@text ($text:literal $($rest:tt)*)) => { $text };
    (@about ($text:literal
        [$($check:ident)*] [$($code:ident)*] [$($fixer:ident)*]
        $meaning:literal $what_to_do:literal
    )) => {
        About {
            reason: $text,
            checks: &[$(Check::$check),*],
            codes: &[$(ErrorCode::$code),*],
            fixers: &[$(Fixer::$fixer),*],
            meaning: $meaning,
            what_to_do: $what_to_do,
        }
    };
}

reasons! {
    service {
        REQUEST_MALFORMED = ("request_malformed" [] [InvalidRequest InvalidScope BodyTooLarge Timeout] [ClientDeveloper]
            "not a form, too large or too slow; a parameter is missing, repeated or in the URL"
            "Send each parameter once, as a form in the body.");
        CLIENT_UNKNOWN = ("client_unknown" [Client] [InvalidClient] [Operator ClientDeveloper]
            "no client has this id"
            "Register the client, or correct its id.");
        CLIENT_AUTH_FAILED = ("client_auth_failed" [Client] [InvalidClient] [ClientDeveloper Operator]
            "wrong secret, a client assertion that is not good (`detail` says why), neither of them, or another method than the \
             client's"
            "Use the current secret or key; make a new secret with `POST /clients/{id}/secrets`, or correct the client's `jwks`.");
        CLIENT_ASSERTION_REPLAYED = ("client_assertion_replayed" [SingleUse] [InvalidClient] [ClientDeveloper SecurityTeam]
            "the client assertion was used before, or is so old that nobody can tell (see `detail`); it is good once"
            "Sign a new client assertion for each request; if the client does, find out who else had this one.");
        CLIENT_KEYS_UNREACHABLE = ("client_keys_unreachable" [Client] [TemporarilyUnavailable] [ClientDeveloper Operator]
            "the client's `jwks_uri` cannot be fetched, and none of its keys are cached"
            "Find the cause in the log line or with `countersign doctor`; often it is the network.");
        CLIENT_DOCUMENT_UNUSABLE = ("client_document_unusable" [Client] [InvalidClient TemporarilyUnavailable] [ClientDeveloper Operator]
            "the client's metadata document cannot be fetched, or does not hold to the rules; `detail` says which"
            "Correct the document, which is at the URL that is the client's id.");
        CLIENT_PUBLIC = ("client_public" [Client] [UnauthorizedClient] [ClientDeveloper Operator]
            "the client has no credentials, and this server does not let it do without"
            "Have the client use `private_key_jwt`, or let it do without: register it with `none`, or add its URL to \
             `client_documents.public`.");
        CLIENT_BLOCKED = ("client_blocked" [Client] [InvalidClient] [Operator]
            "the client is disabled; a policy of yours may give it as `access_denied`"
            "Enable it with `PATCH /clients/{id}` `{\"enabled\":true}`.");
        GRANT_UNSUPPORTED = ("grant_unsupported" [Client] [UnauthorizedClient UnsupportedGrantType] [ClientDeveloper Operator]
            "another grant than JWT bearer, or the client is not registered for it"
            "Use the JWT bearer grant, and add it to the client's `grant_types`.");
        ASSERTION_MALFORMED = ("assertion_malformed" [Format] [InvalidGrant] [ClientDeveloper]
            "not a signed JWT in compact form, too long, encrypted, with repeated names or `crit`"
            "Send the ID-JAG as the identity provider issued it.");
        TYP_WRONG = ("typ_wrong" [Format] [InvalidGrant] [ClientDeveloper]
            "another token, often the ID token"
            "Exchange the ID token for an ID-JAG at the identity provider first.");
        ALG_NOT_ALLOWED = ("alg_not_allowed" [Format] [InvalidGrant] [IdentityProviderAdministrator]
            "not RS256, PS256, ES256, ES384 or EdDSA (`Ed25519`)"
            "Have ID-JAGs signed with an allowed algorithm.");
        ISSUER_UNKNOWN = ("issuer_unknown" [Issuer] [InvalidGrant] [TeamspaceAdministrator]
            "no teamspace has exactly this `iss`"
            "Compare it with the saved issuer: slash, path, host.");
        ISSUER_DISABLED = ("issuer_disabled" [Issuer Tenant] [InvalidGrant] [TeamspaceAdministrator]
            "the identity provider is disabled here"
            "Enable it: `PATCH` the identity provider with `{\"enabled\":true}`.");
        ISSUER_UNREACHABLE = ("issuer_unreachable" [Key] [TemporarilyUnavailable] [Operator IdentityProviderAdministrator]
            "the issuer's keys cannot be fetched, and none are cached"
            "Find the cause in the log line, or by checking the identity provider (`POST …/check`); often it is the network.");
        KID_UNKNOWN = ("kid_unknown" [Key] [InvalidGrant] [TeamspaceAdministrator IdentityProviderAdministrator]
            "the issuer publishes no fitting key of this `kid`; `detail` says which keys it has, or what is wrong with this one"
            "Wait 30 s after a key rotation; if the `jwks_uri` moved, save the identity provider again.");
        SIGNATURE_BAD = ("signature_bad" [Signature] [InvalidGrant] [ClientDeveloper IdentityProviderAdministrator SecurityTeam]
            "the assertion was altered, or signed by somebody else"
            "Send the ID-JAG unchanged; if it was, find out who made it.");
        AUD_MISMATCH = ("aud_mismatch" [Audience] [InvalidGrant] [IdentityProviderAdministrator]
            "`aud` is not Countersign's issuer alone"
            "Enter Countersign's issuer URL at the resource app exactly; `detail` says if it differs by a slash.");
        CLIENT_ID_MISMATCH = ("client_id_mismatch" [ClientBinding] [InvalidGrant] [IdentityProviderAdministrator SecurityTeam]
            "the assertion was issued to another client than the one that authenticated"
            "Enter the client id that is registered here; if it is there, find out how the client got the assertion.");
        EXPIRED = ("expired" [Times SingleUse Token] [InvalidGrant] [ClientDeveloper Operator]
            "past `exp`, past the provider's `session_expiry`, or so old that nobody can tell whether it was used (see `detail`)"
            "Ask for a new assertion, and compare the clocks.");
        NOT_YET_VALID = ("not_yet_valid" [Times] [InvalidGrant] [Operator IdentityProviderAdministrator]
            "`iat` or `nbf` is in the future"
            "Set the clocks of both sides by NTP.");
        LIFETIME_TOO_LONG = ("lifetime_too_long" [Times] [InvalidGrant] [IdentityProviderAdministrator Operator]
            "valid longer than `assertion.max_lifetime`"
            "Shorten the lifetime of ID-JAGs, or raise the setting.");
        CLAIM_MISSING = ("claim_missing" [Claims Proof Member] [InvalidGrant] [IdentityProviderAdministrator]
            "a required claim is absent; `detail` says which"
            "Have the claim added to ID-JAGs.");
        CLAIM_MALFORMED = ("claim_malformed" [Claims Scopes Member Policies] [InvalidGrant] [IdentityProviderAdministrator]
            "a claim cannot be read and is needed, also by a policy ([which, when](policies.md#known-absent-not-known)); \
             `detail` says what was expected and what came"
            "Correct the claim at the identity provider.");
        REPLAYED = ("replayed" [SingleUse] [InvalidGrant] [ClientDeveloper SecurityTeam]
            "used before; an assertion is good once"
            "Get a new assertion for each exchange; if the client does, find out who else had this one.");
        RESOURCE_MISSING = ("resource_missing" [Resource] [InvalidTarget] [ClientDeveloper Operator]
            "no MCP server is named and there is not exactly one, or several are named"
            "Send `resource`, or offer the teamspace just one server.");
        RESOURCE_NOT_ALLOWED = ("resource_not_allowed" [Resource Policies] [InvalidTarget InvalidGrant] [Operator ClientDeveloper]
            "the MCP server is not registered, not offered to the teamspace, or not in the assertion"
            "Check `identifier` and `teamspaces` of the resource, and what the client asks for.");
        SCOPE_UNKNOWN = ("scope_unknown" [Scopes Policies] [InvalidGrant InvalidScope] [IdentityProviderAdministrator Operator]
            "the MCP server has no such scope"
            "Use the same names at the identity provider and at the resource.");
        SCOPE_NOT_AUTHORIZED = ("scope_not_authorized" [Policies] [InvalidScope] [IdentityProviderAdministrator TeamspaceAdministrator]
            "the identity provider did not authorize the scope"
            "Authorize it at the identity provider, or use a scope setting.");
        SCOPE_NOT_IN_SETTING = ("scope_not_in_setting" [Policies] [InvalidScope] [TeamspaceAdministrator]
            "the scope setting leaves the scope out"
            "Add it to `scope` of the identity provider.");
        KILL_SWITCH = ("kill_switch" [KillSwitch] [AccessDenied] [Operator]
            "an operator threw a kill switch: for everything, the teamspace, the issuer, the client or the MCP server"
            "Find out why with `countersign kill-switch list`; when the cause is gone, lift it with `countersign kill-switch off`.");
        EMAIL_MISSING = ("email_missing" [Policies] [InvalidGrant] [IdentityProviderAdministrator ClientDeveloper]
            "a first sign-in without an email"
            "Release `email` at the identity provider, and have the client request it at sign-in.");
        MEMBER_INACTIVE = ("member_inactive" [Policies] [AccessDenied] [TeamspaceAdministrator]
            "the member is suspended or was removed"
            "Reactivate the member with `PATCH` `{\"status\":\"active\"}`, or invite them again.");
        MEMBER_LIMIT_REACHED = ("member_limit_reached" [Policies] [AccessDenied] [Operator TeamspaceAdministrator]
            "no seat is free"
            "Raise `member_limit`, or suspend or remove somebody.");
        SUBJECT_CONFLICT = ("subject_conflict" [Member] [InvalidGrant] [TeamspaceAdministrator SecurityTeam]
            "the email, `aud_sub`, `sub_id` or the value of `link_by` is a member's who is bound to another subject, or known by \
             another value"
            "If it is the same person, unlink the member with `PATCH` `{\"identities\":[]}`.");
        LINK_CLAIM_UNUSABLE = ("link_claim_unusable" [Member] [InvalidGrant] [IdentityProviderAdministrator TeamspaceAdministrator]
            "the claim that the identity provider has as `link_by` is missing or malformed; `detail` says which"
            "Have the claim added to ID-JAGs, or set `link_by` of the identity provider to null.");
        ACCOUNT_UNKNOWN = ("account_unknown" [Member] [InvalidGrant] [IdentityProviderAdministrator TeamspaceAdministrator]
            "`link_by` is `aud_sub`, the subject is not known, and `aud_sub` is the id of no member of the teamspace"
            "Invite the member, and enter their id at the identity provider.");
        TENANT_MISMATCH = ("tenant_mismatch" [Tenant] [InvalidGrant] [IdentityProviderAdministrator TeamspaceAdministrator]
            "`aud_tenant` is not the teamspace's slug, or no identity provider with this issuer takes the `tenant`"
            "Compare the teamspace's slug and the `tenant` of the saved identity provider with the assertion's claims.");
        SESSION_REVOKED = ("session_revoked" [Session] [InvalidGrant] [Person]
            "the sign-in may be older than the end of the member's sessions, by `assertion.clock_skew`"
            "Wait a minute, then sign in again at the identity provider.");
        CNF_UNSUPPORTED = ("cnf_unsupported" [Claims] [InvalidGrant] [IdentityProviderAdministrator]
            "bound by a `cnf` that is not exactly one `jkt` or one public `jwk`, such as a certificate"
            "Have ID-JAGs bound to a DPoP key (`cnf.jkt`), or to none.");
        PROOF_INVALID = ("proof_invalid" [Proof] [InvalidDpopProof] [ClientDeveloper]
            "the `DPoP` header is not one good proof; `detail` says why"
            "Make a new proof for each request, for `POST` and the token endpoint's URL, with a key of an allowed algorithm.");
        PROOF_NONCE_NEEDED = ("proof_nonce_needed" [Proof] [UseDpopNonce] [ClientDeveloper]
            "`dpop.require_nonce` is on, and the proof has no fresh `nonce`; `detail` says whether it has an old one"
            "Nothing, if it happens once in a while: the client makes a new proof with the `DPoP-Nonce` of the answer and sends the request again.");
        PROOF_MISSING = ("proof_missing" [Proof] [InvalidGrant] [ClientDeveloper]
            "the assertion is bound to a key (`cnf`), and there is no `DPoP` header"
            "Send a proof with that key in the header `DPoP`.");
        PROOF_REQUIRED = ("proof_required" [Proof] [InvalidGrant] [ClientDeveloper Operator]
            "the resource or the client has `dpop_bound_access_tokens`, and there is no `DPoP` header; `detail` says which"
            "Send a DPoP proof with each request, or have the setting turned off.");
        PROOF_MISMATCH = ("proof_mismatch" [Proof] [InvalidGrant] [ClientDeveloper SecurityTeam]
            "the proof was made with another key than the one that the assertion names"
            "Use the key for which the identity provider issued the ID-JAG; if the client does, find out who else had the ID-JAG.");
        PROOF_REPLAYED = ("proof_replayed" [SingleUse] [InvalidDpopProof] [ClientDeveloper SecurityTeam]
            "the proof was used before, or is so old that nobody can tell (see `detail`); it is good once"
            "Make a new proof with a new `jti` for each request; if the client does, find out who else had this one.");
        DETAILS_MALFORMED = ("authorization_details_malformed" [Claims] [InvalidGrant InvalidAuthorizationDetails] [IdentityProviderAdministrator ClientDeveloper]
            "`authorization_details`, in the assertion or in the request, are not 1 to 16 objects with a `type`, together at most 4 KiB"
            "Correct them as `detail` says; leave them out where there are none.");
        DETAILS_TYPE_UNKNOWN = ("authorization_details_type_unknown" [Scopes] [InvalidGrant InvalidAuthorizationDetails] [IdentityProviderAdministrator ClientDeveloper Operator]
            "`authorization_details` have a type that is not registered here"
            "Use one of the types that `authorization_details_types_supported` of the metadata lists, or have this one registered.");
        DETAILS_UNFIT = ("authorization_details_unfit" [Scopes] [InvalidGrant InvalidAuthorizationDetails] [IdentityProviderAdministrator ClientDeveloper]
            "`authorization_details` have an entry that does not fit the schema of its type"
            "Correct it as `detail` says.");
        DETAILS_ELSEWHERE = ("authorization_details_elsewhere" [Scopes] [InvalidGrant InvalidAuthorizationDetails] [IdentityProviderAdministrator ClientDeveloper]
            "`locations`, or the `server` of an `mcp_tool`, is not the resource that the token is for, nor below it"
            "Name the resource's own address, or leave them out.");
        DETAIL_NOT_AUTHORIZED = ("detail_not_authorized" [Policies] [InvalidAuthorizationDetails AccessDenied] [ClientDeveloper IdentityProviderAdministrator]
            "an authorization detail that the identity provider did not authorize"
            "Request less, or have the identity provider authorize it.");
        POLICY_DENIED = ("policy_denied" [Policies] [AccessDenied] [PolicyAuthor]
            "no policy permits it, or one that gives no reason of its own; the code is as the policy says"
            "Look at `decisions`, or explain the sign-in with `countersign policy explain`.");
        POLICY_ERROR = ("policy_error" [Policies] [AccessDenied] [PolicyAuthor]
            "a policy could not be evaluated"
            "Find the policy in `decisions` and correct it.");
        RATE_LIMITED = ("rate_limited" [] [TooManyRequests] [Nobody]
            "more requests than `rate_limit` allows"
            "Wait as long as `Retry-After` says.");
        INTERNAL = ("internal" [] [TemporarilyUnavailable ServerError] [Operator Nobody]
            "the database or a key is out of order, or too many write at once; the cause is in the log line"
            "Try again; if it stays, look for the cause in the log line.");
    }
    policies {
        ("email_unverified" [Policies] [InvalidGrant] [IdentityProviderAdministrator]
            "`email_verified` is false, at a first sign-in"
            "Have the person's email verified.");
        ("email_domain_not_allowed" [Policies] [AccessDenied] [Operator]
            "the email's domain is not one of the teamspace's, at a first sign-in"
            "Add the domain to `email_domains`.");
        ("plan_not_enterprise" [Policies] [AccessDenied] [Operator]
            "the teamspace has another plan; 422 on saving an identity provider"
            "Change the teamspace's `plan`.");
        ("issuer_not_configured" [Policies] [InvalidGrant] [PolicyAuthor]
            "the policy `issuer.own`: another issuer than the teamspace's"
            "Look at the policies about trust.");
        ("custom_authorization_server" [Policies] [AccessDenied] [TeamspaceAdministrator]
            "the issuer is an Okta custom server (`/oauth2/…`); 422 on saving an identity provider"
            "Save the org URL as issuer.");
    }
}

/// The entry for reasons that are in no table because the deployment's own policies give them.
static OF_A_POLICY: About = About {
    reason: "",
    checks: &[Check::Policies],
    codes: &[
        ErrorCode::AccessDenied,
        ErrorCode::InvalidGrant,
        ErrorCode::InvalidScope,
        ErrorCode::InvalidTarget,
        ErrorCode::InvalidAuthorizationDetails,
        ErrorCode::InsufficientUserAuthentication,
    ],
    fixers: &[Fixer::PolicyAuthor],
    meaning: "a policy refuses it",
    what_to_do: "Do as the policy's message says, or look at `decisions`.",
};

impl Reason {
    /// A reason that a policy names.
    pub fn of_policy(text: impl Into<String>) -> Self {
        Self(Cow::Owned(text.into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its row of the table.
    pub fn about(&self) -> &'static About {
        Self::TABLE.iter().find(|about| about.reason == self.0).unwrap_or(&OF_A_POLICY)
    }
}

impl About {
    /// Which check failed, of those that had not passed yet; the first of them where the reason tells of none.
    pub fn failed_check(&self, not_passed: Check) -> Check {
        self.checks.iter().copied().find(|check| *check >= not_passed).unwrap_or(not_passed)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
