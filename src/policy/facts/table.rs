//! Every fact that policies can see, in one place.
//!
//! A row says of a fact its class, its name, the Rust type in which it is kept, whether policies find it always or
//! maybe, its Cedar type, where they find it, how a test case states it, an example, and where it comes from. Rows
//! under `derived` are computed from other facts by the expression after `=`, and are kept nowhere.
//!
//! The classes:
//! - `shared`: many sign-ins have it in common, and the decision log may keep it once for all of them. It is always
//!   part of the cache's key.
//! - `personal`: about one person. It stays in that person's row of the log, and is part of the cache's key only when
//!   policies read it.
//! - `digested`: personal, and the log keeps digests of it.
//! - `momentary`: about this moment or this request. It is treated as `personal` is.
//!
//! Each macro hands its rows to another macro, which makes one thing of them: the plain data, the Cedar values, the
//! cache's key, what the log keeps in common, the test case's keys, the example, the rows of the documentation. A row
//! that lacks a part fits none of them, and does not compile.

/// The configuration of a teamspace.
macro_rules! teamspace_facts {
    ($project:ident $($argument:tt)*) => {
        $project! {
            [$($argument)*]
            stored {
                shared slug: String => always Hidden in TEAMSPACE,
                    case slug: String, example "acme".to_owned(), "its name";

                shared plan: Plan => always PlanName in TEAMSPACE,
                    case plan: Plan, example Plan::Enterprise, "`plan` of the teamspace";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                shared issuer: Option<String> => maybe IssuerName in TEAMSPACE,
                    case issuer: String, example Some("https://acme.okta.com".to_owned()),
                    "`issuer` of the identity provider that the assertion led to, as saved; in `ConfigureIssuer` the one before";

                #[serde(default, skip_serializing_if = "Vec::is_empty")]
                shared other_issuers: Vec<String> => always Issuers in TEAMSPACE,
                    case other_issuers: Vec<String>, example vec!["https://acme.example.com".to_owned()],
                    "`issuer` of its other identity providers";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                shared identity_provider: Option<String> => maybe Text in TEAMSPACE,
                    case identity_provider: String, example Some("okta-europe".to_owned()),
                    "`id` of the identity provider that the assertion led to";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                shared scope_setting: Option<Vec<String>> => maybe Scopes in TEAMSPACE,
                    case scope_setting: Vec<String>,
                    example Some(vec!["docs.read".to_owned(), "docs.write".to_owned()]),
                    "`scope` of that identity provider; absent when blank";

                #[serde(default, skip_serializing_if = "Vec::is_empty")]
                shared email_domains: Vec<String> => always Texts in TEAMSPACE,
                    case email_domains: LowerCase<Vec<String>>, example vec!["acme.com".to_owned()],
                    "`email_domains` of the teamspace, lower case; empty: any";

                #[serde(default = "utc", skip_serializing_if = "is_utc")]
                shared time_zone: String => always Hidden in TEAMSPACE,
                    case time_zone: TimeZoneName, example "Europe/Berlin".to_owned(),
                    "`time_zone` of the teamspace";
            }
            derived {}
        }
    };
}

/// The client that redeems the assertion.
macro_rules! client_facts {
    ($project:ident $($argument:tt)*) => {
        $project! {
            [$($argument)*]
            stored {
                shared client_id: String => always Hidden in CLIENT,
                    case client_id: String, example "assistant".to_owned(), "its id";

                #[serde(default, skip_serializing_if = "Vec::is_empty")]
                shared groups: Vec<String> => always Hidden in CLIENT,
                    case groups: Vec<String>, example vec!["desktop".to_owned()],
                    "`groups` of its registration";

                shared public: bool => always Flag in CLIENT,
                    case public: bool, example false,
                    "whether it has no credentials: `auth_method` is `none`";

                shared auth_method: AuthMethod => always AuthMethodName in CLIENT,
                    case auth_method: AuthMethod, example AuthMethod::Basic,
                    "how it authenticated: `client_secret_basic`, `client_secret_post`, `private_key_jwt` or `none`";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                shared document_host: Option<String> => maybe Text in CLIENT,
                    case document_host: String, example Some("agent.example.com".to_owned()),
                    "the host of its metadata document; absent for a registered client";
            }
            derived {}
        }
    };
}

