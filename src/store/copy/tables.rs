//! The tables to copy, in the order of their references.

/// A table of both databases.
#[derive(Debug)]
pub struct Table {
    /// The table's name, the same in both databases.
    pub name: &'static str,
    /// The number of leading columns that form its primary key.
    key: usize,
    /// The names of the columns: numbers are marked with `#`, booleans with `?`, and the others are texts.
    columns: &'static str,
    /// Rows in one transaction: enough to make the round trip negligible, and few enough for memory.
    pub(super) batch: usize,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text; in the policies' and logs' tables JSON as well.
    Text,
    /// An integer of 64 bits.
    Number,
    /// An integer 0 or 1 in SQLite, and a boolean in PostgreSQL.
    Boolean,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The column's name, the same in both databases.
    pub name: &'static str,
    /// The type of its values.
    pub kind: ColumnKind,
}

/// Rows in a batch when most have about a kilobyte, and a few twenty.
const SMALL: usize = 2000;
/// Rows in a batch when each holds a document of up to a megabyte.
const LARGE: usize = 20;

pub(in crate::store) const fn table(name: &'static str, key: usize, columns: &'static str) -> Table {
    Table { name, key, columns, batch: SMALL }
}

const fn of_documents(name: &'static str, key: usize, columns: &'static str) -> Table {
    Table { name, key, columns, batch: LARGE }
}

/// The log whose older rows may contain callers' texts, including NUL.
pub(super) const DECISION_LOG: &str = "sign_ins";

/// `replicas` is left out: it lists processes that serve the other database.
pub const TABLES: [Table; 37] = [
    table("teamspaces", 1, "id slug name plan member_limit# created_at# seats_used# time_zone"),
    table("email_domains", 1, "domain teamspace_id"),
    table(
        "identity_providers",
        1,
        "id teamspace_id name kind issuer tenant jwks_uri scope groups_claim custom_claims enabled? created_at# \
         updated_at# logout_client_id saml_issuer link_by",
    ),
    table(
        "resources",
        1,
        "id identifier normalized name scopes default_scopes teamspaces created_at# required_scopes \
         forward_auth_credentials? tool_policies? dpop_bound_access_tokens?",
    ),
    table("resource_credentials", 1, "client_id resource_id secret_digest created_at# jwks jwks_uri"),
    table(
        "clients",
        1,
        "client_id client_name token_endpoint_auth_method grant_types client_groups enabled? created_at# jwks \
         jwks_uri dpop_bound_access_tokens?",
    ),
    table("client_secrets", 1, "id client_id secret_digest created_at#"),
    table(
        "members",
        1,
        "id teamspace_id email role status provisioned_by created_at# last_sign_in_at# sessions_ended_at# \
         first_sign_in_at# link",
    ),
    table("identities", 4, "teamspace_id issuer tenant subject member_id"),
    table("used_assertions", 1, "assertion expires_at#"),
    table(
        DECISION_LOG,
        1,
        "id# at# teamspace_id outcome reason detail request_id client_id issuer subject email member_id \
         resource scopes_asked scopes_granted decisions policy_set assertion token_id facts grounds repeated# \
         identity_provider_id",
    ),
    table("sign_in_grounds", 1, "digest decisions facts used_at#"),
    table("signing_keys", 1, "kid alg private_key encrypted? public_jwk created_at# signs_from# number#"),
    table("admin_tokens", 1, "id name token_digest teamspace_id created_at# expires_at#"),
    table(
        "admin_events",
        1,
        "id# at# actor action object teamspace_id request_id old_value new_value actor_kind actor_id address",
    ),
    table(
        "log_seals",
        2,
        "log number# format# last_id# row_count# newest_at# sealed_at# digest key_id code pruned_before#",
    ),
    of_documents("policy_sets", 1, "hash content first_loaded_at# last_in_force_at#"),
    table(
        "shadow_differences",
        1,
        "id# at# request_id teamspace_id policy_set shadow_set actual shadow policies facts",
    ),
    table("shadow_runs", 2, "shadow_set policy_set since# until# evaluated# different# dropped#"),
    table("changes", 1, "generation# kind object at# follows#"),
    table("log_streams", 1, "name last_id# updated_at# holder held_until#"),
    table("provider_checks", 1, "provider_id at# steps"),
    table("issuer_keys", 1, "issuer jwks_uri keys fetched_at# max_age#"),
    table("trust_changes", 2, "provider_id number# at# kind actor request_id old_value new_value"),
    table("sign_in_counts", 3, "teamspace_id hour# reason number#"),
    table("member_exchanges", 3, "month# member_id client_id number#"),
    table("last_assertions", 1, "identity_provider_id at# reason request_id granted_at#"),
    table("policy_counts", 2, "day# policy allowed# refused#"),
    table(
        "console_sessions",
        1,
        "id digest kind email name teamspace_id link_id address created_at# seen_at# expires_at# user_groups browser",
    ),
    table(
        "setup_links",
        1,
        "id digest teamspace_id created_by created_at# expires_at# used_at# used_from revoked_at#",
    ),
    table("console_finished_sign_ins", 1, "digest expires_at#"),
    table("console_setup_tokens", 1, "digest created_at# expires_at# used_at#"),
    table(
        "revocations",
        1,
        "position# tag# kind object name teamspace_id resource_id issued_until# at# cause request_id",
    ),
    table(
        "token_uses",
        1,
        "token_id introspections# forward_auths# first_used_at# last_used_at# expires_at#",
    ),
    table("kill_switches", 1, "id scope object reason created_by created_at#"),
    table("scim_tokens", 1, "id teamspace_id name token_digest created_at# expires_at# last_used_at#"),
    table(
        "scim_users",
        1,
        "member_id teamspace_id user_name external_id profile created_at# updated_at# deactivated?",
    ),
];

/// Each database's one row made by its migrations. It is replaced when all others are there.
pub const GENERATION: Table = table("generation", 1, "id# value# tag# sweep_horizon# issued_from#");
/// Its first columns as migrations create them; the tag is random.
pub(super) const FIRST_GENERATION: [&str; 2] = ["1", "1"];

/// The tables whose ids the database assigns, rising and never twice.
pub(super) const NUMBERED: [&str; 3] = [DECISION_LOG, "admin_events", "shadow_differences"];

/// Every table, [`GENERATION`] last.
pub fn all() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().chain(std::iter::once(&GENERATION))
}

impl Table {
    /// Its columns, those of the key first.
    pub fn columns(&self) -> Vec<Column> {
        let column = |word: &'static str| match (word.strip_suffix('#'), word.strip_suffix('?')) {
            (Some(name), _) => Column { name, kind: ColumnKind::Number },
            (_, Some(name)) => Column { name, kind: ColumnKind::Boolean },
            _ => Column { name: word, kind: ColumnKind::Text },
        };
        self.columns.split_whitespace().map(column).collect()
    }

    /// The columns of its primary key.
    pub fn key(&self) -> Vec<Column> {
        let mut columns = self.columns();
        columns.truncate(self.key);
        columns
    }

    /// A row's key.
    pub(super) fn key_of(&self, row: &[Option<String>]) -> Vec<String> {
        row.iter().take(self.key).flatten().cloned().collect()
    }
}
