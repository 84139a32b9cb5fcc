//! Who can fix a refusal, in words.

use crate::oauth::reason::{Fixer, Reason};

/// The people who can fix a refusal, the likeliest first, as part of a sentence.
pub fn who(reason: &str) -> String {
    let fixers = Reason::of_policy(reason.to_owned()).about().fixers;
    let names: Vec<&str> = fixers.iter().map(|fixer| fixer_words(*fixer)).collect();
    names.join(", or ")
}

fn fixer_words(fixer: Fixer) -> &'static str {
    match fixer {
        Fixer::ClientDeveloper => "whoever develops or configures the client",
        Fixer::IdentityProviderAdministrator => "an administrator of the identity provider",
        Fixer::TeamspaceAdministrator => "an administrator of the teamspace",
        Fixer::Operator => "an operator of this service",
        Fixer::PolicyAuthor => "whoever writes the policies",
        Fixer::SecurityTeam => "the security team, if nobody can explain it",
        Fixer::Person => "the person who signs in",
        Fixer::Nobody => "nobody needs to: it passes by itself",
    }
}
