//! The scenarios: which database, who signs in, and how many at once.

use clap::ValueEnum;

use crate::assertions::Who;
use crate::number;

/// The scenarios that can be measured, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// SQLite on disk, 32 connections (`LOAD_CONNECTIONS`), known members.
    Durable,
    /// The same with 128 connections.
    #[value(name = "connections-128")]
    Connections128,
    /// The same with 50 requests a second, evenly spaced.
    #[value(name = "paced-50")]
    Paced50,
    /// Each assertion is another person's, who becomes a member.
    FirstSignIns,
    /// The database file in memory: what durability costs.
    InMemory,
    /// A policy reads the time, so that no decision can be remembered.
    NotRemembered,
    /// Twice as many requests as can be served.
    Overload,
    /// One million exchanges: what stays in memory.
    Million,
    /// Clients and tokens with keys: `private_key_jwt` and DPoP, beside exchanges without.
    WithKeys,
    /// Introspection of access tokens, and the memory of a million revocations.
    Introspection,
    /// Forward-auth of access tokens.
    ForwardAuth,
    /// PostgreSQL on the driver's core.
    Postgres,
    /// Two servers of one PostgreSQL database, both on one core.
    PostgresReplicas,
}

/// Where the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Disk,
    Memory,
    Postgres,
}

/// The endpoint that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Introspection,
    ForwardAuth,
}

/// How requests come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    Saturated {
        connections: usize,
    },
    Paced {
        per_second: u32,
    },
    Overload,
    /// Exchanges with keys and without, by turns.
    WithKeys,
    /// Checks of access tokens in place of exchanges.
    Checks(Endpoint),
}

/// A scenario in full.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub place: Place,
    pub who: Who,
    pub load: Load,
    pub exchanges: usize,
    pub replicas: u16,
}

impl Scenario {
    /// Its name on the command line and in the results.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Describes the scenario, with the number of exchanges where that is free.
    pub fn plan(self, exchanges: usize, quick: bool) -> Plan {
        let load = Load::Saturated { connections: number("LOAD_CONNECTIONS", 32) };
        let usual = Plan { place: Place::Disk, who: Who::Regulars, load, exchanges, replicas: 1 };
        match self {
            Self::Durable => usual,
            Self::Connections128 => Plan { load: Load::Saturated { connections: 128 }, ..usual },
            Self::Paced50 => {
                let seconds = if quick { 10 } else { 60 };
                Plan { load: Load::Paced { per_second: 50 }, exchanges: 50 * seconds, ..usual }
            }
            Self::FirstSignIns => Plan { who: Who::Everybody, ..usual },
            Self::InMemory => Plan { place: Place::Memory, ..usual },
            Self::NotRemembered => Plan { who: Who::Apart, ..usual },
            Self::Overload => Plan { load: Load::Overload, ..usual },
            Self::Million => Plan { exchanges: 1_000_000, ..usual },
            Self::WithKeys => Plan { load: Load::WithKeys, ..usual },
            Self::Introspection => Plan { load: Load::Checks(Endpoint::Introspection), ..usual },
            Self::ForwardAuth => Plan { load: Load::Checks(Endpoint::ForwardAuth), ..usual },
            Self::Postgres => Plan { place: Place::Postgres, ..usual },
            Self::PostgresReplicas => Plan { place: Place::Postgres, replicas: 2, ..usual },
        }
    }
}
