//! A user as SCIM shows them.

use serde_json::{Value, json};

use crate::admin::members::{Bound, view};
use crate::model::member::Member;
use crate::random::{digest, short_digest};
use crate::scim::UserDocument;
use crate::store::scim_users::ScimUser;

/// A user: the member, and what the identity provider says about them.
#[derive(Debug, Clone)]
pub struct Provisioned {
    /// The identity provider's record of the person.
    pub user: ScimUser,
    /// The member whom the user is.
    pub member: Member,
}

impl Provisioned {
    /// Whether the member may sign in, whoever decided that.
    pub fn is_active(&self) -> bool {
        self.member.status.holds_seat()
    }

    /// The `version` of RFC 7643 §3.1, which changes with every attribute.
    pub fn version(&self) -> String {
        let ScimUser { user_name, external_id, profile, .. } = &self.user;
        let content = json!([user_name, external_id, profile, self.is_active()]).to_string();
        format!("W/\"{}\"", short_digest(&digest(&content)))
    }

    /// Whether the value of an `If-Match` or `If-None-Match` header names the version, or any.
    pub fn is_named_in(&self, header: &str) -> bool {
        let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let version = bare(&self.version());
        header.split(',').map(bare).any(|tag| tag == "*" || tag == version)
    }

    /// The latest document from the identity provider.
    pub(super) fn document(&self) -> UserDocument {
        UserDocument::kept(&self.user.profile, self.user.external_id.as_deref())
    }
}

/// A member with the names that SCIM has for them, as the audit log keeps them.
pub(super) fn audited(bound: &Bound, user: Option<&ScimUser>) -> Value {
    let mut shown = view(bound);
    if let (Some(shown), Some(user)) = (shown.as_object_mut(), user) {
        shown.insert("user_name".to_owned(), json!(user.user_name));
        shown.insert("external_id".to_owned(), json!(user.external_id));
    }
    shown
}
