//! Finds the MCP server that the token is for: RFC 8707, draft §4.4.1.

use std::sync::Arc;

use super::near_miss::{AT_THE_PROVIDER, IN_THE_CLIENT, of_resource};
use crate::model::resource::Resource;
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::oauth::resource::normalize;
use crate::store::snapshot::Snapshot;

fn invalid_target(reason: Reason, description: &'static str) -> TokenError {
    TokenError::new(ErrorCode::InvalidTarget, reason, description)
}

/// The requested resource, and who asks for it.
pub struct ResourceRequest<'a> {
    /// The assertion's `resource` claim; empty when there is none.
    pub claimed: &'a [String],
    /// The request's `resource` parameters.
    pub requested: &'a [String],
    /// The teamspace's slug.
    pub teamspace: &'a str,
}

impl ResourceRequest<'_> {
    /// Finds the one server that the token will be for. Every server that the assertion names must be one of ours and
    /// offered to the teamspace; the request may choose among them.
    pub fn resolve(&self, snapshot: &Snapshot) -> Result<Arc<Resource>, TokenError> {
        let claimed = self.claimed_resources(snapshot)?;
        let requested = self.requested_resource(snapshot)?;
        match (claimed.as_slice(), requested) {
            ([], Some(requested)) => Ok(requested),
            ([], None) => self.only_one(snapshot),
            ([one], None) => Ok(Arc::clone(one)),
            (_, None) => Err(invalid_target(
                Reason::RESOURCE_MISSING,
                "The assertion names several resources; choose one with the resource parameter.",
            )),
            (claimed, Some(requested)) if claimed.iter().any(|r| r.id == requested.id) => Ok(requested),
            (_, Some(_)) => Err(invalid_target(
                Reason::RESOURCE_NOT_ALLOWED,
                "The assertion does not name the requested resource: ask the identity provider for one that does.",
            )),
        }
    }

    fn find(&self, snapshot: &Snapshot, identifier: &str) -> Option<Arc<Resource>> {
        let resource = match snapshot.resource_named(identifier) {
            // The identifier is usually written exactly as registered, so nothing needs to be parsed.
            Some(resource) => resource,
            None => snapshot.resource(&normalize(identifier)?)?,
        };
        resource.is_published_to(self.teamspace).then(|| Arc::clone(resource))
    }

    fn claimed_resources(&self, snapshot: &Snapshot) -> Result<Vec<Arc<Resource>>, TokenError> {
        let find = |identifier: &String| {
            self.find(snapshot, identifier).ok_or_else(|| {
                let text = "The assertion names a resource that is not offered here: compare it with the server's metadata.";
                let detail = of_resource(self.offered(snapshot), identifier, AT_THE_PROVIDER);
                TokenError::invalid_grant(Reason::RESOURCE_NOT_ALLOWED, text).detail(detail)
            })
        };
        self.claimed.iter().map(find).collect()
    }

    /// A token has one audience, so a request that names two servers cannot be met.
    fn requested_resource(&self, snapshot: &Snapshot) -> Result<Option<Arc<Resource>>, TokenError> {
        let mut found: Option<Arc<Resource>> = None;
        for identifier in self.requested {
            let resource = self.find(snapshot, identifier).ok_or_else(|| {
                let text =
                    "The requested resource is not offered here: compare it with the server's metadata.";
                let detail = of_resource(self.offered(snapshot), identifier, IN_THE_CLIENT);
                invalid_target(Reason::RESOURCE_NOT_ALLOWED, text).detail(detail)
            })?;
            if found.as_ref().is_some_and(|other| other.id != resource.id) {
                return Err(invalid_target(
                    Reason::RESOURCE_NOT_ALLOWED,
                    "A token is for one resource; request them one by one.",
                ));
            }
            found = Some(resource);
        }
        Ok(found)
    }

    fn offered<'s>(&self, snapshot: &'s Snapshot) -> impl Iterator<Item = &'s Arc<Resource>> {
        snapshot.resources().filter(|resource| resource.is_published_to(self.teamspace))
    }

    /// Neither the assertion nor the request names a server. That is clear only if the teamspace has just one.
    fn only_one(&self, snapshot: &Snapshot) -> Result<Arc<Resource>, TokenError> {
        let mut offered = self.offered(snapshot);
        match (offered.next(), offered.next()) {
            (Some(resource), None) => Ok(Arc::clone(resource)),
            _ => Err(invalid_target(
                Reason::RESOURCE_MISSING,
                "No resource is named, and there is not exactly one to choose: send the resource parameter.",
            )),
        }
    }
}
