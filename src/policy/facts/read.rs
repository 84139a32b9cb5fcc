//! How much of each fact the policies of a set read.

use super::custom::CustomRecord;
use super::kinds::*;
use super::table::{claim_facts, moment_facts, request_facts};

macro_rules! read {
    (
        [$(#[$about:meta])* $struct:ident]
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($dclass:ident $dname:ident => $dneed:ident $dkind:ident in $dplace:ident = $read:expr, $dfrom:literal;)* }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub(in crate::policy) struct $struct {
            $(pub $name: Access,)*
            $(pub $dname: Access,)*
        }

        impl $struct {
            /// Reads everything.
            pub const EVERYTHING: Self = Self { $($name: Access::Value,)* $($dname: Access::Value,)* };

            /// Notes that an attribute is read; false if there is none with this name.
            pub fn add(&mut self, attribute: &str, access: Access) -> bool {
                let all = [
                    $((stringify!($name), <$kind as FactKind>::TYPE, <$kind as FactKind>::MOST, &mut self.$name),)*
                    $((stringify!($dname), <$dkind as FactKind>::TYPE, <$dkind as FactKind>::MOST, &mut self.$dname),)*
                ];
                let known = all.into_iter().find(|(name, kind, ..)| *name == attribute && !kind.is_empty());
                known.is_some_and(|(_, _, most, read)| {
                    *read = (*read).max(access.min(most));
                    true
                })
            }
        }
    };
}

claim_facts!(read
    /// The facts of `context.claims` that are read.
    ReadClaims);
moment_facts!(read
    /// The facts about the time that are read.
    ReadMoment);
request_facts!(read
    /// The facts of the rest of the context that are read.
    ReadRequest);
