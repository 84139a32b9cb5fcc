//! The reasons for refusals in the words of the console's readers: what happened, and how to fix it in the console.

/// A reason in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReasonWords {
    pub reason: &'static str,
    /// The event, in one sentence.
    pub sentence: &'static str,
    /// The remedy, in one or two sentences.
    pub fix: &'static str,
    /// The teamspace's page for the fix: the end of its path, and its title.
    pub page: Option<(&'static str, &'static str)>,
}

const ENTERPRISE: Option<(&str, &str)> = Some(("/enterprise", "Enterprise"));
const MEMBERS: Option<(&str, &str)> = Some(("/members", "Members"));
const EXPLAIN: Option<(&str, &str)> = Some(("/explain", "Explain"));

const fn words(
    reason: &'static str,
    sentence: &'static str,
    fix: &'static str,
    page: Option<(&'static str, &'static str)>,
) -> ReasonWords {
    ReasonWords { reason, sentence, fix, page }
}

/// Every reason that the service and the shipped policies give.
const TABLE: [ReasonWords; 60] = [
    words(
        "request_malformed",
        "The request was not one that a client should send.",
        "Send each parameter once, as a form in the body of the request.",
        None,
    ),
    words(
        "client_unknown",
        "No client with this id is registered here.",
        "Register the client, or correct the id in the client's settings.",
        None,
    ),
    words(
        "client_auth_failed",
        "The client did not prove who it is.",
        "Give the client its current secret or key, or make a new one for it.",
        None,
    ),
    words(
        "client_assertion_replayed",
        "The client used an assertion of its own a second time.",
        "Have the client sign a new one for each request. If it does, somebody else has one of them: find out who.",
        None,
    ),
    words(
        "client_keys_unreachable",
        "The client's public keys could not be fetched.",
        "Find out why the address of its keys does not answer. Then try again.",
        None,
    ),
    words(
        "client_document_unusable",
        "The document that describes the client could not be used.",
        "Have the client's developers correct the document, or find out why it cannot be fetched.",
        None,
    ),
    words(
        "client_public",
        "The client has no secret and no key.",
        "Have the client sign its requests with a key, or let it do without one in the configuration.",
        None,
    ),
    words("client_blocked", "The client is switched off.", "Switch the client on again.", None),
    words(
        "grant_unsupported",
        "The client may not exchange assertions.",
        "Use the JWT bearer grant, and add it to the client's grant types.",
        None,
    ),
    words(
        "assertion_malformed",
        "What the client sent is not an assertion.",
        "Have the client send the ID-JAG exactly as the identity provider issued it.",
        None,
    ),
    words(
        "typ_wrong",
        "The client sent another kind of token, often the ID token.",
        "Have the client exchange the ID token for an ID-JAG at the identity provider first.",
        None,
    ),
    words(
        "alg_not_allowed",
        "The assertion is signed in a way that is not accepted.",
        "Have the identity provider sign with RS256, PS256, ES256, ES384 or EdDSA.",
        None,
    ),
    words(
        "issuer_unknown",
        "No teamspace has saved this issuer.",
        "Compare the issuer with the saved one, character by character: a slash at the end, the path, the host.",
        ENTERPRISE,
    ),
    words(
        "issuer_disabled",
        "The identity provider is switched off here.",
        "Switch it on again.",
        ENTERPRISE,
    ),
    words(
        "issuer_unreachable",
        "The identity provider's keys could not be fetched.",
        "Test the connection. Often the network between this service and the identity provider is the cause.",
        ENTERPRISE,
    ),
    words(
        "kid_unknown",
        "The identity provider does not publish the key that the assertion was signed with.",
        "Wait half a minute if keys were rotated. If the identity provider moved its keys, save it again.",
        ENTERPRISE,
    ),
    words(
        "signature_bad",
        "The assertion was changed on its way, or somebody else signed it.",
        "Have the client send the ID-JAG unchanged. If it does, find out who made this one.",
        None,
    ),
    words(
        "aud_mismatch",
        "The assertion is for another server.",
        "Enter this server's issuer at the identity provider exactly as it is shown under Enterprise.",
        ENTERPRISE,
    ),
    words(
        "client_id_mismatch",
        "The assertion was issued to another client.",
        "Enter the client id that is registered here at the identity provider. If it is there, find out how the client got this assertion.",
        ENTERPRISE,
    ),
    words(
        "expired",
        "The assertion is too old.",
        "Have the client ask for a new assertion each time, and compare the clocks.",
        None,
    ),
    words(
        "not_yet_valid",
        "The assertion comes from the future.",
        "Have the clocks of both sides set by NTP.",
        None,
    ),
    words(
        "lifetime_too_long",
        "The assertion is valid for longer than is accepted.",
        "Shorten the lifetime of ID-JAGs at the identity provider.",
        None,
    ),
    words(
        "claim_missing",
        "The assertion lacks a claim that is required.",
        "Have the identity provider add the claim to ID-JAGs.",
        None,
    ),
    words(
        "claim_malformed",
        "A claim of the assertion cannot be read.",
        "Correct the claim at the identity provider.",
        None,
    ),
    words(
        "replayed",
        "This assertion was used before.",
        "Have the client get a new assertion for each exchange. If it does, find out who else had this one.",
        None,
    ),
    words(
        "resource_missing",
        "The request does not say which MCP server it is for.",
        "Have the client send the parameter resource.",
        None,
    ),
    words(
        "resource_not_allowed",
        "This MCP server is not offered to the teamspace.",
        "Offer the MCP server to the teamspace, or correct what the client asks for.",
        None,
    ),
    words(
        "scope_unknown",
        "The MCP server has no such scope.",
        "Use the same names of scopes at the identity provider and here.",
        ENTERPRISE,
    ),
    words(
        "scope_not_authorized",
        "The identity provider did not authorize the scope.",
        "Authorize it at the identity provider, or enter a scope under Enterprise.",
        ENTERPRISE,
    ),
    words(
        "scope_not_in_setting",
        "The scope is left out of the identity provider's scope setting.",
        "Add it to the setting.",
        ENTERPRISE,
    ),
    words(
        "email_missing",
        "The assertion has no email, and the person is new here.",
        "Release the email at the identity provider, and have the client ask for the scope email at sign-in.",
        None,
    ),
    words(
        "member_inactive",
        "This member is suspended or was removed.",
        "Make the member active again, or invite them again.",
        MEMBERS,
    ),
    words(
        "member_limit_reached",
        "All seats of the teamspace are taken.",
        "Suspend or remove somebody who left, or ask for more seats.",
        MEMBERS,
    ),
    words(
        "subject_conflict",
        "The email belongs to a member who signs in as somebody else.",
        "If it is the same person, unlink the member. They are bound anew when they sign in.",
        MEMBERS,
    ),
    words(
        "link_claim_unusable",
        "The assertion lacks the claim by which people are linked to members, or it is malformed.",
        "Have the identity provider send the claim, or choose another one under “Link members by”.",
        ENTERPRISE,
    ),
    words(
        "account_unknown",
        "The assertion names an account that no member here has.",
        "Invite the person, and enter their member id at the identity provider.",
        MEMBERS,
    ),
    words(
        "tenant_mismatch",
        "The assertion is for another teamspace or tenant.",
        "Compare the teamspace's slug and the saved tenant with what the assertion says.",
        ENTERPRISE,
    ),
    words(
        "kill_switch",
        "An operator has stopped these sign-ins with a kill switch.",
        "An operator finds the switch under System, with its reason, and lifts it when the cause is gone.",
        None,
    ),
    words(
        "session_revoked",
        "The member's sessions were ended after this sign-in.",
        "The person waits a minute and signs in again at the identity provider.",
        None,
    ),
    words(
        "cnf_unsupported",
        "The assertion is bound in a way that cannot be checked here, such as to a certificate.",
        "Have the identity provider bind ID-JAGs to a DPoP key (cnf.jkt), or to none.",
        None,
    ),
    words(
        "proof_invalid",
        "The client's DPoP proof is not good.",
        "The client makes a new proof for each request; the detail says what was wrong with this one.",
        None,
    ),
    words(
        "proof_nonce_needed",
        "The client's DPoP proof had no fresh nonce. It gets one and sends the request again.",
        "Nothing, if the client got its token afterwards. If it never does, it cannot deal with nonces.",
        None,
    ),
    words(
        "proof_missing",
        "The assertion is bound to a key, and the client did not prove that it has the key.",
        "The client sends a DPoP proof that is made with the key.",
        None,
    ),
    words(
        "proof_required",
        "The MCP server or the client takes only tokens that are bound to a key, and the client proved none.",
        "The client sends a DPoP proof with each request, or an operator takes the demand back.",
        None,
    ),
    words(
        "proof_mismatch",
        "The assertion is bound to another key than the one that the client has proved.",
        "The client uses the key for which the assertion was issued. If it does, find out who else had the assertion.",
        None,
    ),
    words(
        "proof_replayed",
        "The client's DPoP proof was used before.",
        "The client makes a new proof for each request. If it does, find out who else had this one.",
        None,
    ),
    words(
        "authorization_details_malformed",
        "The authorization details of the request or the assertion cannot be read.",
        "Correct them as it says above.",
        None,
    ),
    words(
        "authorization_details_type_unknown",
        "An authorization detail is of a type that nobody registered here.",
        "Use a type that the metadata of this server lists, or have its operator register this one.",
        None,
    ),
    words(
        "authorization_details_unfit",
        "An authorization detail does not fit the schema of its type.",
        "Correct it as it says above.",
        None,
    ),
    words(
        "authorization_details_elsewhere",
        "An authorization detail is about another MCP server.",
        "Name the address of this MCP server in it, or none.",
        None,
    ),
    words(
        "detail_not_authorized",
        "The identity provider did not authorize an authorization detail that was asked for.",
        "Have the client ask for less, or the identity provider authorize it.",
        None,
    ),
    words(
        "policy_denied",
        "The policies do not permit it.",
        "Look below at the policy that decided and at the facts that it saw.",
        EXPLAIN,
    ),
    words(
        "policy_error",
        "A policy could not be evaluated.",
        "Correct the policy that is named below.",
        None,
    ),
    words(
        "rate_limited",
        "There were too many requests in a short time.",
        "Wait; it passes by itself.",
        None,
    ),
    words(
        "internal",
        "The service could not finish the request.",
        "Try again. If it stays, look for the request id in the service's log.",
        None,
    ),
    words(
        "email_unverified",
        "The identity provider says that the email is not verified.",
        "Have the person's email verified at the identity provider.",
        None,
    ),
    words(
        "email_domain_not_allowed",
        "The email's domain is not one of the teamspace's.",
        "Add the domain to the teamspace's email domains.",
        None,
    ),
    words(
        "plan_not_enterprise",
        "The teamspace is not on the Enterprise plan.",
        "Change the teamspace's plan.",
        None,
    ),
    words(
        "issuer_not_configured",
        "The assertion comes from another issuer than the teamspace's.",
        "Look at the policies about trust.",
        None,
    ),
    words(
        "custom_authorization_server",
        "The issuer is a custom authorization server of Okta's.",
        "Save the address of the Okta organization as issuer, without /oauth2.",
        ENTERPRISE,
    ),
];

/// The words for reasons that a deployment's own policies give.
const OF_A_POLICY: ReasonWords = words(
    "",
    "A policy of this deployment refuses it.",
    "Do as the policy's message says, or look below at the policy and at the facts that it saw.",
    None,
);

/// A reason in words.
pub fn reason_words(reason: &str) -> ReasonWords {
    TABLE.iter().copied().find(|words| words.reason == reason).unwrap_or(OF_A_POLICY)
}
