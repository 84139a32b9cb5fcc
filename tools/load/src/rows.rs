//! The rows of the growth generator: an SQL expression of the row's number for each column.
//!
//! A filled sign-in is compact: it names teamspace, outcome, client, subject, member, assertion and token, and
//! leaves the other texts empty, so that 100 million fit on a disk. A real one holds its facts and decisions too.

use countersign::clock::{Clock as _, SystemClock, month_of};
use countersign::store::sign_in_counts::{EVERYWHERE, READER};

use crate::assertions::PEOPLE;
use crate::seed::{CLIENT, TEAMSPACE};

const DAY: i64 = 86_400;
/// Time that is counted: what pages show.
const DAYS: u64 = 28;
/// Reasons that are counted in each hour.
const REASONS: [&str; 11] = [
    "aud_mismatch",
    "client_unknown",
    "email_missing",
    "expired",
    "issuer_unknown",
    "kid_unknown",
    "member_limit_reached",
    "policy_denied",
    "replayed",
    "resource_unknown",
    "signature_bad",
];
/// The characters of a digest, in the order of their bytes.
const CHARACTERS: &str = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

type Values = Vec<(&'static str, String)>;

/// How many rows.
#[derive(Debug, Clone, clap::Args)]
pub struct Size {
    /// Teamspaces besides the one whose people sign in; each has an identity provider.
    #[arg(long, default_value_t = 100_000)]
    pub teamspaces: u64,
    /// Members, each with an identity: up to 100,000 of the teamspace that signs in, the others spread evenly.
    #[arg(long, default_value_t = 5_000_000)]
    pub members: u64,
    /// Sign-ins of the last 80 days.
    #[arg(long, default_value_t = 100_000_000)]
    pub sign_ins: u64,
    /// Used assertions that have not expired, and so were not pruned.
    #[arg(long, default_value_t = 1_000_000)]
    pub assertions: u64,
}

/// One table: which columns, and an expression of the row number `x` for each.
pub struct Table {
    pub name: &'static str,
    pub rows: u64,
    pub values: Vec<(&'static str, String)>,
}

/// The numbers that the expressions depend on, and the dialect.
pub struct Rows<'a> {
    size: &'a Size,
    sqlite: bool,
    teamspaces: u64,
    /// Members of the teamspace that signs in; they are the first.
    ours: u64,
    /// Members of the others.
    others: u64,
    now: i64,
}

fn text(value: &str) -> String {
    format!("'{value}'")
}

/// Columns that are empty.
fn empty(columns: &[&'static str]) -> Values {
    columns.iter().map(|column| (*column, text(""))).collect()
}

impl<'a> Rows<'a> {
    /// For a database of this size.
    pub fn new(size: &'a Size, sqlite: bool) -> Self {
        let ours = size.members.min(PEOPLE);
        let (teamspaces, others) = (size.teamspaces.max(1), (size.members - ours).max(1));
        Self { size, sqlite, teamspaces, ours, others, now: SystemClock.now() }
    }

    /// Every table, in the order in which one refers to the next.
    pub fn tables(&self, idp: &str) -> Vec<Table> {
        let Size { teamspaces, members, sign_ins, assertions } = *self.size;
        [
            ("teamspaces", teamspaces, self.a_teamspace()),
            ("email_domains", teamspaces, self.a_domain()),
            ("identity_providers", teamspaces, self.a_provider()),
            ("members", members, self.a_member()),
            ("identities", members, self.an_identity(idp)),
            ("used_assertions", assertions, self.an_assertion()),
            ("sign_ins", sign_ins, self.a_sign_in()),
            ("sign_in_counts", DAYS * self.reasons(), self.a_count_of_all()),
            ("sign_in_counts", teamspaces * DAYS, self.a_count()),
            ("last_assertions", teamspaces, self.a_last_assertion()),
            ("member_exchanges", members, self.a_months_exchanges()),
            ("admin_events", 10 * teamspaces, self.an_event()),
            // The log is counted and sealed already, as it would be.
            ("log_streams", sign_ins.min(1), self.a_position()),
            ("log_seals", sign_ins.min(1), self.a_seal("decisions", sign_ins)),
            ("log_seals", teamspaces.min(1), self.a_seal("admin", 10 * teamspaces)),
        ]
        .map(|(name, rows, values)| Table { name, rows, values })
        .into()
    }

    fn pad(&self, value: &str, width: usize) -> String {
        match self.sqlite {
            true => format!("printf('%0{width}d', {value})"),
            false => format!("lpad(({value})::text, {width}, '0')"),
        }
    }

    /// The id of the teamspace of this number.
    fn teamspace(&self, number: &str) -> String {
        format!("'t' || {}", self.pad(number, 8))
    }

    /// Of a member; members are in the order of their teamspaces.
    fn owner(&self) -> String {
        self.teamspace(&format!("(x - {}) * {} / {}", self.ours, self.teamspaces, self.others))
    }

    /// Of a member: one thing in the teamspace that signs in, another elsewhere.
    fn where_from(&self, ours: &str, other: &str) -> String {
        format!("CASE WHEN x < {} THEN {ours} ELSE {other} END", self.ours)
    }

    /// As long as a UUID.
    fn member_id(&self, number: &str) -> String {
        format!("'00000000-0000-4000-8000-' || {}", self.pad(number, 12))
    }

    fn a_teamspace(&self) -> Values {
        let id = self.teamspace("x");
        vec![
            ("id", id.clone()),
            ("slug", id.clone()),
            ("name", id),
            ("plan", text("enterprise")),
            ("created_at", "0".into()),
            ("seats_used", (self.others / self.teamspaces).to_string()),
        ]
    }

    fn a_domain(&self) -> Values {
        let id = self.teamspace("x");
        vec![("domain", format!("{id} || '.example'")), ("teamspace_id", id)]
    }

    fn a_provider(&self) -> Values {
        let id = self.teamspace("x");
        let issuer = format!("'https://' || {id} || '.idp.example'");
        let mut values = vec![
            ("id", id.clone()),
            ("teamspace_id", id),
            ("name", text("fill")),
            ("kind", text("oidc")),
            ("jwks_uri", format!("{issuer} || '/keys'")),
            ("issuer", issuer),
            ("groups_claim", text("groups")),
            ("custom_claims", text("[]")),
            ("enabled", "TRUE".into()),
            ("created_at", "0".into()),
            ("updated_at", "0".into()),
        ];
        values.extend(empty(&["scope"]));
        values
    }

    /// Whom the assertions of this benchmark speak of, and as many elsewhere as are left.
    fn a_member(&self) -> Values {
        let domain = self.where_from("'acme.example'", &format!("{} || '.example'", self.owner()));
        vec![
            ("id", self.member_id("x")),
            ("teamspace_id", self.where_from(&text(TEAMSPACE), &self.owner())),
            ("email", format!("'p' || {} || '@' || {domain}", self.pad("x", 8))),
            ("role", text("developer")),
            ("status", text("active")),
            ("provisioned_by", text("sign-in")),
            ("created_at", "0".into()),
            ("last_sign_in_at", "0".into()),
        ]
    }

    fn an_identity(&self, idp: &str) -> Values {
        let issuer = format!("'https://' || {} || '.idp.example'", self.owner());
        let mut values = vec![
            ("teamspace_id", self.where_from(&text(TEAMSPACE), &self.owner())),
            ("issuer", self.where_from(&text(idp), &issuer)),
            ("subject", format!("'00u' || {}", self.pad("x", 8))),
            ("member_id", self.member_id("x")),
        ];
        values.extend(empty(&["tenant"]));
        values
    }

    /// In the order of their keys, and evenly over all keys, as digests are: where a new one goes, rows are.
    fn an_assertion(&self) -> Values {
        let all = self.size.assertions.max(1);
        let character = |position: u32| {
            let code = format!("x * {} / {all} / {} % 64", 64_u64.pow(5), 64_u64.pow(position));
            format!("substr('{CHARACTERS}', CAST(1 + {code} AS INTEGER), 1)")
        };
        let start: Vec<String> = (0..5).rev().map(character).collect();
        vec![
            ("assertion", format!("{} || {}", start.join(" || "), self.pad("x", 17))),
            ("expires_at", (self.now + 30 * DAY).to_string()),
        ]
    }

    /// Teamspaces by turns, over the last 80 days.
    fn a_sign_in(&self) -> Values {
        let Self { teamspaces, ours, others, now, .. } = self;
        let (start, all) = (now - 80 * DAY, self.size.sign_ins.max(1));
        let mut values = vec![
            ("at", format!("{start} + x * {} / {all}", 79 * DAY)),
            ("teamspace_id", self.teamspace(&format!("x % {teamspaces}"))),
            ("outcome", text("granted")),
            ("client_id", text(CLIENT)),
            ("subject", format!("'00u' || {}", self.pad("x", 8))),
            ("member_id", self.member_id(&format!("{ours} + (x % {teamspaces}) * {others} / {teamspaces}"))),
            ("assertion", self.pad("x", 22)),
            ("token_id", self.pad("x", 22)),
        ];
        values.extend(empty(&["reason", "detail", "request_id", "issuer", "email", "resource"]));
        values.extend(empty(&["scopes_asked", "scopes_granted", "decisions", "policy_set"]));
        values
    }

    fn reasons(&self) -> u64 {
        1 + REASONS.len() as u64
    }

    /// Grants and each of some reasons on each day.
    fn a_count_of_all(&self) -> Values {
        let reason = |(number, reason)| format!("WHEN {number} THEN '{reason}' ");
        let known: String = REASONS.into_iter().enumerate().map(reason).collect();
        let (day, all) = (self.now.div_euclid(DAY) * DAY, self.reasons());
        vec![
            ("teamspace_id", text(EVERYWHERE)),
            ("hour", format!("{day} - x / {all} * {DAY}")),
            ("reason", format!("CASE x % {all} {known} ELSE '' END")),
            ("number", "x % 1000 + 1".into()),
        ]
    }

    /// Grants of each day.
    fn a_count(&self) -> Values {
        let day = self.now.div_euclid(DAY) * DAY;
        vec![
            ("teamspace_id", self.teamspace(&format!("x / {DAYS}"))),
            ("hour", format!("{day} - x % {DAYS} * {DAY}")),
            ("reason", text("")),
            ("number", "x % 10 + 1".into()),
        ]
    }

    fn a_last_assertion(&self) -> Values {
        let at = (self.now - 60).to_string();
        let mut values =
            vec![("identity_provider_id", self.teamspace("x")), ("at", at.clone()), ("granted_at", at)];
        values.extend(empty(&["reason", "request_id"]));
        values
    }

    fn a_months_exchanges(&self) -> Values {
        vec![
            ("month", month_of(self.now).to_string()),
            ("member_id", self.member_id("x")),
            ("client_id", text(CLIENT)),
            ("number", "x % 250 + 1".into()),
        ]
    }

    /// Changes of teamspaces by turns.
    fn an_event(&self) -> Values {
        let Self { teamspaces, now, .. } = self;
        let (start, all) = (now - 80 * DAY, 10 * teamspaces);
        let teamspace = self.teamspace(&format!("x % {teamspaces}"));
        vec![
            ("at", format!("{start} + x * {} / {all}", 79 * DAY)),
            ("actor", text("ops")),
            ("action", text("teamspace.update")),
            ("object", teamspace.clone()),
            ("teamspace_id", teamspace),
            ("request_id", text("")),
            ("old_value", text("{\"name\":\"before\"}")),
            ("new_value", text("{\"name\":\"after\"}")),
        ]
    }

    fn a_position(&self) -> Values {
        let last = self.size.sign_ins.to_string();
        vec![("name", text(READER)), ("last_id", last), ("updated_at", self.now.to_string())]
    }

    fn a_seal(&self, log: &str, rows: u64) -> Values {
        let now = self.now.to_string();
        let mut values = vec![
            ("log", text(log)),
            ("number", "1".into()),
            ("format", "1".into()),
            ("last_id", rows.to_string()),
            ("row_count", rows.to_string()),
            ("newest_at", now.clone()),
            ("sealed_at", now),
        ];
        values.extend(empty(&["digest", "key_id", "code"]));
        values
    }
}
