//! The decision log's columns, as both databases get them.

use crate::store::sign_ins::NewSignIn;

type LogColumn = (&'static str, fn(&NewSignIn) -> &str);

/// The columns of text that are never null. Before them come `at`, `teamspace_id` and `repeated`.
pub(super) const TEXTS: [LogColumn; 19] = [
    ("outcome", |row| &row.outcome),
    ("reason", |row| &row.reason),
    ("detail", |row| &row.detail),
    ("request_id", |row| &row.request_id),
    ("client_id", |row| &row.client_id),
    ("issuer", |row| &row.issuer),
    ("subject", |row| &row.subject),
    ("email", |row| &row.email),
    ("member_id", |row| &row.member_id),
    ("resource", |row| &row.resource),
    ("scopes_asked", |row| &row.scopes_asked),
    ("scopes_granted", |row| &row.scopes_granted),
    // The body has them.
    ("decisions", |_| ""),
    ("facts", |row| &row.facts),
    ("grounds", |row| row.body.as_ref().map_or("", |body| body.id().as_str())),
    ("policy_set", |row| &row.policy_set),
    ("assertion", |row| &row.assertion),
    ("token_id", |row| &row.token_id),
    ("identity_provider_id", |row| &row.identity_provider_id),
];
