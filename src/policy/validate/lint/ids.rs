//! Impossible entity ids: a comparison with one never holds.

use cedar_policy::EntityUid;

use crate::model::teamspace::is_slug;
use crate::policy::facts::{is_group, is_teamspace, is_user};
use crate::policy::source::parse::Placed;
use crate::policy::source::problem::{PolicyProblem, Rule};

/// Every impossible entity that a policy names.
pub(super) fn impossible_ids(placed: &Placed<'_>) -> Vec<PolicyProblem> {
    let mut problems = Vec::new();
    for entity in placed.policy.entity_literals() {
        let Some((why, help)) = impossible(&entity) else { continue };
        let message = format!("{}: {entity} can never be: {why}", placed.id());
        let mut places: Vec<_> = placed.places_of(&entity).collect();
        if places.is_empty() {
            places.push(placed.span.clone());
        }
        problems.extend(
            places
                .into_iter()
                .map(|place| PolicyProblem::at(Rule::IdImpossible, placed.file, place, &message).help(&help)),
        );
    }
    problems
}

/// Why the entity is impossible, and what to write instead.
fn impossible(entity: &EntityUid) -> Option<(&'static str, String)> {
    let id = entity.id().unescaped();
    if is_group(entity) {
        return match id.split_once('/') {
            Some((slug, group)) if is_slug(slug) && !group.is_empty() => None,
            Some((slug, group)) if !is_slug(slug) => {
                let help = format!("write Group::\"<teamspace>/{group}\" with a teamspace's slug");
                Some(("what stands before the / is no teamspace's slug", help))
            }
            Some(_) => Some(("no group has an empty name", "write the group's name after the /".to_owned())),
            None => {
                let help = format!("write Group::\"<teamspace>/{id}\", such as Group::\"acme/{id}\"");
                Some(("a group's id begins with its teamspace", help))
            }
        };
    }
    if is_teamspace(entity) && !is_slug(id) {
        let help = "write the slug: 1 to 63 characters of a-z, 0-9 and -, and no - at its ends";
        return Some(("a teamspace's id is its slug", help.to_owned()));
    }
    if is_user(entity) && id.matches('|').count() < 2 {
        let help = "write User::\"<iss>|<tenant>|<sub>\"; the tenant is often empty: User::\"https://idp.example||dana\"";
        return Some(("a user's id has the issuer, the tenant and the subject", help.to_owned()));
    }
    None
}
