//! The custom claims that a schema declares: the deployment's own part of it.

use std::collections::BTreeMap;

use super::{Attribute, Attributes, Type, Vocabulary};
use crate::model::identity_provider::ClaimType;
use crate::policy::facts::{DeclaredClaims, MAX_DECLARED};

impl Vocabulary {
    /// The custom claims, or what is wrong with one of them.
    pub fn custom_claims(&self) -> Result<DeclaredClaims, String> {
        let mut claims = BTreeMap::new();
        for (record, custom) in self.actions.values().filter_map(|action| records(&action.context)) {
            for (name, attribute) in custom {
                if record.contains_key(name) {
                    return Err(format!(
                        "`{name}` of CustomClaims: policies have it as `context.claims.{name}`"
                    ));
                }
                claims.insert(name.clone(), claim_type(name, attribute)?);
            }
        }
        match claims.len() {
            count if count > MAX_DECLARED => {
                Err(format!("CustomClaims declares {count} claims; the limit is {MAX_DECLARED}"))
            }
            _ => Ok(DeclaredClaims::new(claims)),
        }
    }
}

fn claim_type(name: &str, Attribute { kind, required, .. }: &Attribute) -> Result<ClaimType, String> {
    if *required {
        return Err(format!("`{name}` of CustomClaims must be optional; write `{name}?: {kind}`"));
    }
    match kind.to_string().as_str() {
        "String" => Ok(ClaimType::Text),
        "Long" => Ok(ClaimType::Long),
        "Bool" => Ok(ClaimType::Boolean),
        "Set<String>" => Ok(ClaimType::Texts),
        other => {
            Err(format!("`{name}` of CustomClaims is `{other}`; it can be String, Long, Bool or Set<String>"))
        }
    }
}

/// The record of the claims, and the record of custom claims in it.
fn records(context: &Attributes) -> Option<(&Attributes, &Attributes)> {
    let Type::Record { record, .. } = &context.get("claims")?.kind else { return None };
    let Type::Record { record: custom, .. } = &record.get("custom")?.kind else { return None };
    Some((record, custom))
}

/// Takes the custom claims out of a context.
pub(super) fn forget(context: &mut Attributes) {
    if let Some(Attribute { kind: Type::Record { record, .. }, .. }) = context.get_mut("claims")
        && let Some(Attribute { kind: Type::Record { record: custom, .. }, .. }) = record.get_mut("custom")
    {
        custom.clear();
    }
}