/// The claims of the verified assertion.
macro_rules! claim_facts {
    ($project:ident $($argument:tt)*) => {
        $project! {
            [$($argument)*]
            stored {
                shared iss: String => always Hidden in CLAIMS,
                    case iss: String, example "https://acme.okta.com".to_owned(), "`iss`";

                personal sub: String => always Text in CLAIMS,
                    case sub: String, example "00u1a2b3".to_owned(), "`sub`, 1 to 255 bytes";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                shared tenant: Option<String> => maybe Text in CLAIMS,
                    case tenant: String, example Some("acme-prod".to_owned()), "`tenant`";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                shared aud_tenant: Option<String> => maybe Text in CLAIMS,
                    case aud_tenant: String, example Some("acme".to_owned()),
                    "`aud_tenant`; where present, the teamspace's slug";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                personal email: Option<String> => maybe Text in CLAIMS,
                    case email: LowerCase<String>, example Some("dana@acme.com".to_owned()),
                    "`email`, in lower case";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                shared email_verified: Option<bool> => maybe Flag in CLAIMS,
                    case email_verified: bool, example Some(true), "`email_verified`";

                #[serde(default, skip_serializing_if = "Vec::is_empty")]
                shared amr: Vec<String> => always Texts in CLAIMS,
                    case amr: Vec<String>, example vec!["pwd".to_owned(), "mfa".to_owned()],
                    "`amr`; empty without the claim";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                shared acr: Option<String> => maybe Text in CLAIMS,
                    case acr: String, example Some("urn:okta:loa:2fa:any".to_owned()), "`acr`";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                momentary auth_age: Option<i64> => maybe Age in CLAIMS,
                    case auth_age: Age, example Some(900),
                    "now minus `auth_time`, from 0 to a hundred years";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                shared scopes: Option<Vec<String>> => maybe Scopes in CLAIMS,
                    case scope: ScopeList, example Some(vec!["docs.read".to_owned(), "docs.write".to_owned()]),
                    "`scope`; present and empty is not absent";

                #[serde(default, skip_serializing_if = "Vec::is_empty")]
                shared resources: Vec<String> => always Servers in CLAIMS,
                    case resource: OneOrMore, example vec!["https://mcp.example.com/mcp".to_owned()],
                    "`resource`; empty without the claim";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                digested groups: Option<Vec<String>> => maybe Presence in CLAIMS,
                    case groups: Vec<String>, example Some(vec!["docs-editors".to_owned()]),
                    "`context.claims has groups`: whether there is a groups claim, an empty one too. Which groups: `principal in Group::\"…\"`";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                personal act: Option<Actor> => maybe ActorRecord in CLAIMS,
                    case act: Actor, example Some(Actor::example()),
                    "`act`: who acts for the person, such as an agent; see below";

                #[serde(default, skip_serializing_if = "CustomClaims::is_empty")]
                personal custom: CustomClaims => always CustomRecord in CLAIMS,
                    case custom: CustomClaims, example CustomClaims::example(),
                    "the custom claims that the identity provider declares and the policies read, see below";

                #[serde(default, skip_serializing_if = "Vec::is_empty")]
                shared not_known: Vec<OptionalClaim> => always Hidden in CLAIMS,
                    case not_known: Vec<OptionalClaim>, example Vec::new(),
                    "the claims that are there but cannot be taken whole; they look absent";
            }
            derived {
                shared email_domain => maybe Text in CLAIMS = ClaimFacts::email_domain,
                    "what follows its `@`";
            }
        }
    };
}

/// The time, and what follows from it in a teamspace.
macro_rules! moment_facts {
    ($project:ident $($argument:tt)*) => {
        $project! {
            [$($argument)*]
            stored {}
            derived {
                momentary now => always Time in EVERY = LocalMoment::now,
                    "the service's clock, read once for each request";

                momentary weekday => always Number in EVERY = LocalMoment::weekday,
                    "of `now` in UTC: Monday is 1, Sunday 7";

                momentary local_time => always TimeOfDay in EVERY = LocalMoment::local_time,
                    "the time of day by the teamspace's clocks (`time_zone`), to the minute";

                momentary local_weekday => always Number in EVERY = LocalMoment::local_weekday,
                    "the day of the week by the teamspace's clocks";
            }
        }
    };
}

/// The other facts about a request.
macro_rules! request_facts {
    ($project:ident $($argument:tt)*) => {
        $project! {
            [$($argument)*]
            stored {
                shared key_bound: bool => always Flag in EXCHANGE,
                    case key_bound: bool, example true,
                    "whether the token will be bound to a key, which the client has proved with DPoP. Where an assertion is explained: whether the assertion names a key, or the question says so";

                #[serde(default, skip_serializing_if = "Option::is_none")]
                momentary client_address: Option<IpAddr> => maybe Address in EXCHANGE,
                    case client_address: IpAddr, example Some(IpAddr::from([192, 0, 2, 7])),
                    "the caller's address, read as `client_ip_source` says; absent where an assertion is explained. Kept only while a policy reads it";
            }
            derived {
                shared client => always ClientName in EXCHANGE = Facts::client_id,
                    "the client that authenticated; `groups` of its registration";

                personal member_domain => always Text in PERSON = Facts::member_domain,
                    "what follows the `@` of the member's email as stored; at a first sign-in, of the asserted one. Empty without an email";

                personal member_role => always RoleName in PERSON = Facts::member_role,
                    "the member's; at a first sign-in `developer`, which the newcomer becomes";

                shared requested_scopes => maybe Scopes in EXCHANGE = Facts::requested_scopes,
                    "the request's `scope`; absent without one. Kept only while a policy reads it";

                momentary seats_used => always Seats in NEWCOMER = Facts::seats_used,
                    "the teamspace's active and invited members. It is still true when the newcomer is written; newcomers come one after the other where a policy reads it beyond comparing it with `seats_limit`";

                momentary seats_limit => maybe Seats in NEWCOMER = Facts::seats_limit,
                    "`member_limit` of the teamspace; absent: no limit";

                personal status => always StatusName in MEMBER = Facts::status,
                    "the member's";

                personal linking => always Flag in MEMBER = Facts::linking,
                    "whether this sign-in binds the subject to the member who has its email";
            }
        }
    };
}

pub(in crate::policy) use {claim_facts, client_facts, moment_facts, request_facts, teamspace_facts};
